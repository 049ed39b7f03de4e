"""What the security tests share: every route of the API with who may do what, callers of every kind, other
listeners that a server might be led to."""

import http.server
import json
import pathlib
import socket
import threading
import time

import httpx
import jwt

from harness import Client, PLAIN, operator, order, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
NOBODY = "ord_" + "0" * 32

# The callers. "expired" and "stranger" hold every scope; "scopeless" has a good token without any.
CALLERS = ("none", "expired", "forged", "scopeless", "owner", "other", "operator")

# For each route, what each caller gets: a status, or for two of them where an order's state decides. The order is
# ada's and waits for a person at `record`. A route of docs/openapi.json without a row here fails.
#                                                    none expired forged scopeless owner other operator
TABLE = {
    ("POST", "/v1/orders"):                           (401, 401, 401, 403, 202, 202, 202),
    ("GET", "/v1/orders"):                            (401, 401, 401, 403, 200, 200, 200),
    ("GET", "/v1/orders/{id}"):                       (401, 401, 401, 403, 200, 404, 200),
    ("GET", "/v1/orders/{id}/events"):                (401, 401, 401, 403, 200, 404, 200),
    ("POST", "/v1/orders/{id}/cancel"):               (401, 401, 401, 403, 202, 404, 202),
    ("GET", "/v1/attention"):                         (401, 401, 401, 403, 403, 403, 200),
    ("POST", "/v1/orders/{id}/steps/{step}/retry"):   (401, 401, 401, 403, 403, 403, 202),
    ("POST", "/v1/orders/{id}/steps/{step}/skip"):    (401, 401, 401, 403, 403, 403, 202),
    # Nobody's access token opens it: the token in the URL does, and none is given here.
    ("POST", "/v1/callbacks/{order}/{command}"):      (403, 403, 403, 403, 403, 403, 403),
    ("GET", "/healthz"):                              (200, 200, 200, 200, 200, 200, 200),
    ("GET", "/readyz"):                               (200, 200, 200, 200, 200, 200, 200),
    ("GET", "/metrics"):                              (200, 200, 200, 200, 200, 200, 200),
    ("GET", "/openapi.json"):                         (200, 200, 200, 200, 200, 200, 200),
}
BODIES = {
    ("POST", "/v1/orders"): order,
    ("POST", "/v1/orders/{id}/steps/{step}/skip"): lambda: {"reason": "by hand"},
    ("POST", "/v1/callbacks/{order}/{command}"): lambda: {"outcome": "done", "reference": "forged"},
}


def described():
    """The routes of the API's document."""
    methods = {"get", "put", "post", "delete", "patch", "options", "head", "trace"}
    return {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item if method in methods}


def token_of(server, caller):
    every = "orders:read orders:write orders:wholesale"
    if caller == "none":
        return None
    if caller == "expired":
        return server.token("ada", every, exp=int(time.time()) - 3600)
    if caller == "forged":
        return jwt.encode({"sub": "ada", "scope": every, "exp": int(time.time()) + 3600}, "not the secret that this server knows", "HS256")
    if caller == "operator":
        return server.token("operator", "orders:operate orders:read orders:write")
    return server.token("bob" if caller == "other" else "ada", "profile email" if caller == "scopeless" else every)


def call(server, method, path, token=None, **more):
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
    return httpx.request(method, server.url + path, headers=headers, timeout=30, **PLAIN, **more)


def call_route(server, route, caller, order_id):
    """The route as this caller, about this order."""
    method, template = route
    path = template.replace("{id}", order_id).replace("{order}", order_id).replace("{step}", "record").replace("{command}", "record")
    body = BODIES.get(route)
    return call(server, method, path, token_of(server, caller), headers={"Idempotency-Key": "k-" + caller}, **({"json": body()} if body else {}))


def waiting_order(backend, services):
    """An order of ada's that waits for a person at record."""
    services.answers["record"] = {"status": 400, "body": {"reason": "no_account"}}
    ada = Client(backend)
    id = ada.created()
    wait_until(lambda: [entry for entry in operator(backend).attention() if entry["id"] == id])
    return id


class Trap:
    """A listener that answers nothing of use and remembers the requests that reached it."""

    def __init__(self, answer=(200, {}, b"{}")):
        self.requests, self.answer = [], answer
        trap = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def _take(self):
                trap.requests.append((self.command, self.path))
                status, headers, body = trap.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_PUT = do_OPTIONS = _take

        self.listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.server_address[1]}"

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


def raw(server, data, seconds=10):
    """What comes back for these bytes, until the server closes."""
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def memory_kib(server):
    return int(next(line for line in open(f"/proc/{server.process.pid}/status") if line.startswith("VmRSS")).split()[1])


def start_fails(program, folder, services, **settings):
    """`serve` with these settings, which it must refuse: what it says."""
    secret = folder / "good-secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    given = {"listen": "127.0.0.1:0", "data": folder / "refused", "jwt_secret_file": secret,
             **{f"{name}_url": services.service_url(name) for name in ("inventory", "accounting", "fulfilment")}, **settings}
    result = program.run("serve", *(f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None), timeout=20)
    assert result.returncode in (1, 2), result.stderr
    return result.stderr
