"""Routes, authentication, lists, headers, limits (contract sections 1 and 5)."""

import datetime
import json
import socket
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness import ALL_SCOPES, Client, PLAIN, operator, order, wait_until, wholesale
from test_create import problem

FOREIGN = "ord_" + "0" * 32


def request(server, method, path, token=None, **more):
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
    return httpx.request(method, server.url + path, headers=headers, timeout=30, **PLAIN, **more)


# --- routes ---


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/order", "/v1/orders/", "/v1/orders/x/y", "/v2/orders", "/v1/orders//events", "/healthz/"])
def test_unknown_paths(backend, path):
    problem(request(backend, "GET", path, backend.token()), 404, "not-found")


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/v1/orders", {"POST", "GET", "HEAD"}), ("DELETE", f"/v1/orders/{FOREIGN}", {"GET", "HEAD"}),
    ("POST", "/healthz", {"GET", "HEAD"}), ("GET", f"/v1/orders/{FOREIGN}/cancel", {"POST"}), ("PATCH", "/v1/attention", {"GET", "HEAD"}),
    ("OPTIONS", "/v1/orders", {"POST", "GET", "HEAD"}),
])
def test_method_not_allowed(backend, method, path, allow):
    response = request(backend, method, path)
    problem(response, 405, "method-not-allowed")
    assert set(response.headers["Allow"].split(", ")) == allow


def test_head_goes_where_get_goes(backend, ada):
    id = ada.created()
    ada.settled(id)
    get, head = ada.get(id), ada.http.head(f"/v1/orders/{id}")
    assert head.status_code == 200 and head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"] and head.headers["ETag"] == get.headers["ETag"]
    assert request(backend, "HEAD", "/healthz").status_code == 200


def test_open_routes(backend):
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert request(backend, "GET", path).status_code == 200, path


def test_admin_listener(server, services):
    backend = server(services, admin_listen="127.0.0.1:0")
    problem(request(backend, "GET", "/metrics"), 404, "not-found")
    assert request(backend, "GET", "/openapi.json").status_code == 200
    (event,) = wait_until(lambda: [e for e in backend.events() if e["event"] == "admin_listening"])
    admin = f"http://{event['address']}"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(admin + path, **PLAIN).status_code == 200, path
    problem(httpx.get(admin + "/v1/orders", **PLAIN), 404, "not-found")


def test_query_parameters_where_there_are_none(backend, ada):
    id = ada.created()
    problem(ada.http.get(f"/v1/orders/{id}?verbose=1"), 400, "malformed-request")


# --- ownership and scopes ---


def test_a_foreign_order_does_not_exist(backend, ada):
    id = ada.created()
    bob = Client(backend, "bob")
    answers = [bob.get(id), bob.get(FOREIGN), bob.get("ord_x"), bob.get(id.upper()), bob.get(id + "0"),
               bob.get("%6F" + id[1:]),
               bob.http.get(f"/v1/orders/{id}/events"), bob.cancel(id)]
    for answer in answers:
        problem(answer, 404, "not-found")
    assert len({answer.content for answer in answers}) == 1
    assert ada.get(id).status_code == 200
    problem(ada.get("%6F" + id[1:]), 404, "not-found")


def test_operators_read_everything(backend, ada):
    id = ada.created()
    reader = Client(backend, "boss", "orders:operate")
    assert reader.get(id).status_code == 200
    # On AWS this list follows the table's stream, a moment later.
    wait_until(lambda: id in [o["id"] for o in reader.http.get("/v1/orders").json()["orders"]])
    assert [o["id"] for o in reader.http.get("/v1/orders", params={"customer": "ada"}).json()["orders"]] == [id]
    assert reader.http.get("/v1/orders", params={"customer": "bob"}).json()["orders"] == []
    problem(ada.http.get("/v1/orders", params={"customer": "ada"}), 403, "insufficient-scope")


@pytest.mark.parametrize("scope, method, path", [
    ("orders:read", "POST", "/v1/orders"), ("orders:write", "GET", "/v1/orders"), ("orders:write", "GET", f"/v1/orders/{FOREIGN}"),
    ("orders:read", "POST", f"/v1/orders/{FOREIGN}/cancel"), ("", "GET", "/v1/orders"), ("orders:reader", "GET", "/v1/orders"),
    ("orders:read orders:write", "GET", "/v1/attention"),
])
def test_scopes(backend, scope, method, path):
    response = request(backend, method, path, backend.token(scope=scope))
    problem(response, 403, "insufficient-scope")
    assert 'error="insufficient_scope", scope="orders:' in response.headers["WWW-Authenticate"]


def test_wholesale_needs_its_scope(backend):
    client = Client(backend, "ada", "orders:read orders:write")
    refused = client.create(wholesale())
    problem(refused, 403, "insufficient-scope")
    assert 'scope="orders:wholesale"' in refused.headers["WWW-Authenticate"]
    problem(client.create(wholesale(total=7, gift=1)), 403, "insufficient-scope")
    assert client.create(order()).status_code == 202


def test_precedence_of_refusals(backend):
    token, nothing = backend.token(), backend.token(scope="")
    big = b"x" * 300_000
    assert request(backend, "POST", "/v1/nothing", content=big).status_code == 404
    assert request(backend, "PUT", "/v1/orders", content=big).status_code == 405
    assert request(backend, "POST", "/v1/orders", content=big).status_code == 401
    assert request(backend, "POST", "/v1/orders", nothing, content=big).status_code == 403
    assert request(backend, "POST", "/v1/orders", token, content=big).status_code == 413
    assert request(backend, "POST", "/v1/orders", token, content=b"{").status_code == 415
    json_type = {"Content-Type": "application/json"}
    problem(request(backend, "POST", "/v1/orders", token, content=b"{", headers=json_type), 400, "missing-idempotency-key")


# --- tokens ---


def claims(**changes):
    payload = {"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600}
    payload.update(changes)
    return {name: value for name, value in payload.items() if value is not None}


def status_of(server, token):
    return request(server, "GET", "/v1/orders", token).status_code


def hs256(server, payload, headers=None):
    return jwt.encode(payload, server.secret_file.read_text().strip(), algorithm="HS256", headers=headers)


def test_no_token(backend):
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x.y.z"}):
        response = httpx.get(backend.url + "/v1/orders", headers=headers, **PLAIN)
        problem(response, 401, "unauthenticated")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("changes, status", [
    ({}, 200), ({"exp": None}, 401), ({"exp": -60}, 401), ({"exp": -10}, 200), ({"exp": "tomorrow"}, 401),
    ({"nbf": 600}, 401), ({"nbf": 10}, 200), ({"sub": None}, 401), ({"sub": ""}, 401),
    ({"sub": "x" * 128}, 200), ({"sub": "x" * 129}, 401), ({"scope": None}, 403),
])
def test_claims(backend, changes, status):
    changes = {name: int(time.time()) + value if isinstance(value, int) else value for name, value in changes.items()}
    if changes.get("exp") == "tomorrow":
        token = jwt.api_jws.encode(json.dumps(claims(**changes)).encode(), backend.secret_file.read_text().strip(), algorithm="HS256")
    else:
        token = hs256(backend, claims(**changes))
    assert status_of(backend, token) == status


def test_issuer_and_audience(server, services):
    backend = server(services, jwt_issuer="https://shop.example", jwt_audience="orders")
    good = {"iss": "https://shop.example", "aud": ["x", "orders"]}
    assert status_of(backend, hs256(backend, claims(**good))) == 200
    assert status_of(backend, hs256(backend, claims(**{**good, "aud": "orders"}))) == 200
    for bad in ({"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": []}):
        assert status_of(backend, hs256(backend, claims(**{**good, **bad}))) == 401, bad


def test_attacked_tokens(backend):
    good = hs256(backend, claims())
    head, body, signature = good.split(".")
    none = jwt.encode(claims(), None, algorithm="none")
    crit = hs256(backend, claims(), {"crit": ["exp"], "exp": 1})
    hs512 = jwt.encode(claims(), backend.secret_file.read_text().strip(), algorithm="HS512")
    other = jwt.encode(claims(), "another secret of enough bytes, is it not?", algorithm="HS256")
    long = hs256(backend, claims(padding="x" * 9000))
    for token in (none, none + "AAAA", crit, hs512, other, long, f"{head}.{body}.", f"{head}.{body}", good + "=", good + ".x", good[:-2]):
        assert status_of(backend, token) == 401, token[:60]
    assert status_of(backend, good) == 200


def jwk(private, kid, **more):
    algorithm = {rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm, ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
                 ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm}
    kind = next(value for name, value in algorithm.items() if isinstance(private, name))
    members = json.loads(kind.to_jwk(private.public_key()))
    members.pop("key_ops", None)
    return {**members, "kid": kid, **more}


@pytest.fixture(scope="module")
def keys():
    return {
        "RS256": rsa.generate_private_key(65537, 2048), "PS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture
def jwks_file(folder, keys):
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(private, name, alg=name) for name, private in keys.items()]}))
    return path


def test_every_algorithm_of_a_jwks(server, services, jwks_file, keys):
    backend = server(services, jwks=jwks_file)
    for name, private in keys.items():
        assert status_of(backend, jwt.encode(claims(), private, algorithm=name, headers={"kid": name})) == 200, name
        assert status_of(backend, jwt.encode(claims(), private, algorithm=name)) == 200, name
    assert status_of(backend, jwt.encode(claims(), keys["RS256"], algorithm="PS256", headers={"kid": "RS256"})) == 401
    assert status_of(backend, jwt.encode(claims(), keys["RS256"], algorithm="RS256", headers={"kid": "ES256"})) == 401
    public = keys["RS256"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header, payload = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"RS256"}'), jwt.utils.base64url_encode(json.dumps(claims()).encode())
    import hashlib, hmac
    forged = b".".join([header, payload, jwt.utils.base64url_encode(hmac.digest(public, header + b"." + payload, hashlib.sha256))])
    assert status_of(backend, forged.decode()) == 401


def test_jwks_behind_a_url_is_refreshed_on_an_unknown_kid(server, services, keys):
    documents = [json.dumps({"keys": [jwk(keys["ES256"], "old")]}).encode()]
    fetched = []

    import http.server, threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            fetched.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(documents[-1])

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    backend = server(services, jwks=f"http://127.0.0.1:{listener.server_address[1]}/jwks")
    assert status_of(backend, jwt.encode(claims(), keys["ES256"], algorithm="ES256", headers={"kid": "old"})) == 200
    documents.append(json.dumps({"keys": [jwk(keys["EdDSA"], "new")]}).encode())
    token = jwt.encode(claims(), keys["EdDSA"], algorithm="EdDSA", headers={"kid": "new"})
    wait_until(lambda: status_of(backend, token) == 200, 20, 0.2)
    assert 2 <= len(fetched) <= 3  # at a bounded rate
    listener.shutdown()


# --- lists ---


def test_lists_are_newest_first_and_paged(backend, ada):
    ids = [ada.created() for _ in range(25)]
    found, cursor = [], None
    while True:
        page = ada.http.get("/v1/orders", params={"limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["orders"]) <= 4
        found += page["orders"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(o["id"] for o in found) == sorted(ids)
    assert [o["created_at"] for o in found] == sorted((o["created_at"] for o in found), reverse=True)
    assert set(found[0]) == {"id", "status", "version", "channel", "currency", "total", "created_at"}


def test_list_filters(backend, ada, services):
    retail = ada.created()
    sale = ada.created(wholesale())
    for id in (retail, sale):
        ada.settled(id)
    ids = lambda **parameters: [o["id"] for o in ada.http.get("/v1/orders", params=parameters).json()["orders"]]
    assert ids(channel="wholesale") == [sale] and ids(channel="retail") == [retail]
    assert set(ids(status="completed")) == {retail, sale} and ids(status="rejected") == []
    moment = ada.order(sale)["created_at"]
    assert sale in ids(**{"from": moment}) and sale not in ids(to=moment)
    assert ids(to="2020-01-01T00:00:00Z") == []
    assert Client(backend, "bob").http.get("/v1/orders").json() == {"orders": [], "next_cursor": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=", "limit=5&limit=6", "status=done", "channel=web", "from=yesterday",
                                   "to=2020", "cursor=x", "cursor=AAAA", "colour=red", "status=", "=1", "limit=%zz"])
def test_bad_queries(ada, query):
    problem(ada.http.get(f"/v1/orders?{query}"), 400, "malformed-request")


# --- conditional requests, traces, CORS, rate limit ---


def test_etag(ada):
    id = ada.created()
    done = ada.settled(id)
    etag = ada.get(id).headers["ETag"]
    assert str(done["version"]) in etag
    for value in (etag, f'"x", {etag}', "W/" + etag, "*"):
        response = ada.get(id, headers={"If-None-Match": value})
        assert response.status_code == 304 and response.content == b"" and response.headers["ETag"] == etag
    assert ada.get(id, headers={"If-None-Match": '"0"'}).status_code == 200


@pytest.mark.parametrize("given", ["", "00-xyz", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01"])
def test_a_bad_traceparent_starts_a_new_trace(backend, given):
    answer = request(backend, "GET", "/healthz", headers={"traceparent": given}).headers["traceparent"]
    version, trace, span, flags = answer.split("-")
    assert version == "00" and len(trace) == 32 and len(span) == 16 and trace not in given


def test_cors(server, services):
    backend = server(services, cors_origins="https://shop.example,https://m.shop.example")
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = request(backend, "OPTIONS", "/v1/orders", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    answer = request(backend, "GET", "/v1/orders", backend.token(), headers={"Origin": "https://m.shop.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://m.shop.example" and answer.headers["Vary"] == "Origin"
    refused = request(backend, "GET", "/v1/orders", headers={"Origin": "https://shop.example"})
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    stranger = request(backend, "GET", "/v1/orders", backend.token(), headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_rate_limit_per_customer(server, services):
    backend = server(services, customer_rate=2, customer_burst=5)
    ada = Client(backend)
    answers = [ada.http.get("/v1/orders") for _ in range(8)]
    assert [a.status_code for a in answers][:5] == [200] * 5
    refused = answers[-1]
    problem(refused, 429, "rate-limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["RateLimit-Policy"] == '"customer";q=5;w=3' and refused.headers["RateLimit"].startswith('"customer";r=0;t=')
    assert Client(backend, "bob").http.get("/v1/orders").status_code == 200
    time.sleep(int(refused.headers["Retry-After"]))
    assert ada.http.get("/v1/orders").status_code == 200


# --- receipts ---


def test_receipts(server, services, folder, keys, jwks_file):
    backend = server(services, receipt_jwks=jwks_file)
    ada = Client(backend)

    def paid(signed=keys["ES256"], **changes):
        body = order()
        receipt = {"sub": "ada", "reference": body["payment"]["reference"], "amount": 1530, "currency": "GBP", "iat": int(time.time()), **changes}
        body["payment"]["receipt"] = jwt.encode(receipt, signed, algorithm="ES256", headers={"kid": "ES256"})
        return body

    assert ada.create(paid()).status_code == 202
    response = ada.create(order())
    assert "/payment/receipt" in {error["pointer"] for error in problem(response, 422, "invalid-order")["errors"]}
    for bad in ({"sub": "bob"}, {"reference": "other"}, {"amount": 1529}, {"amount": "1530"}, {"currency": "EUR"}):
        problem(ada.create(paid(**bad)), 422, "payment-not-proven")
    problem(ada.create(paid(signed=ec.generate_private_key(ec.SECP256R1()))), 422, "payment-not-proven")


# --- raw HTTP ---


def raw(server, data, wait=2.0):
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.settimeout(wait)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
            return answer, True
        except TimeoutError:
            return answer, False


@pytest.mark.parametrize("headers", [
    "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, identity", "Content-Length: -1", "Content-Length: 5x", "Content-Length: +5",
])
def test_ambiguous_framing_is_refused_and_closed(backend, headers):
    smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    data = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n{smuggled}".encode()
    answer, closed = raw(backend, data)
    assert closed and b'"status":"ok"' not in answer
    status = int(answer.split(b" ")[1])
    assert 400 <= status < 500 or status in (501, 505)


def test_pipelined_requests_are_answered_in_order(backend):
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer, _ = raw(backend, one * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 3 and answer.count(b"HTTP/1.1 404") == 1


def test_huge_header(backend):
    answer, closed = raw(backend, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
    assert closed and (answer == b"" or answer.split(b" ")[1] in (b"431", b"400", b"413"))


def test_slow_and_silent_clients_are_cut_off(server, services):
    backend = server(services, header_timeout="500ms", body_timeout="500ms", idle_timeout="700ms")
    host, port = backend.address.rsplit(":", 1)
    for data in (b"", b"GET /healthz HTTP/1.1\r\n", b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            start = time.monotonic()
            connection.sendall(data)
            while connection.recv(1000):
                pass
            assert time.monotonic() - start < 4


def test_tls(server, services, folder):
    import subprocess
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    backend = server(services, tls_certificate_file=folder / "cert.pem", tls_key_file=folder / "key.pem")
    import ssl
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    assert backend.scheme == "https"
    with httpx.Client(base_url=backend.url, verify=context, trust_env=False, headers={"Authorization": f"Bearer {backend.token()}"}) as client:
        assert client.get("/healthz").status_code == 200
        response = client.post("/v1/orders", json=order(), headers={"Idempotency-Key": "tls"})
        assert response.status_code == 202
    wait_until(lambda: services.of("reserve"))
    assert services.of("reserve")[0].callback_url.startswith("https://127.0.0.1:")
