"""HTTP/1.1 as small and fast as the rig needs it: a server with a thread a connection, and a client that keeps one
connection a thread. (http.server takes several times the time of what is measured here.)"""

import json
import socket
import ssl
import threading

REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class Broken(Exception):
    """The connection ended, or what came is not HTTP."""


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body  # headers: (name, value) as sent

    def get(self, name, default=None):
        return next((value for key, value in self.headers if key.lower() == name), default)


class Response:
    def __init__(self, status, headers=(), body=b"", head_only=False):
        self.status, self.headers, self.body, self.head_only = status, headers, body, head_only

    def encode(self, close=False):
        given = next((value for name, value in self.headers if name.lower() == "content-length"), None)
        length = given if self.head_only and given is not None else len(self.body)
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {length}")
        if close:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + (b"" if self.head_only or self.status in (204, 304) else self.body)


class Stream:
    """One side of a connection, buffered."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, b""

    def _more(self):
        part = self.connection.recv(262144)
        if not part:
            raise Broken("the connection ended")
        self.buffer += part

    def until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            if len(self.buffer) > 1_000_000:
                raise Broken("a header without end")
            self._more()
        head, self.buffer = self.buffer[:at], self.buffer[at + len(mark):]
        return head

    def exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def message(self, no_body=False):
        """(first line, headers, body)."""
        while not (head := self.until(b"\r\n\r\n").decode("utf-8", "surrogateescape")):
            pass
        first, *lines = head.split("\r\n")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise Broken("not a header")
            headers.append((name, value.strip()))
        known = {name.lower(): value for name, value in headers}
        if known.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if no_body:
            return first, headers, b""
        if known.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                body += self.exactly(size)
                self.exactly(2)
            while self.until(b"\r\n"):
                pass
            return first, headers, body
        return first, headers, self.exactly(int(known.get("content-length", 0)))


class Server:
    """handle(request) gives a Response, or None to close the connection without an answer. `on_end` is called in a
    connection's thread when it ends."""

    def __init__(self, handle, tls=None, on_end=None):
        self.on_end = on_end
        self.handle, self.connections, self.lock, self.closing = handle, set(), threading.Lock(), False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.closing:
                    connection.close()
                    return
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        served = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                served = self.tls.wrap_socket(connection, server_side=True)
                with self.lock:
                    self.connections.add(served)
            stream = Stream(served)
            while True:
                first, headers, body = stream.message()
                method, target, version = first.split(" ", 2)
                request = Request(method, target, headers, body)
                response = self.handle(request)
                if response is None:
                    served.shutdown(socket.SHUT_RDWR)
                    return
                close = (request.get("connection") or "").lower() == "close" or version == "HTTP/1.0"
                served.sendall(response.encode(close))
                if close:
                    return
        except (Broken, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(served)
                self.connections.discard(connection)
            served.close()
            if self.on_end:
                self.on_end()

    def close(self):
        with self.lock:
            self.closing = True
            open_now = list(self.connections)
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Peer:
    """A server to send requests to. Each thread has a connection of its own."""

    def __init__(self, address):
        self.address, self.local, self.lock, self.all, self.closed = address, threading.local(), threading.Lock(), set(), False

    def _connect(self):
        with self.lock:
            if self.closed:
                raise Broken("closed")
            connection = socket.create_connection(self.address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.all.add(connection)
        self.local.stream = Stream(connection)
        return self.local.stream

    def _drop(self):
        stream, self.local.stream = self.local.stream, None
        with self.lock:
            self.all.discard(stream.connection)
        stream.connection.close()

    def send(self, method, target, headers, body):
        """(status, headers, body). A kept connection that has ended is opened anew, once."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        head += [f"{name}: {value}" for name, value in headers] + [f"Content-Length: {len(body)}", "", ""]
        data = "\r\n".join(head).encode("utf-8", "surrogateescape") + body
        for attempt in (0, 1):
            kept = getattr(self.local, "stream", None)
            stream = kept or self._connect()
            try:
                stream.connection.sendall(data)
                first, answer_headers, answer = stream.message()
                if any(name.lower() == "connection" and value.lower() == "close" for name, value in answer_headers):
                    self._drop()
                return int(first.split(" ")[1]), answer_headers, answer
            except (Broken, OSError):
                self._drop()
                if attempt or not kept:
                    raise
        raise AssertionError("not reached")

    def release(self):
        """Closes this thread's connection."""
        if getattr(self.local, "stream", None):
            self._drop()

    def close(self):
        """Ends what waits for an answer, too."""
        with self.lock:
            self.closed = True
            for connection in self.all:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class AwsError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body[:500]!r}")
        self.status, self.body = status, body


class AwsApi:
    """AWS's JSON protocol towards an emulator, unsigned but for what DynamoDB Local insists on."""

    def __init__(self, address, prefix, version="1.0"):
        self.peer, self.prefix = Peer(address), prefix
        self.headers = [("Content-Type", f"application/x-amz-json-{version}"),
                        ("Authorization", "AWS4-HMAC-SHA256 Credential=RIG/20261101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")]

    def __call__(self, operation, **parameters):
        status, _, body = self.peer.send("POST", "/", [*self.headers, ("X-Amz-Target", f"{self.prefix}.{operation}")], json.dumps(parameters).encode())
        if status != 200:
            raise AwsError(status, body)
        return json.loads(body) if body else {}

    def close(self):
        self.peer.close()


DYNAMODB, STREAMS, SQS = "DynamoDB_20120810", "DynamoDBStreams_20120810", "AmazonSQS"
