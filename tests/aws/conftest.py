"""Fixtures of the AWS tests: those of tests/e2e, with the stack on a small AWS in place of `spillway serve`.

SPILLWAY_BOOTSTRAP names the functions' program; the default is that of script/build-aws for this machine."""

import contextlib
import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E = ROOT / "tests" / "e2e"
sys.path.insert(1, str(E2E))
SCENARIOS = ("test_create", "test_life", "test_operate", "test_races", "test_openapi", "test_http", "test_commands")
pytest.register_assert_rewrite(*SCENARIOS)

import emulators as emulator_processes  # noqa: E402
from server import AwsServer  # noqa: E402
from world import Shape  # noqa: E402

specification = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
e2e = importlib.util.module_from_spec(specification)
specification.loader.exec_module(e2e)
program, folder, secret_file, services, sandbox, ada, key = (
    getattr(e2e, name) for name in ("program", "folder", "secret_file", "services", "sandbox", "ada", "key"))


LONG = ("test_a_surge_with_every_fault", "test_the_store_keeps_the_contract", "test_schemathesis", "test_what_an_order_takes",
        "test_kills_and_cancels", "test_cancels_race_with_every_step")


def pytest_collection_modifyitems(items):
    """What takes long begins first, so that the workers end together."""
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if item.name.startswith(name)), len(LONG)))


@pytest.fixture(scope="session")
def emulators():
    started = emulator_processes.Emulators()
    yield started
    started.stop()


# Which front a module's scenarios go through: each shape of event meets some of them. An HTTP API decodes paths and
# joins header lines of one name, so what looks at those goes through another.
SHAPES = {"test_http": "rest", "test_operate": "alb-multi", "test_races": "alb", "test_missing_and_repeated_keys": "rest",
          "test_attacked_tokens": "alb-multi"}  # a token of 9 KB is more than API Gateway takes


# Who waits for an attempt that may be under way: functions that may run for 5 s instead of a minute, and the time in
# which an attempt ends with them.
HASTY = ("test_lookup_asks_before_it_tries_again", "test_lookup_that_finds_nothing_sends_again", "test_lookup_that_finds_a_refusal",
         "test_what_services_are_sent_is_described")


# One machine's scenarios know no intake: they wait for an emulator that is slow to begin.
PATIENT = "6s"


def shape_for(test, module):
    shape = Shape(front=SHAPES.get(test, SHAPES.get(module, "http")))
    if test in HASTY:
        shape.function_s["call"] = 5
    return shape


# Making a stack takes longer than most of one machine's scenarios. Those that neither look at the services nor choose
# a setting meet one that is kept, a front each; but for those of a list that must hold their own orders alone.
OWN_LISTS = ("test_lists_are_newest_first_and_paged", "test_operators_read_everything")


@pytest.fixture(scope="session")
def kept(emulators, tmp_path_factory):
    stacks, services = {}, e2e.ServiceStub()
    with contextlib.ExitStack() as ending:
        ending.callback(services.close)

        def stack(shape):
            if shape.front not in stacks:
                folder = tmp_path_factory.mktemp("kept")
                (folder / "secret").write_text("fedcba9876543210fedcba9876543210fedcba9876543210\n")
                stacks[shape.front] = AwsServer(emulators, folder, folder / "secret", services, {"spill_after": PATIENT}, shape=shape)
                ending.callback(stacks[shape.front].finish)
            return stacks[shape.front]

        yield stack


@pytest.fixture
def backend(request):
    test, module = request.function.__name__, request.function.__module__
    alone = {"server", "services", "sandbox", "secret_file"} & set(request.fixturenames) or test in OWN_LISTS or module not in SCENARIOS
    if alone:
        yield request.getfixturevalue("server")(request.getfixturevalue("services"))
        return
    stack = request.getfixturevalue("kept")(shape_for(test, module))
    stack.world.resume()
    yield stack
    stack.world.rest()


@pytest.fixture
def server(emulators, tmp_path, secret_file, request):
    """As in tests/e2e: server(services, **settings). At the end nothing may have been refused by AWS's checks, and
    every line of the logs must be JSON."""
    started = []

    def start(services, aws=None, **settings):
        aws = {"shape": shape_for(request.function.__name__, request.function.__module__), **(aws or {})}
        if request.function.__module__ in SCENARIOS:
            settings.setdefault("spill_after", PATIENT)
        one = AwsServer(emulators, tmp_path, secret_file, services, settings, **aws)
        started.append(one)
        return one

    yield start
    for one in started:
        if not one.finished:
            print(one.world.report())  # shown where the test failed
        one.finish()
