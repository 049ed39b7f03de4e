"""API8:2023 Security Misconfiguration: errors tell nothing of the inside, browsers of other origins get nothing, TLS is
of today, files are for their owner."""

import json
import os
import re
import socket
import ssl
import stat
import subprocess

import httpx
import pytest

from harness import Client, order, wait_until
from outside import DOCUMENT, NOBODY, call, raw, start_fails
from test_create import post, problem

# What a message from the inside would hold: our paths and source files, libraries, addresses, traces.
INSIDE = re.compile(rb"src/|\.c:|\.h:|sqlite|libmicrohttpd|microhttpd|openssl|libcurl|/home/|/root/|/tmp/|/build/|0x[0-9a-f]{6,}|errno|stack|assert|panic|broken invariant",
                    re.I)


def everything_that_can_be_refused(backend):
    """One refusal of every kind, as raw bytes, heads included."""
    token = backend.token()
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
    of_json = head + "Content-Type: application/json\r\nIdempotency-Key: k\r\n"

    def body(text):
        return f"POST /v1/orders HTTP/1.1\r\n{of_json}Content-Length: {len(text.encode())}\r\n\r\n{text}"

    for request in (
        f"GET /nothing HTTP/1.1\r\n{head}\r\n", f"PUT /v1/orders HTTP/1.1\r\n{head}\r\n", "GET /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        f"GET /v1/attention HTTP/1.1\r\n{head}\r\n", f"GET /v1/orders/{NOBODY} HTTP/1.1\r\n{head}\r\n", f"GET /v1/orders?x=' HTTP/1.1\r\n{head}\r\n",
        f"GET /v1/orders?cursor=%00 HTTP/1.1\r\n{head}\r\n", body("{"), body("[]"), body('{"channel":"\\u0000"}'), body('"' + "\\ud800" + '"'), body("{}"),
        f"POST /v1/orders HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}", f"POST /v1/orders HTTP/1.1\r\n{of_json}Content-Length: 99999999999\r\n\r\n",
        f"POST /v1/orders HTTP/1.1\r\n{of_json}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "BROKEN\r\n\r\n", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        f"GET /v1/orders HTTP/1.1\r\n{head}X: {'y' * 60000}\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\r\n\r\n",
        f"POST /v1/callbacks/{NOBODY}/reserve?token=x HTTP/1.1\r\n{of_json}Content-Length: 2\r\n\r\n{{}}", f"TRACE / HTTP/1.1\r\n{head}\r\n",
    ):
        try:
            yield request, raw(backend, request.encode("latin-1"))
        except ConnectionResetError:
            yield request, b""


def test_no_refusal_tells_of_the_inside(backend):
    version, answered = DOCUMENT["info"]["version"].encode(), 0
    for request, answer in everything_that_can_be_refused(backend):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert not INSIDE.search(answer), (request[:80], INSIDE.search(answer))
        assert version not in body and b"\r\nServer:" not in head and b"\r\nX-Powered-By:" not in head, request[:80]
        answered += answer.startswith(b"HTTP/1.1 4")
    assert answered >= 15


def test_good_answers_do_not_name_the_server_either(backend, ada):
    id = ada.created()
    for response in (ada.get(id), ada.http.get("/v1/orders"), ada.http.get("/healthz"), ada.http.get("/readyz")):
        assert response.status_code == 200 and not {"server", "x-powered-by", "via"} & set(response.headers)
        assert response.headers["Content-Type"] == "application/json"


def test_a_request_is_not_echoed(backend):
    """TRACE is unknown, and what was asked for does not come back as markup."""
    answer = raw(backend, b"TRACE /v1/orders HTTP/1.1\r\nHost: x\r\nCookie: secret=1\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ")[1] in (b"405", b"501") and b"secret=1" not in answer
    for path in ("/<script>alert(1)</script>", "/v1/orders/<script>alert(1)</script>", "/v1/orders?<script>alert(1)</script>=1"):
        answer = raw(backend, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {backend.token()}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert int(head.split(b" ")[1]) in (400, 404)
        assert b"text/html" not in head and (body == b"" or json.loads(body)["code"])


@pytest.mark.parametrize("path", ["/v1/orders/%0d%0aSet-Cookie:%20a=b", "/v1/orders?cursor=%0d%0aSet-Cookie:a=b", "/%0d%0aLocation:%20http://x"])
def test_no_line_can_be_put_into_a_head(backend, path):
    answer = call(backend, "GET", path, backend.token(), headers={"Origin": "https://x", "traceparent": "00-x\tSet-Cookie: a=b"})
    assert answer.status_code in (400, 404) and "set-cookie" not in answer.headers and "location" not in answer.headers


# --- cross origins ---

ORIGINS = "https://shop.example,https://m.shop.example"


@pytest.mark.parametrize("origin", [
    "null", "https://shop.example.evil.example", "https://evilshop.example", "http://shop.example", "https://shop.example:8443", "https://SHOP.example",
    "https://shop.example/", "https://shop.example,https://m.shop.example", "https://x.shop.example", "*", "", "https://", "shop.example", "file://", "https://shop.example ,",
])
def test_origins_that_are_not_listed_get_nothing(server, services, origin):
    backend = server(services, cors_origins=ORIGINS)
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (call(backend, "GET", "/v1/orders", backend.token(), headers=asked), call(backend, "OPTIONS", "/v1/orders", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")], answer.headers
    assert call(backend, "OPTIONS", "/v1/orders", headers=asked).status_code == 405


def test_listed_origins_get_no_wildcard_and_no_credentials(server, services):
    backend = server(services, cors_origins=ORIGINS)
    for origin in ORIGINS.split(","):
        answer = call(backend, "GET", "/v1/orders", backend.token(), headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin and "Origin" in answer.headers["Vary"]
        assert "access-control-allow-credentials" not in answer.headers
    preflight = call(backend, "OPTIONS", "/v1/orders", headers={"Origin": origin, "Access-Control-Request-Method": "DELETE"})
    assert "DELETE" not in preflight.headers["Access-Control-Allow-Methods"] and "*" not in str(preflight.headers)


def test_without_the_setting_no_origin_gets_anything(backend):
    for origin in ("https://shop.example", "null", "*"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (call(backend, "GET", "/v1/orders", backend.token(), headers=asked), call(backend, "OPTIONS", "/v1/orders", headers=asked)):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


# --- TLS ---


@pytest.fixture
def tls(server, services, folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    return server(services, tls_certificate_file=folder / "cert.pem", tls_key_file=folder / "key.pem")


def handshake(backend, *options):
    """openssl's word on a connection with these options: (succeeded, what it said)."""
    result = subprocess.run(["openssl", "s_client", "-connect", backend.address, *options], input=b"Q\n", capture_output=True, timeout=20)
    said = (result.stdout + result.stderr).decode(errors="replace")
    return bool(re.search(r"Cipher is (?!\(NONE\))\S+", said)), said


@pytest.mark.parametrize("options, good", [
    (["-tls1_3"], True), (["-tls1_2"], True), (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False), (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], False), (["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"], False), (["-tls1_2", "-cipher", "RC4:3DES:@SECLEVEL=0"], False),
], ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_tls_versions_and_ciphers(tls, options, good):
    succeeded, said = handshake(tls, *options)
    assert succeeded == good, said[-600:]


def test_plain_http_on_the_tls_port_gets_no_answer_of_ours(tls):
    host, port = tls.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.recv(65536)
    assert b'"status"' not in answer and not answer.startswith(b"HTTP/1.1 200")
    context = ssl.create_default_context(cafile=str(tls.folder / "cert.pem"))
    assert httpx.get(tls.url + "/healthz", verify=context, trust_env=False).status_code == 200


def test_half_of_tls_is_refused_at_the_start(program, folder, services):
    (folder / "cert.pem").write_text("x")
    assert "tls-key-file" in start_fails(program, folder, services, tls_certificate_file=folder / "cert.pem")
    assert "cert.pem holds no certificates" in start_fails(program, folder, services, tls_certificate_file=folder / "cert.pem", tls_key_file=folder / "cert.pem")


# --- files and settings ---


def test_what_is_stored_is_for_its_owner_alone(backend, ada):
    ada.settled(ada.created())
    for folder, _, files in os.walk(backend.data):
        assert stat.S_IMODE(os.stat(folder).st_mode) & 0o077 == 0, folder
        for name in files:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) & 0o077 == 0, name
    assert stat.S_IMODE(os.stat(os.path.join(backend.data, "id-secret")).st_mode) == 0o600


def test_no_secret_is_taken_from_the_command_line_or_the_environment(program):
    """Every setting that is a secret is the name of a file."""
    said = program.run("serve", "--help").stdout
    for name in re.findall(r"^    --([a-z-]+)", said, flags=re.M):
        if re.search(r"secret|token|password|key", name):
            assert name.endswith("-file"), name


def test_secrets_are_not_told_where_settings_are_wrong(program, folder, services):
    (folder / "token").write_text("s3cret-token\nsecond line\n")
    (folder / "short").write_text("s3cret-short")
    said = start_fails(program, folder, services, jwt_secret_file=folder / "short", inventory_token_file=folder / "token", retry_first="soon")
    assert "s3cret" not in said


def test_metrics_and_health_leave_with_the_admin_listener(server, services):
    backend = server(services, admin_listen="127.0.0.1:0")
    for path in ("/metrics", "/readyz", "/healthz"):
        problem(call(backend, "GET", path), 404, "not-found")


def test_metrics_hold_no_customers_and_no_orders(backend, ada):
    id = ada.created(order(coupon="SECRET-COUPON"))
    ada.settled(id)
    text = call(backend, "GET", "/metrics").text
    for private in (id, "ada", "SECRET-COUPON", "Hart", "85123A"):
        assert private not in text
