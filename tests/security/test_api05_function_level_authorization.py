"""API5:2023 Broken Function Level Authorization: each route wants its scope, and no other way leads to it."""

import pytest

from harness import Client, operator
from outside import CALLERS, TABLE, call, call_route, raw, waiting_order
from test_create import problem

FUNCTIONS = [route for route in TABLE if TABLE[route] != (200,) * len(CALLERS)]
OPERATORS = [route for route in TABLE if TABLE[route][CALLERS.index("owner")] == 403 and "callbacks" not in route[1]]


@pytest.mark.parametrize("route", FUNCTIONS, ids=" ".join)
@pytest.mark.parametrize("caller", ["scopeless", "owner", "operator"])
def test_every_function_and_its_scope(backend, services, route, caller):
    id = waiting_order(backend, services)
    answer = call_route(backend, route, caller, id)
    assert answer.status_code == TABLE[route][CALLERS.index(caller)], answer.text
    if answer.status_code == 403 and "callbacks" not in route[1]:
        problem(answer, 403, "insufficient-scope")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("route", OPERATORS, ids=" ".join)
@pytest.mark.parametrize("scope", [
    "orders:read orders:write orders:wholesale", "orders:operator", "xorders:operate", "orders:operate2", "ORDERS:OPERATE", "orders:operate,orders:read",
    "orders operate", "orders:*", "*", "orders:read\torders:operate", "orders:read\u00a0orders:operate", "operate",
])
def test_scopes_that_only_look_like_the_operators(backend, services, route, scope):
    id = waiting_order(backend, services)
    method, template = route
    path = template.replace("{id}", id).replace("{step}", "record")
    body = {"json": {"reason": "mine now"}} if path.endswith("/skip") else {}
    problem(call(backend, method, path, backend.token("ada", scope), **body), 403, "insufficient-scope")
    assert operator(backend).status(id) == "attention"


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])
def test_no_header_changes_the_method(backend, services, header):
    id = waiting_order(backend, services)
    reader = backend.token("ada", "orders:read")
    assert call(backend, "GET", f"/v1/orders/{id}", reader, headers={header: "POST"}).status_code == 200
    problem(call(backend, "POST", f"/v1/orders/{id}", reader, headers={header: "GET"}), 405, "method-not-allowed")
    assert call(backend, "GET", f"/v1/orders/{id}?_method=DELETE", reader).status_code == 400


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path", "X-Forwarded-Prefix"])
def test_no_header_changes_the_path(backend, header):
    problem(call(backend, "GET", "/v1/attention", backend.token("ada"), headers={header: "/v1/orders"}), 403, "insufficient-scope")
    assert call(backend, "GET", "/v1/orders", backend.token("ada"), headers={header: "/v1/attention"}).json() == {"orders": [], "next_cursor": None}


@pytest.mark.parametrize("path", [
    "/v1//attention", "/v1/attention/", "/V1/attention", "/v1/Attention", "/v1/%61ttention", "/v1/orders/../attention", "/v1/./attention", "//v1/attention",
    "/v1/attention;x", "/v1/attention%00", "/v1/attention.json", "/v1/orders/..%2fattention", "/v1\\attention",
])
def test_no_other_spelling_leads_to_an_operators_route(backend, path):
    """Sent as it is: a client library would tidy it."""
    for scope in ("orders:read orders:write", "orders:operate"):
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {backend.token('eve', scope)}\r\n\r\n"
        assert raw(backend, request.encode()).split(b" ")[1] in (b"404", b"400"), path


def test_head_needs_what_get_needs(backend, services):
    id = waiting_order(backend, services)
    for path, scope in (("/v1/attention", "orders:read orders:write"), (f"/v1/orders/{id}", "orders:write"), ("/v1/orders", "orders:write")):
        answer = call(backend, "HEAD", path, backend.token("ada", scope))
        assert answer.status_code == 403 and answer.content == b""


def test_reading_writes_nothing_and_writing_reads_nothing(backend, services):
    id = waiting_order(backend, services)
    writer, reader = Client(backend, "ada", "orders:write"), Client(backend, "ada", "orders:read")
    for answer in (writer.get(id), writer.http.get("/v1/orders"), writer.http.get(f"/v1/orders/{id}/events"), reader.create(), reader.cancel(id)):
        problem(answer, 403, "insufficient-scope")
    assert reader.status(id) == "attention"
    # One who may operate and not write neither orders nor cancels.
    boss = Client(backend, "boss", "orders:operate")
    for answer in (boss.create(), boss.cancel(id)):
        problem(answer, 403, "insufficient-scope")
