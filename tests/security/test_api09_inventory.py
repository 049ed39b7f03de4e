"""API9:2023 Improper Inventory Management: what is served is what is described, and nothing is left over beside it."""

import re

import pytest

from harness import Client, operator
from outside import BODIES, CALLERS, DOCUMENT, NOBODY, ROOT, TABLE, call, call_route, described, raw, waiting_order
from test_create import problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "PROPFIND", "MKCOL", "COPY", "LOCK", "PURGE", "DEBUG", "QUERY", "get", "Post")


def filled(path):
    return path.replace("{id}", NOBODY).replace("{order}", NOBODY).replace("{step}", "record").replace("{command}", "record")


def test_the_source_the_document_and_the_table_name_the_same_routes():
    source = re.findall(r'\{ROUTE_\w+, HTTP_(\w+), "[^"]+", "\w+ ([^"]+)"', (ROOT / "src/gateway/route.c").read_text())
    assert set(source) == described() == set(TABLE)


@pytest.mark.parametrize("path", sorted({path for _, path in TABLE}))
def test_every_other_method_is_refused_with_the_list_of_those_there_are(backend, path):
    allowed = {method for method, other in TABLE if other == path}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for method in METHODS:
        answer = raw(backend, f"{method} {filled(path)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        status = int(answer.split(b" ")[1])
        if method in allowed:
            assert status not in (404, 405) or "{" in path, method
            continue
        assert status in (405, 501), method
        if status == 405:
            listed = re.search(rb"\r\nAllow: ([^\r]*)\r\n", answer).group(1).decode()
            assert set(listed.split(", ")) == allowed, method


@pytest.mark.parametrize("path", [
    "/v0/orders", "/v2/orders", "/v1.0/orders", "/v1beta/orders", "/orders", "/api/v1/orders", "/v1", "/v1/", "/v1/orders/", "/v1/orders.json", "/v1/order", "/v1/customers",
    "/v1/payments", "/v1/users", "/v1/admin", "/v1/attention/all", "/v1/callbacks", "/admin", "/debug",
    "/debug/pprof", "/internal", "/status", "/health", "/ready", "/live", "/actuator", "/actuator/env", "/env", "/.env", "/.git/config", "/config", "/swagger", "/swagger.json",
    "/openapi.yaml", "/v1/openapi.json", "/docs", "/redoc", "/graphql", "/ledger", "/faults", "/inventory/reserve", "/reserve", "/commands", "/server-status", "/favicon.ico",
    "/robots.txt", "/index.html", "/metrics/", "/trace", "/shutdown", "/reload", "/test", "/console", "/",
])
def test_nothing_is_left_over_beside_the_routes(backend, path):
    for scope in ("orders:read orders:write orders:wholesale", "orders:operate orders:read orders:write"):
        for method in ("GET", "POST"):
            problem(call(backend, method, path, backend.token("ada", scope)), 404, "not-found")


@pytest.mark.parametrize("name", ["all", "export", "search", "count", "import", "batch", "*"])
def test_no_name_stands_in_the_place_of_an_id(backend, name):
    problem(call(backend, "GET", f"/v1/orders/{name}", backend.token("ada", "orders:operate orders:read orders:write")), 404, "not-found")
    problem(call(backend, "POST", f"/v1/orders/{name}", backend.token()), 405, "method-not-allowed")


def test_below_an_order_there_is_what_is_described_and_no_more(backend, services):
    id, boss = waiting_order(backend, services), operator(backend)
    for path in (f"/v1/orders/{id}/{name}" for name in ("refund", "complete", "delete", "restore", "lines", "payment", "history", "steps", "steps/record", "steps/record/undo",
                                                        "steps/record/retry/now", "events/1", "retry", "skip", "callback", "token")):
        for method in ("GET", "POST"):
            assert boss.http.request(method, path).status_code == 404, path
    assert boss.status(id) == "attention"


def test_the_document_is_served_as_it_stands_in_the_repository(backend):
    answer = call(backend, "GET", "/openapi.json")
    assert answer.content == (ROOT / "docs/openapi.json").read_bytes(), "the program was built before the document changed: make"


def test_every_answer_that_a_caller_gets_is_described(backend, services):
    """The status of every row of the table stands in the document."""
    for (method, path), row in TABLE.items():
        statuses = set(DOCUMENT["paths"][path][method.lower()]["responses"])
        assert {str(status) for status in row} <= statuses, (method, path)


def test_the_version_is_part_of_every_path_that_holds_data():
    assert all(path.startswith("/v1/") for _, path in TABLE if path not in ("/healthz", "/readyz", "/metrics", "/openapi.json"))


def test_the_sandbox_is_not_in_the_server(backend):
    """The stand-ins of the services answer under `spillway sandbox` alone."""
    for path in ("/ledger", "/inventory/reserve", "/accounting/record", "/fulfilment/ship", f"/inventory/commands/{NOBODY}.reserve"):
        for method in ("GET", "POST"):
            assert call(backend, method, path, backend.token()).status_code == 404


def test_the_servers_listener_is_the_only_one(backend):
    """One process, one listening socket: no debugging port beside it."""
    process = str(backend.process.pid)
    import os
    sockets = {os.readlink(f"/proc/{process}/fd/{name}") for name in os.listdir(f"/proc/{process}/fd")}
    listening = [line.split() for file in ("tcp", "tcp6") for line in open(f"/proc/{process}/net/{file}").read().splitlines()[1:] if line.split()[3] == "0A"]
    own = [row for row in listening if f"socket:[{row[9]}]" in sockets]
    assert len(own) == 1 and int(own[0][1].split(":")[1], 16) == int(backend.address.rsplit(":", 1)[1])
