#!/usr/bin/env python3
"""Plants bugs that each break the promise, one at a time, and sees how soon the simulator finds them.

    tests/planted/run.py [--seeds N] [--replay] [NAME…]     all of planted.json, or those named

--replay also shrinks the world in which the simulator found it, and runs the command that is told.

Each bug is a small edit of the sources of production, never of the simulator. It is applied to a copy of the tree in
a temporary folder, the simulator (or, where the bug says so, the program of tests/protocol) is built there and runs
world after world until an invariant breaks: it must be one of those that the bug names. A bug that is not found within the seeds, or by another invariant, whose text is not
found any more or which does not build, makes the exit code 1."""

import argparse
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDERS = "60"


def copy_tree(folder):
    for name in subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file() and name.split("/")[0] in ("src", "cmake", "docs", "CMakeLists.txt") or name.startswith("tests/protocol/"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    subprocess.run(["cmake", "-S", folder, "-B", folder / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DSPILLWAY_TESTS=OFF"],
                   check=True, stdout=subprocess.DEVNULL)


def build(folder, program):
    """None, or what the compiler says."""
    built = subprocess.run(["ninja", "-C", folder / "build", "-j2", program], capture_output=True, text=True)
    return None if built.returncode == 0 else built.stdout[-2000:]


def simulate(folder, program, arguments):
    """The invariant that broke (None: none did), and after how many worlds."""
    run = subprocess.run([folder / "build" / program, *arguments], capture_output=True, text=True, timeout=1200)
    broken = re.search(r"^VIOLATED (\S+):", run.stdout, flags=re.M)
    worlds = re.search(r"^(?:simulated|explored): (\d+) (?:worlds|runs)", run.stdout, flags=re.M)
    if run.returncode not in (0, 1):
        return f"crashed with {run.returncode}", 0
    return (broken.group(1) if broken else None), int(worlds.group(1))


def swarm(seeds):
    return ["--seeds", str(seeds), "--orders", ORDERS, "--data", str(ROOT / "examples" / "online_retail_sample.csv"), "--no-shrinking"]


def replay(folder, broken, seeds):
    """What the simulator shrinks the world to, and whether the command that it gives breaks the same invariant."""
    told = subprocess.run([folder / "build" / "simulator", *swarm(seeds)[:-1]], capture_output=True, text=True, timeout=1200).stdout
    shrunk = re.search(r"^shrunk in \d+ worlds: (.*)$", told, flags=re.M)
    command = re.findall(r"^replay: build/simulator (.*)$", told, flags=re.M)
    if not shrunk or len(command) < 2:
        return "not shrunk: " + told[-500:]
    again = subprocess.run([folder / "build" / "simulator", *shlex.split(command[-1])], capture_output=True, text=True, timeout=1200).stdout
    same = re.search(rf"^VIOLATED {re.escape(broken)}:", again, flags=re.M)
    return f"{shrunk.group(1)}, and {'fails again' if same else 'does not fail again'}"


def plant(folder, bug):
    """Applies it; the texts to put back, or None where one is not there exactly once."""
    before = {}
    for edit in bug["edits"]:
        path = folder / edit["file"]
        text = path.read_text()
        before.setdefault(path, text)
        if text.count(edit["old"]) != 1:
            for one, was in before.items():
                one.write_text(was)
            return None
        path.write_text(text.replace(edit["old"], edit["new"]))
    return before


def try_bug(folder, bug, seeds, replays):
    before = plant(folder, bug)
    if before is None:
        return False, "STALE: its text is not there exactly once"
    try:
        program = bug.get("program", "simulator")
        complaint = build(folder, program)
        if complaint:
            return False, "DOES NOT BUILD: " + complaint
        broken, worlds = simulate(folder, program, bug.get("arguments", swarm(seeds)))
        if replays and broken and program == "simulator":
            print(f"shrunk  {bug['name']}: {replay(folder, broken, seeds)}", flush=True)
    finally:
        for path, text in before.items():
            path.write_text(text)
    if broken in bug["invariants"]:
        return True, f"{broken}, after {worlds} worlds"
    return False, f"MISSED after {worlds} worlds" if broken is None else f"found by another invariant: {broken}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    bugs = json.loads(pathlib.Path(__file__).with_name("planted.json").read_text())
    unknown = set(arguments.names) - {bug["name"] for bug in bugs}
    if unknown:
        sys.exit(f"no such bug: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in bugs if not arguments.names or bug["name"] in arguments.names]
    found = 0
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = pathlib.Path(name)
        copy_tree(folder)
        complaint = build(folder, "simulator")
        if complaint:
            sys.exit(complaint)
        broken, worlds = simulate(folder, "simulator", swarm(200))
        print(f"unpatched: {worlds} worlds, {'all invariants held' if broken is None else broken}", flush=True)
        for bug in chosen:
            good, told = try_bug(folder, bug, arguments.seeds, arguments.replay)
            found += good
            print(f"{'found ' if good else 'FAILED'} {bug['name']}: {told}", flush=True)
    print(f"planted: {found} of {len(chosen)} bugs found")
    return 0 if found == len(chosen) and broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
