"""The simulator's share of CI: worlds by chance, each twice; every fault at every point of a short one; and the
simulator itself: its seeds replay, its story names what went wrong, a planted bug is found."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SPILLWAY_SIMULATOR", ROOT / "build" / "simulator"))


INVOICES = ROOT / "examples" / "online_retail_sample.csv"


def simulate(*arguments, code=0):
    run = subprocess.run([PROGRAM, "--data", INVOICES, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert run.returncode == code, run.stdout[-3000:] + run.stderr[-1000:]
    return run.stdout


def figures(output):
    return re.search(r"^simulated: (\d+) worlds, (\d+) orders", output, flags=re.M).groups()


@pytest.mark.parametrize("shape", ["local", "aws"])
def test_worlds_by_chance_twice_each_and_no_rare_path_missed(shape):
    output = simulate("--seed", 1, "--seeds", 150, "--orders", 60, "--shape", shape, "--twice")
    assert figures(output)[0] == "150" and "all invariants held" in output


def test_every_rare_path_is_taken():
    assert "never" not in simulate("--seed", 1, "--seeds", 250, "--orders", 60, "--marks")


def test_every_fault_at_every_point():
    worlds, _ = figures(simulate("--seed", 1, "--orders", 4, "--exhaust"))
    assert int(worlds) > 1500  # one for each fault that a point allows


def test_a_seed_tells_the_same_story_again():
    first = simulate("--seed", 11, "--orders", 20, "--story", "")
    assert first.count("\n") > 50
    again = simulate("--seed", 11, "--orders", 20, "--story", "")
    assert first.splitlines()[:-1] == again.splitlines()[:-1]  # the last line has the time it took
    assert simulate("--seed", 12, "--orders", 20, "--story", "") != first


def test_a_world_without_chance_is_what_it_was():
    """Shrinking takes faults and orders away by name: what is left must stay as it was."""
    alone = simulate("--seed", 5, "--orders", 20, "--only-orders", "3", "--only-faults", "", "--story", "")
    orders = set(re.findall(r"  (ord_\w{32})  POST: 202$", alone, flags=re.M))
    assert orders and "0 faults" in alone
    with_all = simulate("--seed", 5, "--orders", 20, "--only-faults", "", "--story", "")
    assert orders < set(re.findall(r"  (ord_\w{32})  POST: 202$", with_all, flags=re.M))


def test_wrong_use_is_told():
    run = subprocess.run([PROGRAM, "--sed", "1"], capture_output=True, text=True)
    assert run.returncode == 2 and "usage:" in run.stderr


def test_planted_bugs_are_found_and_shrunk():
    """One of the order's life, one of the claim protocol; and what is told of the first is a small world that fails
    again by the command that is given."""
    bugs = ["undo-forgotten", "no-bar-for-a-straggler"]
    run = subprocess.run([sys.executable, ROOT / "tests" / "planted" / "run.py", "--seeds", "200", "--replay", *bugs], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0 and all(f"found  {bug}" in run.stdout for bug in bugs), run.stdout + run.stderr
    assert re.search(r"^shrunk  undo-forgotten: [0-3] faults of \d+, \d orders of 60, and fails again$", run.stdout, flags=re.M), run.stdout
