#!/usr/bin/env python3
"""Breaks the program on purpose, one promise at a time, and sees whether a test notices.

    tests/mutation/run.py [NAME…]        all mutants of mutants.json, or those named

Each mutant is a small edit of the sources. It is applied to a copy of the tree in a temporary folder, built
there, and the tests it names are run: unit and contract tests by target ("wire.id"), tests from outside by
pytest's names ("tests/e2e/test_life.py::test_retry_after_is_honoured"). The first test that fails has caught
it. A mutant that no test catches is a promise that nothing checks: then the exit code is 1, as it is where a
mutant's text is not found any more, does not build, or a test fails on the sources as they are.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E_SECONDS = 300
# A mutant that makes a test hang is caught as well: after so many times what it takes on good sources.
UNIT_TIMES, UNIT_SECONDS_LEAST = 4, 20


class Tree:
    def __init__(self, folder, jobs):
        self.folder, self.build_folder, self.jobs = folder, folder / "build" / "mutation", jobs
        self.seconds = {}  # of each test, on good sources
        for name in subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        subprocess.run(["cmake", "-S", folder, "-B", self.build_folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"],
                       check=True, stdout=subprocess.DEVNULL)

    def build(self, tests):
        """None, or what the compiler says."""
        targets = sorted({"spillway" if is_e2e(test) else f"test.{test}" for test in tests})
        built = subprocess.run(["ninja", "-C", self.build_folder, f"-j{self.jobs}", *targets], capture_output=True, text=True)
        return None if built.returncode == 0 else built.stdout[-3000:] + built.stderr[-1000:]

    def passes(self, test):
        environment = dict(os.environ, SPILLWAY_PROGRAM=str(self.build_folder / "spillway"), PYTHONDONTWRITEBYTECODE="1")
        if is_e2e(test):
            command = [sys.executable, "-m", "pytest", "-x", "-c", "tests/pytest.ini", "--rootdir", "tests", test]
        else:
            command = [self.build_folder / "tests" / f"test.{test}"]
        limit = max(UNIT_SECONDS_LEAST, UNIT_TIMES * self.seconds[test]) if test in self.seconds else E2E_SECONDS
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            good = process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with the servers it has started
            process.wait()
            return False
        if good and not is_e2e(test):
            self.seconds.setdefault(test, time.monotonic() - start)
        return good

    def edit(self, mutant):
        """Applies the mutant; what puts the sources back, or None where its text is not there exactly once."""
        before, after = {}, {}
        for edit in mutant["edits"]:
            path = self.folder / edit["file"]
            before.setdefault(path, path.read_text())
            text = after.get(path, before[path])
            if text.count(edit["old"]) != 1:
                return None
            after[path] = text.replace(edit["old"], edit["new"])
        for path, text in after.items():
            write(path, text)
        return lambda: [write(path, text) for path, text in before.items()]


def write(path, text):
    path.write_text(text)
    # The build goes by times, and two edits may come within one tick of them.
    later = time.time_ns() + 10_000_000
    os.utime(path, ns=(later, later))


def is_e2e(test):
    return "tests/e2e/" in test


def judge(tree, mutant):
    """(whether it was caught, by what or why not)"""
    undo = tree.edit(mutant)
    if undo is None:
        return False, "its text is not in the sources (exactly once)"
    try:
        failure = tree.build(mutant["tests"])
        if failure:
            return False, "does not build:\n" + failure
        for test in mutant["tests"]:
            if not tree.passes(test):
                return True, test
        return False, "SURVIVED"
    finally:
        undo()


def main():
    arguments = argparse.ArgumentParser(description="Breaks the program on purpose and sees whether a test notices.")
    arguments.add_argument("names", nargs="*", metavar="NAME", help="only these mutants")
    arguments.add_argument("--jobs", type=int, default=2, help="compilers at once (default 2)")
    options = arguments.parse_args()
    mutants = json.loads((pathlib.Path(__file__).parent / "mutants.json").read_text())
    unknown = set(options.names) - {mutant["name"] for mutant in mutants}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not options.names or mutant["name"] in options.names]
    tests = sorted({test for mutant in mutants for test in mutant["tests"]})
    with tempfile.TemporaryDirectory(prefix="spillway-mutation-") as folder:
        tree = Tree(pathlib.Path(folder), options.jobs)
        failure = tree.build(tests)
        if failure:
            sys.exit("the sources as they are do not build:\n" + failure)
        failing = [test for test in tests if not tree.passes(test)]
        if failing:
            sys.exit("these fail on the sources as they are: " + ", ".join(failing))
        survivors = 0
        for mutant in mutants:
            caught, how = judge(tree, mutant)
            survivors += not caught
            print(f"{'caught' if caught else 'MISSED':7} {mutant['name']:40} {how}", flush=True)
    print(f"{len(mutants) - survivors} passed, {survivors} failed in mutation")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
