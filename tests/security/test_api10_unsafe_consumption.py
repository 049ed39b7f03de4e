"""API10:2023 Unsafe Consumption of APIs: services are not trusted. Whatever they answer, the order says so in clean
JSON, the log stays a line an event, and other orders go on."""

import json
import threading
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from harness import ALL_SCOPES, Client, PLAIN, operator, order, wait_until
from outside import Trap, call, memory_kib
from test_create import problem


def shown(backend, ada, id):
    """Everything that is shown of the order, all of it JSON."""
    boss = operator(backend)
    return [response.json() for response in (ada.get(id), ada.http.get(f"/v1/orders/{id}/events"), ada.http.get("/v1/orders"), boss.http.get("/v1/attention"))]


def others_go_on(backend, services):
    services.answers.clear()
    client = Client(backend, "somebody-else")
    assert client.settled(client.created())["status"] == "completed"


@pytest.mark.parametrize("reference", [
    '"}],"status":"completed","x":"', "<script>alert(1)</script>", "'; DROP TABLE orders; --", "${jndi:ldap://x}", "%s%s%n", "../../etc/passwd", "\\u0000\\x00", "🎁 é \u202e",
    "{{7*7}}", "a|b\\c", "=cmd()", "x" * 128, "é" * 128, "😀" * 128, " ", "\u00a0", "null",
])
def test_a_reference_is_text_and_nothing_else(backend, ada, services, reference):
    services.answers["reserve"] = {"body": {"reference": reference}}
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert ada.step(id, "reserve")["reference"] == reference
    shown(backend, ada, id)
    backend.events()


@pytest.mark.parametrize("reference", ["", "a\nb", "a\r\nSet-Cookie: x=y", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\x85b", "\t", "x" * 129, "😀" * 129, 5, None, True, [], {}, ["a"], {"a": "b"}])
def test_a_reference_that_is_none_brings_the_order_to_a_person(backend, ada, services, reference):
    services.answers["record"] = {"body": {"reference": reference}}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    step = ada.step(id, "record")
    assert step["state"] == "attention" and step["reference"] in (None, "") and len(services.of("record", id)) == 1
    text = json.dumps(shown(backend, ada, id), ensure_ascii=False)
    assert not [c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0]
    backend.events()


@pytest.mark.parametrize("reason", ["out\nof stock", "a\x00b", "x" * 201, 5, ["a"], {"a": 1}, None, "", "\x1b[2J"])
def test_a_reason_that_is_none_is_unspecified(backend, ada, services, reason):
    services.answers["reserve"] = {"status": 409, "body": {"reason": reason, "detail": reason}}
    id = ada.created()
    done = ada.settled(id)
    assert done["status"] == "rejected" and done["reason"] == "unspecified"
    shown(backend, ada, id)


@pytest.mark.parametrize("reason", ['no "stock"', "<b>none</b>", "a\\b", "{}", "é" * 200])
def test_a_reason_is_shown_as_it_was_said(backend, ada, services, reason):
    services.answers["reserve"] = {"status": 422, "body": {"reason": reason}}
    id = ada.created()
    assert ada.settled(id)["reason"] == reason
    shown(backend, ada, id)


BROKEN_BODIES = {
    "empty": b"", "not-json": b"<html>ok</html>", "cut-off": b'{"reference": "a', "array": b'["a"]', "text": b'"a"', "null": b"null", "twice": b'{"reference":"a","reference":"b"}',
    "deep": b'{"reference":"a","x":' + b"[" * 17 + b"]" * 17 + b"}", "very-deep": b"[" * 30000, "not-utf8": b'{"reference":"\xff\xfe"}', "overlong": b'{"reference":"\xc0\xaf"}',
    "surrogate": b'{"reference":"\\ud800"}', "nul": b'{"reference":"\\u0000"}', "bom": b'\xef\xbb\xbf{"reference":"a"}', "after": b'{"reference":"a"} {}', "comment": b'{"reference":"a"/**/}',
    "single-quotes": b"{'reference':'a'}", "utf16": '{"reference":"a"}'.encode("utf-16"), "other-case": b'{"Reference":"a"}', "number": b'{"reference":' + b"9" * 30000 + b"}",
}


@pytest.mark.parametrize("kind", BROKEN_BODIES)
def test_a_2xx_that_makes_no_sense_is_never_taken_for_done(backend, ada, services, kind):
    services.answers["record"] = {"body": BROKEN_BODIES[kind]}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    assert ada.step(id, "record")["state"] == "attention" and len(services.of("record", id)) == 1
    shown(backend, ada, id)
    backend.events()
    others_go_on(backend, services)


@pytest.mark.parametrize("kind", BROKEN_BODIES)
def test_a_callback_that_makes_no_sense_changes_nothing(ada, services, kind):
    services.answers["reserve"] = {"status": 202, "body": {}}
    id = ada.created()
    sent = wait_until(lambda: services.of("reserve", id))[0]
    wait_until(lambda: ada.step(id, "reserve")["state"] == "pending")
    body = BROKEN_BODIES[kind].replace(b'{"reference"', b'{"outcome":"done","reference"')
    answer = httpx.post(sent.callback_url, content=body, headers={"Content-Type": "application/json"}, **PLAIN)
    assert answer.status_code in (400, 422), answer.text
    assert ada.step(id, "reserve")["state"] == "pending"


@pytest.mark.parametrize("value", ["999999999999999999999999", "31536000", "-1", "1e9", "0x10", "1, 2", "Fri, 31 Dec 9999 23:59:59 GMT", "\t5\t5", ""])
def test_no_service_puts_an_order_off_for_ever(server, services, value):
    """Retry-After is honoured up to the deadline, which is the server's own."""
    ada = Client(server(services, accounting_deadline="1500ms"))
    services.answers["record"] = {"status": 503, "headers": {"Retry-After": value}, "body": {}}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", b"HTTP/1.1 999999 OK\r\n\r\n", b"HTTP/1.1 \r\n\r\n", b"\r\n" * 5000, b"ICY 200 OK\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"reference": "half"}', b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x00\x01\x02", b"HTTP/2 200\r\n\r\n{}",
    # A first header that goes on from none: libcurl before 8.1.1 has written to freed memory here.
    b"HTTP/1.1 200 OK\r\n : x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\tX: " + b"y" * 4000 + b"\r\nContent-Length: 2\r\n\r\n{}",
], ids=lambda raw: repr(raw[:48]))
def test_an_answer_that_is_no_http_is_never_taken_for_done(server, services, raw):
    backend = server(services, accounting_timeout="700ms", accounting_deadline="2s")
    ada = Client(backend)
    services.answers["record"] = {"raw": raw}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    assert ada.step(id, "record")["reference"] in (None, "")
    shown(backend, ada, id)
    backend.events()


def test_a_huge_answer_is_cut_off_and_told(server, services):
    """A thousand times the limit, from every service at once: bounded memory, and other orders go on."""
    backend = server(services, accounting_deadline="1500ms", inventory_deadline="1500ms", accounting_timeout="2s", inventory_timeout="2s")
    ada = Client(backend)
    ada.settled(ada.created())
    before = memory_kib(backend)
    services.answers["record"] = {"raw": b"HTTP/1.1 200 OK\r\n\r\n" + b'{"reference":"' + b"x" * 16_000_000}
    ids = [ada.created() for _ in range(8)]
    for id in ids:
        assert ada.settled(id, 40)["status"] == "attention"
    assert memory_kib(backend) - before < 150 * 1024
    others_go_on(backend, services)


def test_a_service_that_drips_holds_back_only_its_own_step(server, services):
    backend = server(services, accounting_timeout="1s", accounting_deadline="3s", accounting_concurrency=2)
    ada, gate = Client(backend), threading.Event()
    services.answers["record"] = {"hang": True}
    ids = [ada.created() for _ in range(6)]
    for id in ids:
        wait_until(lambda: ada.step(id, "ship")["state"] == "done")
    services.released.set()
    gate.set()
    for id in ids:
        assert ada.settled(id, 40)["status"] == "attention"


def test_what_a_service_says_is_in_no_log(backend, ada, services):
    """Not its detail, its reason, its reference or its headers: they may hold anything."""
    words = {"detail": "DETAIL-4711", "reason": "REASON-4711", "reference": "REFERENCE-4711"}
    services.answers["record"] = [{"status": 500, "body": words, "headers": {"X-Trace": "HEADER-4711"}}, {"status": 400, "body": words}]
    services.answers["reserve"] = {"body": {"reference": words["reference"]}}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    log = open(backend.log_path).read()
    assert [event for event in backend.events() if event["event"] == "call_failed"]
    for word in ("DETAIL-4711", "REFERENCE-4711", "HEADER-4711"):
        assert word not in log, word


def test_a_service_that_answers_for_others_reaches_its_own_step_alone(ada, services):
    """Names of other steps and orders in an answer are passed over."""
    other = ada.created()
    ada.settled(other)
    version = ada.order(other)["version"]
    services.answers["reserve"] = {"body": {"reference": "r", "id": other, "command": "refund", "status": "completed", "customer": "bob", "steps": [], "outcome": "refused"}}
    id = ada.created()
    done = ada.settled(id)
    assert done["status"] == "completed" and done["customer"] == "ada" and done["id"] == id
    assert [services.commands(id).count(command) for command in ("reserve", "record", "ship", "refund")] == [1, 1, 1, 0]
    assert ada.order(other)["version"] == version


@pytest.mark.parametrize("document", [
    b"", b"<html>", b"[]", b'{"keys":[]}', b'{"keys":[{"kty":"oct","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"}]}', b"x" * 5_000_000, b'{"keys":' + b"[" * 50_000,
], ids=["empty", "html", "array", "none", "shared-secret", "huge", "deep"])
def test_a_jwks_gone_bad_neither_opens_nor_closes_the_door(server, services, document):
    """The keys that are known go on to work; nothing that the bad document holds is believed."""
    private, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key())), "kid": "old"}
    source = Trap(answer=(200, {}, json.dumps({"keys": [jwk]}).encode()))
    claims = {"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600}
    good, unknown = jwt.encode(claims, private, "ES256", headers={"kid": "old"}), jwt.encode(claims, stranger, "ES256", headers={"kid": "new"})
    forged = jwt.encode(claims, "secret secret secret secret secret", "HS256")
    try:
        backend = server(services, jwks=source.url)
        assert call(backend, "GET", "/v1/orders", good).status_code == 200
        source.answer = (200, {}, document)
        fetched = len(source.requests)

        def asked_again():
            assert call(backend, "GET", "/v1/orders", unknown).status_code == 401
            return len(source.requests) > fetched

        wait_until(asked_again, 20, 0.2)
        assert call(backend, "GET", "/v1/orders", jwt.encode({**claims, "jti": "x"}, private, "ES256", headers={"kid": "old"})).status_code == 200
        for token in (unknown, forged):
            assert call(backend, "GET", "/v1/orders", token).status_code == 401
        backend.events()
    finally:
        source.close()
