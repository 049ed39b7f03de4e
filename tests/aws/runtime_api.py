"""A strict runtime API of Lambda (2018-06-01) for one process: every departure from the protocol is noted in
`violations`. What the emulator is too kind, or too rigid, to try is scripted here, an invocation or a call at a time:
answers in pieces, late, chunked, cut short, refused; connections that close."""

import contextlib
import json
import os
import queue
import re
import select
import socket
import subprocess
import threading
import time
import uuid

import wire

NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"
ANSWER = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
ERROR_TYPE = re.compile(r"[A-Z][A-Za-z]*\.[A-Z][A-Za-z]*")
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders-api"


class Answer:
    def __init__(self, kind, headers, body):
        self.kind, self.headers, self.body = kind, headers, body

    def json(self):
        return json.loads(self.body)


class Invocation:
    """What `next` will give. `send(connection, head, body)` writes it, where the plain way is not wanted."""

    def __init__(self, event, deadline_ms=None, trace=None, send=None, refuse=()):
        self.id = str(uuid.uuid4())
        self.event = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.deadline_ms = deadline_ms or int(time.time() * 1000) + 10_000
        self.trace, self.send, self.refuse, self.answers = trace, send, list(refuse), queue.SimpleQueue()
        self.answered = False

    def answer(self, seconds=20):
        return self.answers.get(timeout=seconds)

    def head(self):
        lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Lambda-Runtime-Aws-Request-Id: {self.id}",
                 f"Lambda-Runtime-Deadline-Ms: {self.deadline_ms}", f"Lambda-Runtime-Invoked-Function-Arn: {ARN}"]
        if self.trace:
            lines.append(f"Lambda-Runtime-Trace-Id: {self.trace}")
        return "\r\n".join(lines) + "\r\n"


class RuntimeApi:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.violations, self.init_errors, self.waiting = [], [], queue.Queue()
        self.known, self.current, self.lock = {}, None, threading.Lock()
        self.asked = threading.Semaphore(0)  # one for each `next`
        self.next_replies = []  # raw bytes instead of an invocation; b"": closes
        self.connections, self.accepted = set(), 0
        self.receipt = b'{"status":"told"}\n'  # body of the answer to a response
        self.closed = False
        self.acceptor = self._start(self._accept)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread

    def invoke(self, event, **options):
        invocation = Invocation(event, **options)
        with self.lock:
            self.known[invocation.id] = invocation
        self.waiting.put(invocation)
        return invocation

    def wait_idle(self, seconds=20):
        """Until the runtime has asked for one more invocation."""
        assert self.asked.acquire(timeout=seconds), "the runtime did not ask for an invocation"

    def drop_connections(self):
        for connection in list(self.connections):
            with contextlib.suppress(OSError):  # it is gone already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Nobody is listening any more when this returns."""
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept that is waiting
        self.listener.close()
        self.acceptor.join()
        self.drop_connections()

    # --- the protocol ---

    def _complain(self, text):
        self.violations.append(text)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self.connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection):
        stream = wire.Stream(connection)
        try:
            while self._request(stream):
                pass
        except (wire.Broken, OSError):
            pass
        finally:
            self.connections.discard(connection)
            connection.close()

    def _request(self, stream):
        first, headers, body = stream.message()
        method, target, version = first.split(" ")
        given = {}
        for name, value in headers:
            if name.lower() in given:
                self._complain(f"{name} came twice")
            given[name.lower()] = value
        if version != "HTTP/1.1" or given.get("host") != self.address or not given.get("user-agent"):
            self._complain(f"{first}: HTTP/1.1, Host and User-Agent are wanted: {headers}")
        if method == "GET" and target == NEXT:
            if body or "content-length" in given:
                self._complain("next has a body")
            return self._next(stream)
        if method == "POST" and (target == INIT_ERROR or ANSWER.fullmatch(target)):
            return self._posted(stream.connection, target, given, body)
        self._complain(f"no such call: {first}")
        stream.connection.sendall(wire.Response(404, [], b"{}").encode())
        return True

    def _next(self, stream):
        if self._is_gone(stream.connection):  # what was sent ahead on it counts for nothing any more
            return False
        if self.current and not self.current.answered:
            self._complain("the next invocation was asked for without an answer to the last")
        self.asked.release()
        if self.next_replies:
            reply = self.next_replies.pop(0)
            stream.connection.sendall(reply)
            return bool(reply)
        invocation = self._wait(stream)
        if not invocation:
            return False
        self.current = invocation
        head, send = invocation.head(), invocation.send
        invocation.send = None  # once: where the connection broke, the next attempt gets it plainly
        if send:
            return send(self, stream.connection, head, invocation.event)
        stream.connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(invocation.event) + invocation.event)
        return True

    def _wait(self, stream):
        """The next invocation, unless the runtime goes away first."""
        while True:
            with contextlib.suppress(queue.Empty):
                invocation = self.waiting.get(timeout=0.02)
                if self._is_gone(stream.connection):
                    self.waiting.put(invocation)
                    return None
                return invocation
            if self.closed or self._is_gone(stream.connection):
                return None

    @staticmethod
    def _is_gone(connection):
        return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)

    def again(self, invocation):
        """The invocation was not received whole: the next `next` gets it."""
        self.current = None
        self.waiting.put(invocation)

    def _posted(self, connection, target, given, body):
        if given.get("content-length") != str(len(body)) or given.get("content-type") != "application/json":
            self._complain(f"{target}: Content-Type and Content-Length are wanted: {given}")
        try:
            value = json.loads(body)
        except ValueError:
            self._complain(f"{target}: the body is not JSON: {body[:200]}")
            value = None
        is_error = target.endswith("/error")
        kind = given.get("lambda-runtime-function-error-type")
        if is_error != bool(kind) or (kind and not ERROR_TYPE.fullmatch(kind)):
            self._complain(f"{target}: Lambda-Runtime-Function-Error-Type is {kind}")
        if is_error and not (isinstance(value, dict) and value.get("errorType") == kind and isinstance(value.get("errorMessage"), str) and value.get("stackTrace") == []):
            self._complain(f"{target}: not an error object: {body[:200]}")
        status = 202
        if target == INIT_ERROR:
            self.init_errors.append(value)
        else:
            status = self._answered(*ANSWER.fullmatch(target).groups(), given, body)
        if status is None:
            return False
        connection.sendall(wire.Response(status, [("Content-Type", "application/json")], self.receipt).encode())
        return True

    def _answered(self, request_id, kind, given, body):
        invocation = self.known.get(request_id)
        if not invocation or invocation is not self.current:
            self._complain(f"an answer to {request_id}, which is not under way")
            return 400
        if invocation.answered:
            return 400  # a second answer is refused; whether it was wrong to send it, the test knows
        status = invocation.refuse.pop(0) if invocation.refuse else 202
        if status != "lose before":
            invocation.answered = True
            invocation.answers.put(Answer("refused" if isinstance(status, int) and status >= 300 else kind, given, body))
        return status if isinstance(status, int) else None


class Function:
    """A process of the binary as Lambda starts it, with its log."""

    def __init__(self, command, api, folder, **environment):
        self.log_path = folder / f"bootstrap-{uuid.uuid4().hex[:8]}.log"
        variables = {"AWS_LAMBDA_RUNTIME_API": api.address, **environment}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, env={name: str(value) for name, value in variables.items() if value is not None},
                                            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self):
        """The log as events; a line that is no JSON fails."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def events(self, name):
        return [line for line in self.log() if line.get("event") == name]

    def wait(self, seconds=20):
        return self.process.wait(seconds)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def environment(folder, endpoint="http://127.0.0.1:9", **more):
    """What the handlers ask for; nothing of it is reached before an invocation needs it."""
    secret = folder / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef0123456789abcdef\n")
    queues = {f"SPILLWAY_{service}_{channel}_QUEUE_URL": f"{endpoint}/123456789012/{service.lower()}-{channel.lower()}"
              for service in ("INVENTORY", "ACCOUNTING", "FULFILMENT") for channel in ("RETAIL", "WHOLESALE")}
    services = {f"SPILLWAY_{service}_URL": "http://127.0.0.1:9" for service in ("INVENTORY", "ACCOUNTING", "FULFILMENT")}
    return {"_HANDLER": "api", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_LAMBDA_FUNCTION_NAME": "orders-api", "AWS_ENDPOINT_URL": endpoint, "SPILLWAY_TABLE": "orders",
            "SPILLWAY_INTAKE_QUEUE_URL": f"{endpoint}/123456789012/intake", "SPILLWAY_ID_SECRET_FILE": secret,
            "SPILLWAY_JWT_SECRET_FILE": secret, "SPILLWAY_PUBLIC_URL": "https://orders.example.com",
            "PATH": os.environ["PATH"], **queues, **services, **more}
