"""Fixtures of the tests from outside: a real server, its services (the sandbox, or hostile ones), clients.

SPILLWAY_PROGRAM names the program under test; the default is build/spillway.
"""

import os
import pathlib
import uuid

import pytest

from harness import Client, Program, Sandbox, Server, ServiceStub

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program():
    path = pathlib.Path(os.environ.get("SPILLWAY_PROGRAM", ROOT / "build" / "spillway"))
    assert path.exists(), f"{path} is missing: run make first"
    return Program(path)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("0123456789abcdef0123456789abcdef0123456789abcdef\n")
    return path


@pytest.fixture
def services():
    """Three scriptable services in one: see ServiceStub."""
    stub = ServiceStub()
    yield stub
    stub.close()


@pytest.fixture
def sandbox(program, tmp_path):
    started = []

    def start(*arguments):
        box = Sandbox(program, tmp_path / f"sandbox-{len(started)}.log", arguments)
        started.append(box)
        return box

    yield start
    for box in started:
        box.stop()


@pytest.fixture
def server(program, tmp_path, secret_file):
    """Starts servers: server(services, **settings). All are stopped, gently, at the end, and must then have
    written nothing but log lines to standard error."""
    started = []

    def start(services, **settings):
        one = Server(program, tmp_path, secret_file, services, settings)
        started.append(one)
        return one

    yield start
    for one in started:
        one.finish()


@pytest.fixture
def backend(server, services):
    """A server whose three services answer well and at once."""
    return server(services)


@pytest.fixture
def ada(backend):
    return Client(backend, "ada")


@pytest.fixture
def key():
    return lambda: uuid.uuid4().hex
