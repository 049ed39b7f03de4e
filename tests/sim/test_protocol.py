"""The claim protocol of the DynamoDB store, request by request (tests/protocol): every interleaving of two functions with
one mishap, or with time that passes, and many of three by chance."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SPILLWAY_SIMULATOR", ROOT / "build" / "simulator")).with_name("protocol")


@pytest.mark.parametrize("arguments, least", [
    (["--mishaps", "1", "--jumps", "0", "--chance", "400"], 20_000),
    (["--mishaps", "0", "--jumps", "1"], 4_000),
])
def test_no_interleaving_breaks_a_rule(arguments, least):
    run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
    assert int(re.search(r"^explored: (\d+) runs", run.stdout, flags=re.M).group(1)) > least


def test_choices_are_replayed_with_their_story():
    run = subprocess.run([PROGRAM, "--only", "two-orders-one-payment", "--choices", "0.1"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stdout.count("PutItem") >= 3 and "claim taken" in run.stdout, run.stdout
