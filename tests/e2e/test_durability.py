"""What survives what: kill -9, SIGTERM, full disks, damage, second processes (contract sections 2 and 3)."""

import concurrent.futures
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import uuid

import httpx
import pytest

from harness import Client, FINAL, PLAIN, Server, SmallDisk, operator, order, wait_until


def test_an_acknowledged_order_survives_kill_9(server, services):
    backend = server(services)
    ada = Client(backend)
    services.answers["reserve"] = {"hang": True}
    body = order()
    id = ada.created(body, "k1")
    backend.kill()
    services.answers.clear()
    again = backend.restarted()
    ada = Client(again)
    assert ada.order(id)["payment"] == body["payment"]
    assert ada.create(body, "k1").headers["Idempotent-Replayed"] == "true"
    assert ada.settled(id)["status"] == "completed"
    assert {call.key for call in services.of("reserve", id)} == {f"{id}.reserve"}


@pytest.mark.parametrize("command", ["reserve", "record", "ship"])
def test_killed_while_a_command_is_out(server, services, command):
    backend = server(services)
    ada = Client(backend)
    services.answers[command] = {"hang": True}
    id = ada.created()
    wait_until(lambda: services.of(command, id))
    backend.kill()
    services.answers.clear()
    again = backend.restarted()
    assert Client(again).settled(id)["status"] == "completed"
    assert [event["sequence"] for event in Client(again).events(id)] == list(range(1, Client(again).order(id)["version"] + 1))


def test_killed_while_a_command_is_out_to_a_service_without_keys(server, services):
    backend = server(services, fulfilment_idempotency="none")
    ada = Client(backend)
    services.answers["ship"] = {"hang": True}
    id = ada.created()
    wait_until(lambda: services.of("ship", id))
    backend.kill()
    services.answers.clear()
    again = backend.restarted()
    assert Client(again).settled(id)["status"] == "attention"
    assert len(services.of("ship", id)) == 1


def test_killed_during_a_reversal(server, services):
    backend = server(services)
    services.answers["ship"] = {"status": 409, "body": {"reason": "no_courier"}}
    services.answers["release"] = {"hang": True}
    id = Client(backend).created()
    wait_until(lambda: services.of("release", id))
    backend.kill()
    services.answers["release"] = {"body": {"reference": "x"}}
    again = backend.restarted()
    assert Client(again).settled(id)["status"] == "rejected"
    assert len(services.of("refund", id)) == 1


def test_killed_between_202_and_callback(server, services):
    backend = server(services)
    services.answers["reserve"] = {"status": 202, "body": {}}
    id = Client(backend).created()
    wait_until(lambda: Client(backend).step(id, "reserve")["state"] == "pending")
    call = services.of("reserve", id)[0]
    backend.kill()
    again = backend.restarted()
    assert httpx.post(call.callback_url, json={"outcome": "done", "reference": "late"}, **PLAIN).status_code == 204
    assert Client(again).settled(id)["status"] == "completed"
    assert len(services.of("reserve", id)) == 1


def test_killed_under_load_every_202_is_there(server, services):
    backend = server(services)
    acknowledged, stop = {}, threading.Event()

    def keep_ordering(number):
        client = Client(backend, f"c{number}")
        while not stop.is_set():
            body = order()
            try:
                response = client.create(body)
            except httpx.HTTPError:
                return
            if response.status_code == 202:
                acknowledged[response.json()["id"]] = (f"c{number}", body)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(keep_ordering, number)
        time.sleep(1.0)
        backend.kill()
        stop.set()
    again = backend.restarted()
    assert len(acknowledged) > 50
    reader = Client(again, "boss", "orders:operate")
    for id, (customer, body) in acknowledged.items():
        shown = reader.order(id)
        assert shown["customer"] == customer and shown["payment"] == body["payment"]
    wait_until(lambda: all(reader.status(id) == "completed" for id in random.sample(sorted(acknowledged), 20)), 30)


def test_sigterm_answers_what_was_admitted_and_keeps_the_rest(server, services):
    backend = server(services)
    ada = Client(backend)
    services.answers["reserve"] = {"status": 503}
    id = ada.created()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: Client(backend).get(id, headers={"Prefer": "wait=30"}))
        time.sleep(0.3)
        start = time.monotonic()
        assert backend.stop() == 0
        assert time.monotonic() - start < 10
        assert waiting.result().status_code == 200
    services.answers.clear()
    again = backend.restarted()
    assert Client(again).settled(id)["status"] == "completed"


def test_sigterm_while_a_service_hangs(server, services):
    backend = server(services)
    services.answers["reserve"] = {"hang": True}
    Client(backend).created()
    wait_until(lambda: services.of("reserve"))
    start = time.monotonic()
    assert backend.stop() == 0
    assert time.monotonic() - start < 10


def serve(program, backend, **changes):
    """A second process with the settings of a server: what it said and how it ended."""
    command = [part for part in backend.command() if not any(part.startswith(f"--{name}=") for name in changes)]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in changes.items()]
    return program.run(*command[1:], timeout=20)


def test_a_second_process_on_the_same_folder_is_refused(program, backend):
    result = serve(program, backend)
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert str(backend.data) in line and str(backend.process.pid) in line and "in use" in line


def test_a_damaged_database_is_named(program, server, services):
    backend = server(services)
    Client(backend).created()
    backend.stop()
    database = next(path for path in backend.data.iterdir() if path.suffix == ".db")
    good = database.read_bytes()
    for damaged in (b"x" * 4096 + good[4096:], good[:100] + b"\xff" * 6000 + good[6100:], b"not a database at all"):
        database.write_bytes(damaged)
        result = serve(program, backend)
        assert result.returncode == 1
        (line,) = result.stderr.strip().splitlines()
        assert str(database) in line, line
    database.write_bytes(good)
    assert Client(backend.restarted()).http.get("/v1/orders").status_code == 200


def test_a_newer_schema_is_refused(program, server, services):
    backend = server(services)
    backend.stop()
    database = next(path for path in backend.data.iterdir() if path.suffix == ".db")
    subprocess.run(["sqlite3", database, "PRAGMA user_version = 9999"], check=True)
    result = serve(program, backend)
    assert result.returncode == 1 and "9999" in result.stderr and "newer" in result.stderr


def test_a_lost_id_secret_is_not_replaced(program, server, services):
    backend = server(services)
    Client(backend).created()
    backend.stop()
    secret = backend.data / "id-secret"
    assert oct(secret.stat().st_mode & 0o777) == "0o600"
    kept = secret.read_bytes()
    secret.unlink()
    result = serve(program, backend)
    assert result.returncode == 1 and "id-secret" in result.stderr
    other = backend.data / "other"
    other.write_text("x" * 40)
    result = serve(program, backend, id_secret_file=other)
    assert result.returncode == 1 and "carried out twice" in result.stderr
    secret.write_bytes(kept)


@pytest.fixture
def small_disk(folder):
    disk = SmallDisk(folder / "disk", mib=6)
    yield disk
    disk.remove()


def test_a_full_disk_is_answered_503_and_recovers_by_itself(server, services, small_disk):
    backend = server(services, data=small_disk.path / "data")
    ada = Client(backend)
    kept = [ada.created() for _ in range(5)]
    for id in kept:
        ada.settled(id)
    small_disk.fill()
    codes, acknowledged = [], []
    for _ in range(400):
        response = ada.create()
        codes.append(response.status_code)
        if response.status_code == 202:
            acknowledged.append(response.json()["id"])
        if codes[-3:] == [503] * 3:
            break
    assert codes[-3:] == [503] * 3 and response.json()["code"] == "overloaded" and response.headers["Retry-After"]
    assert ada.get(kept[0]).status_code == 200
    backend.kill()
    backend = backend.restarted()  # a start needs no space either
    ada = Client(backend)
    assert ada.create().status_code == 503 and ada.get(kept[0]).status_code == 200
    small_disk.give_room()
    wait_until(lambda: ada.create().status_code == 202)
    for id in kept + acknowledged:
        assert ada.settled(id)["status"] == "completed"


def test_logs_hold_no_personal_data_and_no_tokens(server, services):
    backend = server(services, log_level="debug")
    ada = Client(backend, "customer-zoe")
    services.answers["record"] = [{"status": 500, "body": {"detail": "for Hart in Leeds"}}, {"body": {"reference": "r"}}]
    services.answers["ship"] = {"status": 400, "body": {"detail": "A. Hart, 1 High St, LS1 4AP"}}
    id = ada.created()
    ada.settled(id)
    ada.create(order(total=1))
    ada.get("ord_" + "0" * 32)
    wait_until(lambda: [event for event in backend.events() if event["event"] == "call_failed"])
    text = open(backend.log_path).read()
    for private in ("Hart", "High St", "LS1", "Leeds", "customer-zoe", "Bearer", backend.token("customer-zoe").split(".")[1][:20], "token="):
        assert private not in text, private
    events = [event for event in backend.events() if event.get("order") == id]
    assert {"order_accepted", "call_failed", "order_attention"} <= {event["event"] for event in events}
    assert len({event["trace"] for event in events if "trace" in event}) == 1


def test_metrics_are_good_prometheus(backend, ada):
    for _ in range(3):
        ada.settled(ada.created())
    ada.create(order(total=1))
    text = httpx.get(backend.url + "/metrics", **PLAIN).text
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    for wanted in ('spillway_http_requests_total{route="POST /v1/orders",status="202"} 3', 'spillway_orders{status="completed"} 3',
                   'spillway_queue_messages{service="inventory",channel="wholesale"} 0', 'spillway_circuit_state{service="accounting"} 0',
                   "spillway_attention 0", "spillway_accept_duration_seconds_bucket", "spillway_commit_batch_size_sum",
                   'spillway_http_requests_total{route="POST /v1/orders",status="422"} 1', "spillway_queue_oldest_age_seconds"):
        assert wanted in text, wanted


def test_overload_is_answered_early_and_the_admitted_are_served(server, services):
    """Requests that come whole at one moment, to a server that lets two wait: some are admitted, the others
    told 503 at once, and taken when they are sent again with the same key."""
    backend = server(services, waiting=2, workers=1)
    host, port = backend.address.rsplit(":", 1)
    token, requests = backend.token(), {}
    for number in range(200):
        body = json.dumps(order()).encode()
        head = (f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: burst-{number}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
        connection = socket.create_connection((host, int(port)), timeout=20)
        connection.sendall(head + body[:-1])
        requests[number] = (connection, body)
    for connection, body in requests.values():
        connection.sendall(body[-1:])
    codes = {}
    for number, (connection, body) in requests.items():
        answer = b""
        while part := connection.recv(65536):
            answer += part
        connection.close()
        codes[number] = int(answer.split(b" ")[1])
        if codes[number] == 503:
            assert b"\r\nRetry-After: " in answer and b'"code":"overloaded"' in answer
    assert set(codes.values()) == {202, 503}
    ada = Client(backend)
    for number, (_, body) in requests.items():
        again = ada.create(json.loads(body), f"burst-{number}")
        assert again.status_code == 202
        assert ("Idempotent-Replayed" in again.headers) == (codes[number] == 202)


def test_bad_settings_are_told_all_at_once(program, folder):
    result = program.run("serve", "--listen=nowhere", "--inventory-timeout=5", "--inventory-url=ftp://x", "--colour=red",
                         env={"SPILLWAY_RETRY_FIRST": "soon", "SPILLWAY_JWT_ISSUER": "", "SPILLWAY_DATA": ""})
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    for wanted in ("listen", "inventory-timeout", "inventory-url", "accounting-url", "fulfilment-url", "colour", "retry-first", "jwt-issuer", "jwt-secret-file"):
        variable = "SPILLWAY_" + wanted.upper().replace("-", "_")
        assert any(wanted in line or variable in line for line in lines), (wanted, lines)
    assert not any("--data" in line for line in lines)


@pytest.mark.parametrize("content, says", [(b"short", "32"), (None, "No such file")])
def test_bad_secret_files(program, folder, services, content, says):
    path = folder / "s"
    if content:
        path.write_bytes(content)
    urls = [f"--{service}-url={services.service_url(service)}" for service in ("inventory", "accounting", "fulfilment")]
    result = program.run("serve", "--listen=127.0.0.1:0", f"--data={folder / 'd'}", f"--jwt-secret-file={path}", *urls)
    assert result.returncode == 2 and says in result.stderr and str(path) in result.stderr


def test_bad_tls_files_are_named(program, backend, folder):
    for name in ("one", "two"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", folder / "one.key", "-out", folder / "locked.key"], check=True)
    (folder / "cut.pem").write_bytes((folder / "one.pem").read_bytes()[:200])
    (folder / "chain.pem").write_bytes((folder / "one.pem").read_bytes() + (folder / "two.pem").read_bytes()[:200])
    for certificate, key, named, says in (("one.key", "one.key", "one.key", "no certificates"), ("cut.pem", "one.key", "cut.pem", "damaged"),
                                          ("chain.pem", "one.key", "chain.pem", "damaged"), ("one.pem", "one.pem", "one.pem", "no private key"),
                                          ("one.pem", "locked.key", "locked.key", "passphrase"), ("one.pem", "two.key", "two.key", "is not that of")):
        result = serve(program, backend, listen="127.0.0.1:0", data=folder / "other", tls_certificate_file=folder / certificate, tls_key_file=folder / key)
        (line,) = result.stderr.strip().splitlines()
        assert result.returncode == 1 and says in line and str(folder / named) in line, line


def test_an_oct_key_in_a_jwks_is_refused_at_the_start(program, folder, services):
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}))
    urls = [f"--{service}-url={services.service_url(service)}" for service in ("inventory", "accounting", "fulfilment")]
    result = program.run("serve", "--listen=127.0.0.1:0", f"--data={folder / 'd'}", f"--jwks={path}", *urls)
    assert result.returncode == 1 and "oct" in result.stderr


def test_an_address_in_use_is_named(program, backend, folder):
    result = serve(program, backend, listen=backend.address, data=folder / "other")
    assert result.returncode == 1 and backend.address in result.stderr
