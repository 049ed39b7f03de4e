"""What the tests from outside are made of: processes, clients, scriptable services, orders."""

import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

import httpx
import jwt
import pytest

SERVICES = {"inventory": ("reserve", "release"), "accounting": ("record", "refund"), "fulfilment": ("ship", "recall")}
SERVICE_OF = {command: service for service, commands in SERVICES.items() for command in commands}
FINAL = ("completed", "rejected", "cancelled")
ALL_SCOPES = "orders:read orders:write orders:wholesale"
# For calls by httpx: no proxies, and a context without roots, which take longer to load than a test does its work. It
# trusts nobody, so https needs one of its own.
PLAIN = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


def wait_until(condition, seconds=20, every=0.02):
    """The condition's first true value; fails when it does not come in time. Looks less often the longer it takes, for a
    look costs whoever is waited for, too."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)
        every = max(every, min(every * 1.2, 0.2))


class SmallDisk:
    """A file system of so many MiB, which only root can mount."""

    def __init__(self, path, mib):
        self.path, self.filler = path, path / "filler"
        path.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path], capture_output=True).returncode == 0
        if not mounted:
            pytest.skip(f"a file system of {mib} MiB cannot be mounted here")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:  # else closing it would write what is left, and fail
            try:
                while True:
                    file.write(b"x" * 65536)
            except OSError:
                pass

    def give_room(self):
        self.filler.unlink()

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=True)


def order(**changes):
    """A good retail order; the members given are put in place of its own, None leaves one out."""
    body = {
        "channel": "retail",
        "currency": "GBP",
        "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
        "discount": 0,
        "coupon": "",
        "shipping": 0,
        "tax": 0,
        "total": 1530,
        "payment": {"reference": "pay_" + uuid.uuid4().hex},
        "ship_to": {
            "name": "A. Hart", "line1": "1 High St", "line2": "", "city": "Leeds",
            "region": "", "postcode": "LS1 4AP", "country": "GB",
        },
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}


def wholesale(**changes):
    body = order(channel="wholesale", payment=None, purchase_order="po-" + uuid.uuid4().hex, terms_days=30)
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}


class Program:
    def __init__(self, path):
        self.path = str(path)

    def run(self, *arguments, env=None, timeout=60, **more):
        return subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              env=clean_environment(env), **more)


def clean_environment(changes=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
    environment.update(changes or {})
    return environment


class Process:
    """A child process whose first lines of output tell where it listens."""

    def __init__(self, command, log_path, env=None, first_line=r"(https?)://([^ /\n]+)"):
        self.log_path = log_path
        self.log = open(log_path, "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=env)
        line = self.process.stdout.readline().decode()
        match = re.search(first_line, line)
        if not match:
            self.process.wait(10)
            self.log.flush()
            raise AssertionError(f"{command[1]} did not start: {line}{open(log_path).read()[-2000:]}")
        self.scheme, self.address = match.group(1), match.group(2)
        self.drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        self.drain.start()

    @property
    def url(self):
        return f"{self.scheme}://{self.address}"

    def stop(self, seconds=15):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.log.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Sandbox(Process):
    def __init__(self, program, log_path, arguments):
        super().__init__([program.path, "sandbox", "--listen", "127.0.0.1:0", *map(str, arguments)], log_path,
                         env=clean_environment())

    def service_url(self, service):
        return f"{self.url}/{service}"

    def ledger(self):
        return httpx.get(f"{self.url}/ledger", **PLAIN).text


class Server(Process):
    """`spillway serve` with a data folder of its own; settings are named as on the command line, with
    underscores."""

    def __init__(self, program, folder, secret_file, services, settings):
        self.program, self.folder, self.secret_file, self.services = program, folder, secret_file, services
        self.data = settings.pop("data", folder / "data")
        self.settings = settings
        super().__init__(self.command(), folder / f"server-{uuid.uuid4().hex[:6]}.log", env=clean_environment())

    def command(self):
        settings = {"listen": "127.0.0.1:0", "data": self.data, "retry_first": "20ms", "retry_max": "200ms"}
        if "jwks" not in self.settings:
            settings["jwt_secret_file"] = self.secret_file
        for service in SERVICES:
            settings[f"{service}_url"] = self.services.service_url(service)
        settings.update(self.settings)
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items() if value is not None]
        return [self.program.path, "serve", *flags]

    def restarted(self):
        """The same server, started anew on the same data folder and address."""
        settings = dict(self.settings, listen=self.address, data=self.data)
        again = Server(self.program, self.folder, self.secret_file, self.services, settings)
        self.successor = again
        return again

    def token(self, customer="ada", scope=ALL_SCOPES, **claims):
        payload = {"sub": customer, "scope": scope, "exp": int(time.time()) + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.secret_file.read_text().rstrip("\n"), algorithm="HS256")

    def events(self):
        """The log so far, a dict a line."""
        lines = open(self.log_path, errors="replace").read().splitlines()
        return [json.loads(line) for line in lines]

    def finish(self):
        if getattr(self, "successor", None):
            self.successor.finish()
        if self.process.poll() is None:
            assert self.stop() == 0
        self.events()  # every line is JSON: nothing else was written, no sanitizer spoke


class Client:
    """One customer (or operator) of a server."""

    def __init__(self, server, customer="ada", scope=ALL_SCOPES, token=None):
        self.server, self.customer = server, customer
        headers = {"Authorization": f"Bearer {token or server.token(customer, scope)}"}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60, **PLAIN)

    def create(self, body=None, key=None, **more):
        headers = {"Idempotency-Key": key or uuid.uuid4().hex, **more.pop("headers", {})}
        return self.http.post("/v1/orders", json=order() if body is None else body, headers=headers, **more)

    def created(self, body=None, key=None):
        response = self.create(body, key)
        assert response.status_code == 202, response.text
        return response.json()["id"]

    def get(self, id, **more):
        return self.http.get(f"/v1/orders/{id}", **more)

    def order(self, id):
        response = self.get(id)
        assert response.status_code == 200, response.text
        return response.json()

    def status(self, id):
        return self.order(id)["status"]

    def step(self, id, name):
        return next(step for step in self.order(id)["steps"] if step["name"] == name)

    def settled(self, id, seconds=20):
        """The order once it is final or in attention."""
        return wait_until(lambda: (lambda o: o if o["status"] in FINAL + ("attention",) else None)(self.order(id)), seconds)

    def events(self, id):
        return self.http.get(f"/v1/orders/{id}/events").json()["events"]

    def cancel(self, id, **more):
        return self.http.post(f"/v1/orders/{id}/cancel", **more)

    def retry(self, id, step):
        return self.http.post(f"/v1/orders/{id}/steps/{step}/retry")

    def skip(self, id, step, **body):
        return self.http.post(f"/v1/orders/{id}/steps/{step}/skip", json=body)

    def attention(self):
        return self.http.get("/v1/attention").json()["orders"]


def operator(server):
    return Client(server, "operator", "orders:operate orders:read orders:write")


class Call:
    """One request that a service stub got."""

    def __init__(self, service, command, headers, body):
        self.service, self.command, self.headers, self.body = service, command, headers, body
        self.at = time.monotonic()
        self.key = headers.get("Idempotency-Key")
        self.callback_url = headers.get("Callback-URL")

    @property
    def order_id(self):
        return self.body["id"]


class ServiceStub:
    """Inventory, accounting and fulfilment under one roof. By default each command is applied and answered
    200; `stub.answers[command]` may be a list of answers (used up one by one, the last one stays), each a
    dict {status, body, headers, delay, raw, close, hang} or a function of the Call that gives one."""

    def __init__(self, tls=None):
        self.calls, self.lookups, self.answers, self.lookup_answers = [], [], {}, {}
        self.lock = threading.Lock()
        self.released = threading.Event()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                stub._post(self)

            def do_GET(self):
                stub._get(self)

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                pass

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port, self.scheme = self.listener.server_address[1], "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.listener.socket = context.wrap_socket(self.listener.socket, server_side=True)
        threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def service_url(self, service):
        return f"{self.scheme}://127.0.0.1:{self.port}/{service}"

    def close(self):
        self.released.set()
        self.listener.shutdown()
        self.listener.server_close()

    def of(self, command, order_id=None):
        with self.lock:
            return [c for c in self.calls if c.command == command and (order_id is None or c.body.get("id") == order_id)]

    def commands(self, order_id):
        """The commands that came for an order, in the order of arrival."""
        with self.lock:
            return [c.command for c in self.calls if c.body.get("id") == order_id]

    def _next(self, table, name, call):
        with self.lock:
            answers = table.get(name)
            if isinstance(answers, list):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
            else:
                answer = answers
        return answer(call) if callable(answer) else answer

    def _post(self, handler):
        length = int(handler.headers.get("Content-Length", 0))
        body = json.loads(handler.rfile.read(length) or b"{}")
        _, service, command = urllib.parse.urlsplit(handler.path).path.split("/")
        call = Call(service, command, handler.headers, body)
        with self.lock:
            self.calls.append(call)
        self._answer(handler, self._next(self.answers, command, call) or {"body": {"reference": f"{command}-{call.key}"}})

    def _get(self, handler):
        key = handler.path.rsplit("/", 1)[-1]
        with self.lock:
            self.lookups.append(key)
        self._answer(handler, self._next(self.lookup_answers, key.split(".")[-1], key) or {"status": 404, "body": {}})

    def _answer(self, handler, answer):
        if answer.get("delay"):
            self.released.wait(answer["delay"])
        if answer.get("hang"):
            self.released.wait(60)
            handler.close_connection = True
            return
        if answer.get("close"):
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if "raw" in answer:
            handler.wfile.write(answer["raw"])
            handler.close_connection = True
            return
        body = answer.get("body", {})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(answer.get("status", 200))
        for name, value in answer.get("headers", {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
