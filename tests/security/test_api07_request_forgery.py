"""API7:2023 Server Side Request Forgery: the server calls the services of its settings and its JWKS, and nothing that
a request, an answer or a token names."""

import json
import subprocess
import time
import uuid

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from harness import ALL_SCOPES, Client, PLAIN, operator, order, wait_until
from outside import Trap, call, start_fails
from test_create import problem


@pytest.fixture
def trap():
    one = Trap(answer=(200, {}, b'{"reference": "stolen", "outcome": "done"}'))
    yield one
    one.close()


# --- settings ---


@pytest.mark.parametrize("url", [
    "ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/", "dict://127.0.0.1:11211/", "javascript:alert(1)", "//127.0.0.1/x", "127.0.0.1:80",
    "http://user:password@127.0.0.1/", "http://", "http:///x", "http://:80/", "http://127.0.0.1/#a", "http://127.0.0.1/ x", "HTTP+UNIX://x",
])
@pytest.mark.parametrize("setting", ["inventory_url", "public_url"])
def test_services_have_http_urls_without_credentials(program, folder, services, setting, url):
    assert setting.replace("_", "-") in start_fails(program, folder, services, **{setting: url})


@pytest.mark.parametrize("url", [
    "http://example.com/jwks", "http://127.0.0.1.example.com/jwks", "http://169.254.169.254/latest/meta-data", "ftp://127.0.0.1/jwks", "file:///etc/passwd",
    "https://user:password@127.0.0.1/jwks", "gopher://127.0.0.1/", "http://[::ffff:10.0.0.1]/jwks", "http://10.0.0.1/jwks", "http://0x7f.1.example/jwks",
])
@pytest.mark.parametrize("setting", ["jwks", "receipt_jwks"])
def test_keys_come_by_https_or_from_loopback(program, folder, services, setting, url):
    said = start_fails(program, folder, services, **{setting: url, **({"jwt_secret_file": None} if setting == "jwks" else {})})
    assert "JWKS" in said or "jwks" in said
    assert "password" not in said.replace("jwt-secret", "")


# --- redirects ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_service_does_not_lead_elsewhere(ada, services, trap, status):
    services.answers["reserve"] = [{"status": status, "headers": {"Location": trap.url + "/reserve"}, "body": {}}, {"body": {"reference": "own"}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed" and ada.step(id, "reserve")["reference"] == "own"
    assert trap.requests == [] and len(services.of("reserve", id)) == 2


@pytest.mark.parametrize("headers", [{"Refresh": "0; url={}"}, {"Content-Location": "{}"}, {"Link": "<{}>; rel=next"}, {"Alt-Svc": 'h2="{}"'}, {"Location": "{}"}])
def test_headers_of_a_good_answer_lead_nowhere(ada, services, trap, headers):
    services.answers["reserve"] = {"body": {"reference": "own"}, "headers": {name: value.format(trap.url) for name, value in headers.items()}}
    ada.settled(ada.created())
    assert trap.requests == []


def test_a_look_up_does_not_lead_elsewhere(server, services, trap):
    ada = Client(server(services, inventory_idempotency="lookup"))
    services.answers["reserve"] = [{"status": 500, "body": {}}, {"body": {"reference": "own"}}]
    moved = [{"status": 302, "headers": {"Location": trap.url + "/commands"}, "body": {}}]
    services.lookup_answers["reserve"] = moved + [{"status": 404, "body": {}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed" and ada.step(id, "reserve")["reference"] == "own"
    assert len(services.lookups) >= 2 and trap.requests == []


def test_keys_do_not_come_from_where_a_redirect_leads(server, services, trap):
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    trap.answer = (200, {}, json.dumps({"keys": [jwk]}).encode())
    moved = Trap(answer=(302, {"Location": trap.url + "/jwks"}, b"{}"))
    try:
        backend = server(services, jwks=moved.url + "/jwks")
        token = jwt.encode({"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600}, private, "ES256")
        wait_until(lambda: moved.requests)
        assert call(backend, "GET", "/v1/orders", token).status_code == 401
        assert trap.requests == []
    finally:
        moved.close()


def test_a_token_does_not_name_where_keys_are(server, services, trap, folder):
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key())), "kid": "known"}
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
    backend = server(services, jwks=folder / "jwks.json")
    for name in ("jku", "x5u"):
        token = jwt.encode({"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600}, private, "ES256", headers={name: trap.url, "kid": "unknown"})
        assert call(backend, "GET", "/v1/orders", token).status_code == 401
    assert trap.requests == []


# --- what clients send ---


def test_nothing_in_an_order_is_called(ada, services, trap):
    url = trap.url
    body = order(lines=[{"sku": url, "quantity": 6, "unit_price": 255}], coupon=url, payment={"reference": url + "/pay"})
    body["ship_to"].update(name=url, line1=url, line2=f"<img src={url}>", region=url)
    assert ada.settled(ada.created(body))["status"] == "completed"
    assert trap.requests == []


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Callback-URL", "X-Forwarded-For", "Referer", "Origin"])
def test_no_header_of_a_client_moves_the_callback(server, services, trap, name):
    """With the public URL set it is that; a client's Host is believed in no case."""
    evil = trap.url.removeprefix("http://")
    value = {"X-Forwarded-Proto": "ftp", "Forwarded": f"host={evil};proto=http", "Callback-URL": trap.url, "Referer": trap.url, "Origin": trap.url}.get(name, evil)
    backend = server(services)
    fixed = server(services, public_url="https://orders.example/base", data=backend.folder / "second")
    for one, wanted in ((backend, backend.url + "/v1/callbacks/"), (fixed, "https://orders.example/base/v1/callbacks/")):
        id = Client(one, "ada-" + uuid.uuid4().hex).create(headers={name: value}).json()["id"]
        sent = wait_until(lambda: services.of("reserve", id))[0]
        assert sent.callback_url.startswith(wanted) and evil not in str(sent.headers)
    assert trap.requests == []


def test_paths_of_services_are_made_of_names_and_ids_alone(ada, services):
    """No text of a client's stands in a URL that is called: neither the key nor any member."""
    key = "a/../../b?c=d#e"
    id = ada.created(order(), key=key)
    ada.settled(id)
    for sent in services.of("reserve", id) + services.of("record", id) + services.of("ship", id):
        assert sent.key == f"{id}.{sent.command}" and key not in str(sent.headers)


# --- the callback's token ---


def callbacks(ada, services):
    """Two orders of which two commands wait for a callback each: {(order, command): URL}."""
    for command in ("record", "ship"):
        services.answers[command] = {"status": 202, "body": {}}
    ids = [ada.created() for _ in range(2)]
    return {(id, command): wait_until(lambda: services.of(command, id))[0].callback_url for id in ids for command in ("record", "ship")}


def test_a_callback_token_is_for_one_command_of_one_order(backend, ada, services):
    urls = callbacks(ada, services)
    places = {place: url.split("?")[0] for place, url in urls.items()}
    tokens = {place: url.split("token=")[1] for place, url in urls.items()}
    assert len(set(tokens.values())) == 4
    for place in places:
        for other in tokens:
            if other != place:
                answer = httpx.post(f"{places[place]}?token={tokens[other]}", json={"outcome": "done", "reference": "moved"}, **PLAIN)
                problem(answer, 403, "callback-refused")
    for (id, command), token in tokens.items():
        for undo in ("reserve", "release", "refund", "recall", "RECORD", command + "%00", ""):
            answer = httpx.post(f"{backend.url}/v1/callbacks/{id}/{undo}?token={token}", json={"outcome": "done", "reference": "moved"}, **PLAIN)
            assert answer.status_code in (403, 404)
    for id, command in places:
        assert ada.step(id, command)["state"] == "pending"


def test_a_callback_token_opens_no_other_route(backend, ada, services):
    (id, command), url = next(iter(callbacks(ada, services).items()))
    token = url.split("token=")[1]
    for path in (f"/v1/orders/{id}", f"/v1/orders/{id}/events", "/v1/orders"):
        assert call(backend, "GET", path, token).status_code == 401
        assert call(backend, "GET", f"{path}?token={token}").status_code == 401
    assert call(backend, "POST", f"/v1/orders/{id}/cancel?token={token}").status_code == 401
    assert call(backend, "GET", f"/v1/callbacks/{id}/{command}?token={token}").status_code == 405


def test_a_token_of_another_server_is_none(server, services):
    services.answers["reserve"] = {"status": 202, "body": {}}
    first = server(services)
    second = server(services, data=first.folder / "second")
    ada = Client(first)
    id = ada.created()
    url = wait_until(lambda: services.of("reserve", id))[0].callback_url
    answer = httpx.post(url.replace(first.url, second.url), json={"outcome": "done", "reference": "x"}, **PLAIN)
    problem(answer, 403, "callback-refused")
