"""The whole process among what operating systems, networks and services do to it. kill -9 is in tests/crash, how
much is answered under overload in `bench/run --only overload`."""

import concurrent.futures
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import httpx
import pytest

from conftest import FAULTS
from harness import Client, PLAIN, SmallDisk, operator, order, wait_until
from hostile import HostileService, WAYS

MIB = 1024 * 1024


def connect(backend, seconds=20):
    host, port = backend.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=seconds)


def request(backend, body, key, customer="ada", close=True):
    text = json.dumps(body).encode()
    return (f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {backend.token(customer)}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n{'Connection: close' if close else 'X: y'}\r\n\r\n").encode() + text


def read_all(connection):
    answer = b""
    while part := connection.recv(65536):
        answer += part
    return answer


def resident_bytes(backend):
    fields = open(f"/proc/{backend.process.pid}/status").read().split("VmRSS:")[1].split()
    return int(fields[0]) * 1024


# --- signals ---


def test_sigstop_pauses_under_load(server, sandbox, spike):
    """Stopped again and again, also for longer than calls and clients wait: nothing is lost, nothing twice."""
    chance = random.Random(1)
    box = sandbox(*FAULTS)
    backend = server(box, inventory_timeout="400ms", accounting_timeout="400ms", fulfilment_timeout="400ms")
    surge = spike(backend.url, "--base-rate=150", "--peak-rate=400", "--duration=8s", "--connections=32", "--timeout=1s")
    pauses = 0
    while surge.is_running():
        backend.process.send_signal(signal.SIGSTOP)
        time.sleep(chance.choice([0.05, 0.3, 0.7, 1.4]))
        backend.process.send_signal(signal.SIGCONT)
        pauses += 1
        time.sleep(chance.uniform(0.05, 0.5))
    surge.ended()
    assert pauses >= 5
    assert surge.audit(box)["acknowledged"] > 500


def test_services_that_are_stopped_under_load(server, sandbox, spike):
    """All three services hold still in the middle of calls: what they have applied is not applied again."""
    box = sandbox(*FAULTS)
    backend = server(box, inventory_timeout="400ms", accounting_timeout="400ms", fulfilment_timeout="400ms")
    surge = spike(backend.url, "--base-rate=150", "--peak-rate=400", "--duration=6s", "--connections=32")
    while surge.is_running():
        box.process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        box.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    surge.ended()
    assert surge.audit(box)["acknowledged"] > 500


def test_sigterm_under_load(server, sandbox, spike):
    """Each SIGTERM ends the process in order, with exit code 0, and the next start goes on."""
    chance = random.Random(2)
    box = sandbox(*FAULTS)
    backend = server(box)
    surge = spike(backend.url, "--base-rate=150", "--peak-rate=400", "--duration=8s", "--connections=32")
    ends = 0
    while surge.is_running() and ends < 12:
        time.sleep(chance.uniform(0.2, 0.7))
        assert backend.stop(10) == 0
        backend = backend.restarted()
        ends += 1
    surge.ended()
    assert ends >= 5
    assert surge.audit(box)["acknowledged"] > 500


# --- what runs short ---


@pytest.fixture
def small_disk(folder):
    disk = SmallDisk(folder / "disk", mib=64)
    yield disk
    disk.remove()


def test_a_disk_that_is_full_now_and_then_under_load(server, sandbox, spike, small_disk):
    box = sandbox(*FAULTS)
    backend = server(box, data=small_disk.path / "data")
    surge = spike(backend.url, "--base-rate=100", "--peak-rate=200", "--duration=6s", "--connections=32")
    while surge.is_running():
        small_disk.fill()
        time.sleep(0.8)
        small_disk.give_room()
        time.sleep(0.7)
    surge.ended()
    metrics = httpx.get(backend.url + "/metrics", **PLAIN).text
    assert 'spillway_http_requests_total{route="POST /v1/orders",status="503"}' in metrics
    assert surge.audit(box, backend.url)["acknowledged"] > 200


def test_64_file_descriptors(server, sandbox, spike):
    """So few that most connections must wait; nobody is lost over it, and the store and the calls have theirs."""
    box = sandbox()
    backend = server(box)
    backend.stop()
    limited = ServerWithLimits(backend, "ulimit -n 64")
    try:
        idle = [connect(limited) for _ in range(100)]
        surge = spike(limited.url, "--base-rate=50", "--peak-rate=100", "--duration=4s", "--connections=200")
        time.sleep(1)
        for connection in idle:
            connection.close()
        surge.ended()
        assert len(os.listdir(f"/proc/{limited.process.pid}/fd")) <= 64
        assert surge.audit(box)["acknowledged"] > 100
    finally:
        assert limited.stop() == 0


class ServerWithLimits:
    """The server of another one's settings, begun under a shell's limits."""

    def __init__(self, backend, limits):
        command = ["sh", "-c", f'{limits}; exec "$@"', "sh", *backend.command()]
        self.log = open(backend.folder / "limited.log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env={"PATH": os.environ["PATH"]})
        line = self.process.stdout.readline().decode()
        assert "http://" in line, line + open(self.log.name).read()
        self.url = "http://" + line.split("http://")[1].strip("/ \n")
        self.address = self.url[len("http://"):]

    def stop(self):
        self.process.terminate()
        return self.process.wait(15)


# --- connections ---


def test_10000_idle_connections(server, services):
    """They cost memory, bounded, and nobody else's time; they are cut off, and the memory comes back."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 12000:
        pytest.skip("fewer than 12,000 descriptors are allowed here")
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    backend = server(services, header_timeout="8s")
    ada = Client(backend)
    ada.settled(ada.created())
    idle = []
    try:
        for number in range(10_000):
            idle.append(connect(backend, 60))
            if number % 3 == 0:
                idle[-1].sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\n")
        assert ada.settled(ada.created())["status"] == "completed"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            others = list(pool.map(lambda number: Client(backend, f"c{number}").create().status_code, range(40)))
        assert set(others) == {202}
        assert resident_bytes(backend) < 700 * MIB
        wait_until(lambda: len(os.listdir(f"/proc/{backend.process.pid}/fd")) < 100, 40)
        assert ada.create().status_code == 202
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_writers_and_readers_of_one_byte_at_a_time(server, services):
    """Hundreds of them hold back nobody; who is slow and not too slow is served."""
    backend = server(services, header_timeout="20s", body_timeout="20s")
    ada = Client(backend)
    known = ada.created()
    slow, done = [], threading.Event()
    for number in range(300):
        connection = connect(backend)
        if number % 2:
            text = request(backend, order(), f"slow-{number}")
        else:  # asks for much, and reads little
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
            text = one * 20
        slow.append((connection, text))

    def drip():
        at = 0
        while not done.is_set():
            for connection, text in slow:
                try:
                    if text.startswith(b"GET"):
                        if at == 0:
                            connection.sendall(text)
                        connection.recv(1)
                    elif at < len(text) - 400:  # the first part at once, the end byte by byte
                        connection.sendall(text[at:at + 1] if at else text[:1])
                except OSError:
                    pass
            at += 1
            time.sleep(0.01)

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    try:
        for _ in range(30):
            assert ada.settled(ada.created())["status"] == "completed"
        assert ada.status(known) == "completed"
        # One that takes its time over the whole request gets its answer.
        text = request(backend, order(), "patient")
        with connect(backend) as patient:
            for at in range(0, len(text), 8):
                patient.sendall(text[at:at + 8])
                time.sleep(0.005)
            assert b" 202 " in read_all(patient)
    finally:
        done.set()
        dripping.join()
        for connection, _ in slow:
            connection.close()


def test_half_closed_connections_get_their_answers(server, services):
    backend = server(services, body_timeout="1s")  # libmicrohttpd overlooks some ends in the middle of a body
    for number in range(50):
        with connect(backend) as connection:
            connection.sendall(request(backend, order(), f"half-{number}"))
            connection.shutdown(socket.SHUT_WR)
            assert b" 202 " in read_all(connection)
    with connect(backend) as connection:  # half a request is none
        connection.sendall(request(backend, order(), "cut")[:-20])
        connection.shutdown(socket.SHUT_WR)
        assert b" 202 " not in read_all(connection)
    assert Client(backend).create(key="cut").headers.get("Idempotent-Replayed") is None


def test_reset_connections_lose_nothing(server, services):
    """A client that hangs up does not know whether its order was taken; when it asks again with the same key it is
    told, and there is one order."""
    backend = server(services)
    bodies = {number: order() for number in range(200)}
    chance = random.Random(3)
    for number, body in bodies.items():
        connection = connect(backend)
        connection.sendall(request(backend, body, f"reset-{number}"))
        time.sleep(chance.choice([0, 0, 0.001, 0.003]))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    ada = Client(backend)
    ids = set()
    for number, body in bodies.items():
        answer = ada.create(body, f"reset-{number}")
        assert answer.status_code == 202
        ids.add(answer.json()["id"])
    assert len(ids) == len(bodies)
    for id in ids:
        assert ada.settled(id)["status"] == "completed"
        assert len({call.key for call in services.of("reserve", id)}) == 1


# --- a hostile service ---


def test_a_service_that_breaks_http_in_every_way(server, services):
    """No answer of its kind is taken for done unless it is one; the other services' steps go on; once it is good
    again everything ends."""
    hostile = HostileService(seed=4)
    backend = server(services, accounting_url=hostile.url(), accounting_timeout="1s", accounting_concurrency=64)
    ada = Client(backend)
    try:
        ids = [ada.created() for _ in range(120)]
        for id in ids:  # what does not depend on it
            wait_until(lambda: ada.step(id, "ship")["state"] == "done", 60)
        wait_until(lambda: hostile.used >= set(WAYS), 60)
        before = resident_bytes(backend)
        assert before < 300 * MIB
        hostile.calm()
        boss = operator(backend)
        for id in ids:
            shown = wait_until(lambda: (lambda o: o if o["status"] in ("completed", "attention") else None)(ada.order(id)), 60)
            if shown["status"] == "attention":  # a 2xx that made no sense, or a 4xx: a person says how to go on
                assert boss.retry(id, "record").status_code == 202
        for id in ids:
            assert ada.settled(id, 60)["status"] == "completed"
            assert ada.step(id, "record")["reference"] == "x"
    finally:
        hostile.close()
