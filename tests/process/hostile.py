"""A service that breaks HTTP in every way, a script for each path."""

import random
import socket
import struct
import threading
import time

GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"reference":"x"}'

# What is sent in answer, a piece at a time; a number is a pause in seconds, "reset" an RST, "hang" silence.
WAYS = {
    "nothing": [],
    "reset at once": ["reset"],
    "reset in the middle": [GOOD[:40], 0.05, "reset"],
    "too short a body": [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"],
    "no status": [b"hello\r\n\r\n"],
    "a status that is none": [b"HTTP/1.1 9999 Fine\r\n\r\n"],
    "a thousand 100s": [b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, GOOD],
    "a header without end": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000],
    "headers without end": [b"HTTP/1.1 200 OK\r\n" + b"X-Much: more\r\n" * 40_000],
    "a folded first header": [b"HTTP/1.1 200 OK\r\n folded: yes\r\nContent-Length: 17\r\n\r\n{\"reference\":\"x\"}"],
    "a huge body": [b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n" + b"x" * 300_000],
    "a chunk that lies": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx"],
    "chunks of one byte": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n", 0.01] * 100],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nContent-Length: 3\r\n\r\n{\"reference\":\"x\"}"],
    "compressed, it says": [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\xff\xff"],
    "a redirect to itself": [b"HTTP/1.1 307 T\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"],
    "an upgrade": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\x00\x00"],
    "deep JSON": [b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"[" * 50_000],
    "not UTF-8": [b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"reference":"\xff\xfe"}'],
    "zeros": [b"\x00" * 2000],
    "silence": ["hang"],
    "one byte at a time": [part for byte in GOOD for part in (bytes([byte]), 0.02)],
    "an answer and another one": [GOOD + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"],
}


class HostileService:
    """Answers each connection's first request in a way drawn by chance; `calm()` makes it a good service."""

    def __init__(self, seed):
        self.random, self.ways, self.used = random.Random(seed), list(WAYS), set()
        self.lock, self.applied = threading.Lock(), {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def calm(self):
        self.ways = []

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                connection.settimeout(20)
                while self._serve_one(connection):
                    pass
        except OSError:
            pass

    def _serve_one(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return False
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        with self.lock:
            way = self.random.choice(self.ways) if self.ways else None
            self.used.add(way)
        if way is None:
            connection.sendall(GOOD)
            return True
        for part in WAYS[way]:
            if part == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            if part == "hang":
                time.sleep(3)
            elif isinstance(part, float):
                time.sleep(part)
            else:
                connection.sendall(part)
        return False
