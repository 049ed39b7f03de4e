"""A surge of real orders while everything goes wrong that can on AWS; then the books must balance."""

import threading

import httpx
import pytest

import faults
from conftest import ROOT
from harness import PLAIN, wait_until
from world import Shape

# With the default retries of the functions' client most of these are mended inside an invocation; kills, lost answers
# and replays are not.
RATES = dict(table_throttles=0.01, conflicts=0.01, unprocessed=0.05, table_fails=0.01, table_lost=0.01, table_slow=0.005, sent_twice=0.03, queue_fails=0.01,
             queue_lost=0.01, batch_partly_fails=0.05, kills=0.02, recycled=0.02, redelivered=0.05, shuffled=0.1, replayed=0.1)
ORDERS = 600


def columns(audit):
    rows = [line for line in audit.stdout.splitlines() if line.startswith("|")]
    names, values = ([cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], rows[-1]))
    return dict(zip(names, values))


class Tides:
    """The table takes no order at all for some seconds, and again, as long as the surge lasts."""

    def __init__(self, dice):
        self.dice, self.over = dice, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.over.wait(2):
            self.dice.faults.creates_throttled = 1
            self.over.wait(2)
            self.dice.faults.creates_throttled = 0.05

    def end(self):
        self.over.set()
        self.thread.join()
        self.dice.faults.creates_throttled = 0


@pytest.mark.timeout(280)
def test_a_surge_with_every_fault(program, server, sandbox, folder, secret_file, monkeypatch):
    monkeypatch.chdir(ROOT)
    box = sandbox("--fail-rate", "0.05", "--lost-rate", "0.03", "--pending-rate", "0.05", "--callback-delay", "200ms", "--refuse-rate", "0.05")
    shape = Shape(function_s={"api": 5, "admit": 8, "call": 8, "relay": 8, "sweep": 8}, receive_count=1000)
    shape.limits["api"] = 100
    backend = server(box, aws={"shape": shape, "rates": faults.Faults(**RATES), "seed": 7})
    world, ledger = backend.world, folder / "surge.jsonl"
    tides = Tides(world.dice)
    try:
        surge = program.run("surge", "--url", backend.url, "--secret-file", secret_file, "--ledger", ledger, "--orders", ORDERS, "--base-rate", "15",
                            "--peak-rate", "60", "--timeout", "8s", "--settle", "60s", "--connections", "64", timeout=150)
    finally:
        tides.end()
    assert surge.returncode == 0, surge.stdout + surge.stderr
    wait_until(lambda: not world.unfinished(), 90, 0.5)
    audit = program.run("audit", "--url", backend.url, "--sandbox-url", box.url, "--secret-file", secret_file, "--ledger", ledger, "--wait", "90s", timeout=150)
    row = columns(audit)
    print(surge.stdout, audit.stdout, world.dice.seen, world.waiting())
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert [row[name] for name in ("unanswered", "lost", "duplicated", "half-finished", "foreign")] == ["0"] * 5
    assert int(row["acknowledged"]) > ORDERS / 2  # the rest are cancellations and dirty rows
    boss = {"Authorization": f"Bearer {backend.token('boss', 'orders:operate')}"}
    assert httpx.get(backend.url + "/v1/attention", headers=boss, **PLAIN).json()["orders"] == []
    everything_happened(world)


def everything_happened(world):
    """A test of faults that did not occur tests nothing."""
    seen = world.dice.seen
    assert not [name for name in [*RATES, "creates_throttled"] if not seen[name]], seen
    assert world.meter.total("sent", f"{world.stack}-intake") > 10, "the intake queue was not used"
    assert any("ExitError" in cause for function in world.functions.values() for cause in function.causes)
    assert max(count for source in world.sources.values() for count in source.delivered.values()) > 1
