"""bootstrap and the runtime API: the loop, its end, and what goes wrong between the two.

SPILLWAY_BOOTSTRAP names the program; the default is build/bootstrap. The static binaries of script/build-aws are
tested beside it, the one for arm64 by qemu-user."""

import copy
import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
import zipfile

import jwt
import pytest

import wire
from harness import order, wait_until
from runtime_api import ARN, Function, RuntimeApi, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENTS = ROOT / "tests" / "aws" / "events"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
RIE = ROOT / ".cache" / "aws" / "aws-lambda-rie"
ZIP_BYTES_MAX = 2_500_000


def static(arch):
    path = ROOT / "build" / "aws" / arch / "bootstrap"
    assert path.exists(), f"{path} is missing: script/build-aws builds it"
    return path


COMMANDS = {
    "ordinary": lambda: [os.environ.get("SPILLWAY_BOOTSTRAP", ROOT / "build" / "bootstrap")],
    "x86_64": lambda: [static("x86_64")],
    "arm64": lambda: [shutil.which("qemu-aarch64-static") or pytest.fail("qemu-user-static is not installed"), static("arm64")],
}


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def token(scope="orders:read orders:write"):
    return jwt.encode({"sub": "customer-17", "scope": scope, "exp": int(time.time()) + 600}, SECRET, "HS256")


def order_event(name="http-api", body=None):
    """A sample that asks for an order, with a token that is good and a key of its own."""
    event = copy.deepcopy(sample(name))
    changes = {"authorization": f"Bearer {token()}", "idempotency-key": uuid.uuid4().hex}
    for member in ("headers", "multiValueHeaders"):
        for header in event.get(member, {}):
            value = changes.get(header.lower(), None)
            if value:
                event[member][header] = value if member == "headers" else [value]
    if body is not None:
        event["body"] = body
    return event


HEALTH = sample("alb-health-check")


@pytest.fixture
def api():
    one = RuntimeApi()
    yield one
    one.close()
    assert one.violations == []


@pytest.fixture
def start(api, tmp_path):
    started = []

    def start(command="ordinary", **more):
        one = Function(COMMANDS[command](), api, tmp_path, **{**environment(tmp_path), **more})
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()
        one.log()


@pytest.fixture
def aws():
    """AWS that says {} to everything, once `release` is set; `seen` tells what it was asked."""

    class Aws:
        seen, release = queue.Queue(), threading.Event()

    one = Aws()

    def handle(request):
        one.seen.put(request)
        one.release.wait(60)
        body = b'{"MessageId":"1","MD5OfMessageBody":""}' if "SQS" in request.get("X-Amz-Target", "") else b"{}"
        return wire.Response(200, [("Content-Type", "application/x-amz-json-1.0")], body)

    server = wire.Server(handle)
    one.url = server.url
    yield one
    one.release.set()
    server.close()


def is_healthy(answer):
    return answer.kind == "response" and answer.json()["statusCode"] == 200


def check_healthy(api):
    assert is_healthy(api.invoke(HEALTH).answer())


# --- the loop ---


@pytest.mark.parametrize("command", COMMANDS)
def test_invocations_are_answered_one_after_the_other(api, start, command):
    function = start(command)
    for _ in range(20):
        check_healthy(api)
    assert api.accepted == 1, "the connection is kept"
    function.process.terminate()
    assert function.wait() == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["http-api", "http-api-base64", "function-url", "rest-api", "alb"])
def test_orders_are_accepted_in_every_shape_of_event(api, start, aws, command, name):
    aws.release.set()
    start(command, AWS_ENDPOINT_URL=aws.url)
    answer = api.invoke(order_event(name)).answer()
    assert answer.kind == "response"
    response = answer.json()
    assert response["statusCode"] == 202, response
    assert json.loads(response["body"])["status"] == "accepted"
    headers = response.get("headers") or {name: ", ".join(values) for name, values in response["multiValueHeaders"].items()}
    assert {name.lower(): value for name, value in headers.items()}["location"].startswith("/v1/orders/ord_")
    assert response.get("statusDescription") == ("202 Accepted" if name == "alb" else None)


@pytest.mark.parametrize("setting, status", [("gateway", 202), (None, 401)])
def test_the_gateways_claims_are_believed_only_where_it_is_set(api, start, aws, setting, status):
    aws.release.set()
    start(AWS_ENDPOINT_URL=aws.url, SPILLWAY_AUTHORIZER=setting)
    assert api.invoke(sample("http-api-jwt")).answer().json()["statusCode"] == status


FOREIGN = {
    "s3": lambda: (EVENTS / "foreign-s3.json").read_bytes(),
    "sns": lambda: (EVENTS / "foreign-sns.json").read_bytes(),
    "schedule": lambda: (EVENTS / "foreign-schedule.json").read_bytes(),
    "null": lambda: b"null",
    "nothing": lambda: b"",
    "text": lambda: b'"hello"',
    "half": lambda: (EVENTS / "http-api.json").read_bytes()[:300],
    "deep": lambda: b"[" * 100_000,
    "latin": lambda: b'{"a":"\xe4"}',
    "null byte": lambda: b"\0" * 100,
}


@pytest.mark.parametrize("handler", ["api", "admit", "call", "relay", "sweep"])
def test_foreign_events_are_refused_with_a_reason_and_the_loop_goes_on(api, start, handler):
    function = start(_HANDLER=handler)
    for name, make in FOREIGN.items():
        answer = api.invoke(make()).answer()
        assert answer.kind == "error", name
        assert answer.json()["errorType"] == "Spillway.BadEvent"
        assert len(answer.json()["errorMessage"]) > 10
    assert len(function.events("event_refused")) == len(FOREIGN)
    assert function.process.poll() is None


def test_huge_events(api, start):
    """Six megabytes are the most that Lambda hands over."""
    start()
    event = order_event(body="x" * 5_900_000)
    assert api.invoke(event).answer().json()["statusCode"] == 413
    assert api.invoke(b" " * 6_291_456).answer().kind == "error"
    padded = {**HEALTH, "padding": "y" * 6_000_000}
    assert is_healthy(api.invoke(padded).answer())
    check_healthy(api)


def send_chunked(api, connection, head, body):
    connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(body), 100):
        part = body[at:at + 100]
        connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
    connection.sendall(b"0\r\n\r\n")
    return True


def send_slowly(api, connection, head, body):
    for byte in head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body:
        connection.sendall(bytes([byte]))
    return True


def send_and_close(api, connection, head, body):
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return False


def send_with_lower_case_headers(api, connection, head, body):
    status, lines = head.split("\r\n", 1)
    return send_chunked(api, connection, status + "\r\n" + lines.lower(), body)


@pytest.mark.parametrize("send", [send_chunked, send_slowly, send_and_close, send_with_lower_case_headers])
def test_events_come_in_any_way_of_http(api, start, send):
    start()
    for _ in range(3):
        assert is_healthy(api.invoke(HEALTH, send=send).answer())
    check_healthy(api)


def test_an_event_comes_though_it_is_shorter_than_was_waited_for(api, start):
    """The process sleeps until there is more than a receipt as long as the last; this receipt is shorter, and the
    event behind it too short to make up for it."""
    start()
    api.receipt = b'"%b"' % (b"x" * 400)
    check_healthy(api)
    api.receipt = b"{}"
    check_healthy(api)
    assert api.invoke(b"[]").answer().kind == "error"
    check_healthy(api)
    assert api.accepted == 1


@pytest.mark.parametrize("size", [1, 200, 5000])
def test_receipts_of_any_length(api, start, size):
    start()
    for length in (10, size, 10, size):
        api.receipt = b'"%b"' % (b"x" * length)
        check_healthy(api)
    check_healthy(api)
    assert api.accepted == 1


# --- connections that break ---


def cut_short(bytes_sent):
    def send(api, connection, head, body):
        data = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
        connection.sendall(data[:bytes_sent])
        api.again(api.current)
        return False

    return send


@pytest.mark.parametrize("bytes_sent", [0, 5, 100, 400])
def test_an_event_that_did_not_come_whole_is_asked_for_again(api, start, bytes_sent):
    start()
    assert is_healthy(api.invoke(HEALTH, send=cut_short(bytes_sent)).answer())
    check_healthy(api)
    assert api.accepted == 2


def test_a_connection_that_closes_while_nothing_is_under_way_is_made_anew(api, start):
    start()
    check_healthy(api)
    for count in range(5):
        api.asked = threading.Semaphore(0)
        api.drop_connections()
        api.wait_idle()
        check_healthy(api)
    assert api.accepted == 6


def test_an_answer_that_was_lost_is_sent_again(api, start):
    start()
    assert is_healthy(api.invoke(HEALTH, refuse=["lose before"]).answer())
    check_healthy(api)


def test_an_answer_whose_receipt_was_lost_is_refused_the_second_time_and_the_loop_goes_on(api, start):
    function = start()
    assert is_healthy(api.invoke(HEALTH, refuse=["lose after"]).answer())
    check_healthy(api)
    assert [line["status"] for line in function.events("response_refused")] == [400]


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refused_answer_is_logged_and_the_loop_goes_on(api, start, status):
    function = start()
    assert api.invoke(HEALTH, refuse=[status]).answer().kind == "refused"
    assert api.invoke(b"[]", refuse=[status]).answer().kind == "refused"
    check_healthy(api)
    assert [(line["status"], line["call"]) for line in function.events("response_refused")] == [(status, "response"), (status, "error")]


def test_the_api_fails_for_good(api, start):
    """Lambda says 500: the environment is beyond help, and the runtime should end."""
    function = start()
    assert api.invoke(HEALTH, refuse=[500]).answer().kind == "refused"
    assert function.wait() == 1
    assert [line["status"] for line in function.events("runtime_failed")] == [500]


REPLIES = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
    "without an id": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("reply", REPLIES)
def test_next_that_is_no_invocation_ends_the_process(api, start, reply):
    api.next_replies.append(REPLIES[reply])
    function = start()
    assert function.wait() == 1
    assert len(function.events("runtime_failed")) == 1


def test_an_api_that_is_gone_ends_the_process(api, start):
    function = start()
    check_healthy(api)
    api.close()
    assert function.wait() == 1
    assert "Connection refused" in function.events("runtime_failed")[0]["detail"]


def test_answers_that_are_not_http_end_the_process(api, start):
    api.next_replies += [b"220 mail.example.com ESMTP\r\n"] * 100
    function = start()
    assert function.wait() == 1
    assert len(function.events("runtime_failed")) == 1
    assert len(api.next_replies) > 80, "it gives up soon"


# --- the end ---


@pytest.mark.parametrize("before", [0, 3])
def test_sigterm_while_nothing_is_under_way(api, start, before):
    """Also where it sleeps until both the receipt and the next event are there."""
    function = start()
    for _ in range(before):
        check_healthy(api)
        api.wait_idle()
    api.wait_idle()
    function.process.terminate()
    assert function.wait() == 0
    assert function.log() == []


@pytest.mark.parametrize("command", ["ordinary", "x86_64"])
def test_sigterm_lets_the_invocation_under_way_end(api, start, aws, command):
    function = start(command, AWS_ENDPOINT_URL=aws.url)
    invocation = api.invoke(order_event())
    aws.seen.get(timeout=20)
    api.asked = threading.Semaphore(0)
    function.process.terminate()
    assert invocation.answers.empty()
    aws.release.set()
    assert invocation.answer().json()["statusCode"] == 202
    assert function.wait() == 0
    assert not api.asked.acquire(blocking=False), "no other invocation was asked for"


def freeze(function):
    function.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: pathlib.Path(f"/proc/{function.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


@pytest.mark.parametrize("drops", [False, True])
def test_a_frozen_process_goes_on(api, start, drops):
    """Lambda freezes what has no work, and the connection may be gone when it thaws."""
    function = start()
    api.wait_idle()
    freeze(function)
    if drops:
        api.drop_connections()
    invocation = api.invoke(HEALTH)
    function.process.send_signal(signal.SIGCONT)
    assert is_healthy(invocation.answer())
    check_healthy(api)
    assert api.accepted == 1 + drops


def test_freezing_in_the_middle_of_an_invocation(api, start, aws):
    function = start(AWS_ENDPOINT_URL=aws.url)
    invocation = api.invoke(order_event())
    aws.seen.get(timeout=20)
    freeze(function)
    aws.release.set()
    function.process.send_signal(signal.SIGCONT)
    assert invocation.answer().json()["statusCode"] == 202


def test_the_deadline_is_kept(api, start, aws):
    """AWS never answers: the client is told before Lambda would end the process."""
    start(AWS_ENDPOINT_URL=aws.url)
    invocation = api.invoke(order_event(), deadline_ms=int(time.time() * 1000) + 4000)
    answer = invocation.answer()
    assert answer.json()["statusCode"] == 503
    assert time.time() * 1000 < invocation.deadline_ms
    aws.release.set()
    assert api.invoke(order_event()).answer().json()["statusCode"] == 202


# --- initialisation ---


@pytest.mark.parametrize("command", ["ordinary", "x86_64"])
@pytest.mark.parametrize("changes, kind, text", [
    ({"_HANDLER": None}, "Runtime.NoSuchHandler", "_HANDLER is not set, and should be one of: api admit call relay sweep"),
    ({"_HANDLER": ""}, "Runtime.NoSuchHandler", '_HANDLER is ""'),
    ({"_HANDLER": "index.handler"}, "Runtime.NoSuchHandler", '_HANDLER is "index.handler"'),
    ({"_HANDLER": "a" * 10_000}, "Runtime.NoSuchHandler", 'aaa", and should be one of'),
    ({"SPILLWAY_TABLE": None}, "Runtime.InitFailed", "settings"),
    ({"SPILLWAY_ID_SECRET_FILE": "/nowhere"}, "Runtime.InitFailed", "/nowhere"),
    ({"SPILLWAY_CALL_TIME": "5s"}, "Runtime.InitFailed", "contradict"),  # a call may take 10 s
])
def test_failed_initialisation_is_told(api, start, command, changes, kind, text):
    function = start(command, **changes)
    assert function.wait() == 1
    assert len(api.init_errors) == 1
    assert api.init_errors[0]["errorType"] == kind
    assert text in api.init_errors[0]["errorMessage"]
    (line,) = function.events("init_failed")
    assert line["type"] == kind and line["level"] == "error"


def test_an_error_without_an_api_to_tell_it(api, start):
    api.close()
    function = start(_HANDLER="wrong")
    assert function.wait() == 1
    assert len(function.events("init_failed")) == 1


def test_started_by_hand():
    result = subprocess.run(COMMANDS["ordinary"](), env={}, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "bootstrap is run by AWS Lambda: AWS_LAMBDA_RUNTIME_API is not set.\n"


@pytest.mark.parametrize("address", ["localhost", ":1", "127.0.0.1:", "127.0.0.1:port", "x" * 1000 + ":1"])
def test_an_address_that_is_none(start, address):
    function = start(AWS_LAMBDA_RUNTIME_API=address)
    assert function.wait() == 1
    assert len(function.events("runtime_failed")) == 1


# --- the official emulator ---


@pytest.fixture
def emulator(tmp_path):
    started = []

    def start(command, **more):
        assert RIE.exists(), f"{RIE} is missing: script/aws-emulators gets it"
        ports = []
        for _ in range(2):
            with socket.create_server(("127.0.0.1", 0)) as one:
                ports.append(one.getsockname()[1])
        wrapper = tmp_path / "bootstrap"
        wrapper.write_text("#!/bin/sh\nexec " + " ".join(str(part) for part in COMMANDS[command]()) + "\n")
        wrapper.chmod(0o755)
        variables = {**environment(tmp_path), "AWS_LAMBDA_FUNCTION_TIMEOUT": "20", "LAMBDA_TASK_ROOT": str(tmp_path), **more}
        with open(tmp_path / "rie.log", "wb") as log:
            process = subprocess.Popen([RIE, "--runtime-interface-emulator-address", f"127.0.0.1:{ports[0]}", "--runtime-api-address", f"127.0.0.1:{ports[1]}", wrapper],
                                       env={name: str(value) for name, value in variables.items()}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        started.append(process)

        def reachable():
            assert process.poll() is None, (tmp_path / "rie.log").read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", ports[0])) == 0

        wait_until(reachable)

        def invoke(event):
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
            connection.request("POST", "/2015-03-31/functions/function/invocations", event if isinstance(event, bytes) else json.dumps(event))
            return json.loads(connection.getresponse().read())

        return invoke

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("command", COMMANDS)
def test_under_the_official_emulator(emulator, aws, command):
    aws.release.set()
    invoke = emulator(command, AWS_ENDPOINT_URL=aws.url)
    assert invoke(HEALTH)["statusCode"] == 200
    assert invoke(order_event())["statusCode"] == 202
    assert invoke(sample("foreign-s3"))["errorType"] == "Spillway.BadEvent"
    assert invoke({**HEALTH, "padding": "y" * 5_000_000})["statusCode"] == 200
    for _ in range(20):
        assert invoke(HEALTH)["statusCode"] == 200


def test_failed_initialisation_under_the_official_emulator(emulator):
    answer = emulator("x86_64", _HANDLER="wrong")(HEALTH)
    assert answer["errorType"] == "Runtime.NoSuchHandler", answer


# --- what is handed to Lambda ---


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_binary_needs_nothing(arch):
    headers = subprocess.run(["readelf", "-lhd", "--wide", static(arch)], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    assert "INTERP" not in headers and "NEEDED" not in headers
    assert ("X86-64" if arch == "x86_64" else "AArch64") in headers
    assert "GNU_RELRO" in headers and "DYN (" in headers, "position independent, with read-only relocations"
    if arch == "x86_64":
        told = subprocess.run(["ldd", static(arch)], capture_output=True, text=True)
        assert "statically linked" in told.stdout or "not a dynamic executable" in told.stdout + told.stderr


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_zip_holds_the_binary_alone(arch):
    path = ROOT / "build" / "aws" / f"spillway-{arch}.zip"
    assert path.stat().st_size <= ZIP_BYTES_MAX
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.external_attr >> 16, entry.create_system) == ("bootstrap", 0o100755, 3)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read(entry) == static(arch).read_bytes()
