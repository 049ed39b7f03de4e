"""The server while memory runs out: python tests/disk/serve.py [--rounds 100] [--every 1] [--seed N]

As tests/crash/run.py, but each round the server's Nth allocation fails, in whatever library it is (or that one
and all after it), while real orders come in. The server must go on, refuse the start with a message, or end by
its panic; it is started again. Then it is started for every EVERY-th allocation of a start. At the end the audit's
last four columns must be zero. SPILLWAY_PROGRAM names the program, SPILLWAY_SHIM the library built of
allocation_shim.c.
"""

import itertools
import os
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "crash"))
import run as crash  # noqa: E402

SHIM = os.environ.get("SPILLWAY_SHIM", str(ROOT / "build" / "tests" / "liballocation_shim.so"))
STARTING, ALLOCATIONS_MAX = 3000, 400_000


class Rig(crash.Rig):
    """`ends` counts how rounds ended."""

    def __init__(self, folder, seed):
        self.ends = {"went on": 0, "panic": 0, "start refused": 0}
        super().__init__(folder, seed)

    def said(self, since):
        with open(self.folder / "server.log", "rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def draw(self):
        """Half of them while it starts, half under load."""
        most = STARTING if self.random.random() < 0.4 else ALLOCATIONS_MAX
        return f"{int(most ** self.random.uniform(0.3, 1.0))}{self.random.choice(['', '', '+'])}"

    def start_failing(self, at):
        self.start_server(LD_PRELOAD=SHIM, SPILLWAY_FAIL_ALLOCATION=at)

    def serve_short_of_memory(self):
        at, since = self.draw(), os.path.getsize(self.folder / "server.log")
        self.server.kill()
        self.server.wait()
        self.start_failing(at)
        started = self.server.stdout.readline() != b""
        until = time.monotonic() + self.random.uniform(0.2, 1.5)
        while self.server.poll() is None and (not started or time.monotonic() < until):
            time.sleep(0.01)
        self.judge(at, started, self.said(since))
        if self.server.poll() is not None:
            self.serve()

    def starts_short_of_memory(self, every):
        """With a database without orders, until a start gets by without the allocation that would fail; elsewhere, or
        it would refuse callbacks for the orders that there were. Then the server runs again with those."""
        self.server.terminate()
        self.server.wait(20)
        kept, self.data, self.url = (self.data, self.url), self.folder / "none", "http://127.0.0.1:0"
        starts, first = 0, self.random.randint(1, every)
        for for_ever in ("", "+"):
            for number in itertools.count(first, every):
                at, since = f"{number}{for_ever}", os.path.getsize(self.folder / "server.log")
                self.start_failing(at)
                started = self.server.stdout.readline() != b""
                failed = "allocation_failed" in self.said(since)
                self.server.terminate()
                self.server.wait(20)
                self.judge(at, started, self.said(since), stopped=started)
                starts += 1
                if started and not failed:
                    break
        self.data, self.url = kept
        self.serve()
        return starts

    def judge(self, at, started, said, stopped=False):
        code = self.server.poll()
        if code == (0 if stopped else None):
            self.ends["went on"] += "allocation_failed" in said
        elif code == -signal.SIGABRT and '"event":"panic"' in said:
            self.ends["panic"] += 1
        elif code in (1, 2) and not started and said.replace('{"event":"allocation_failed"}', "").strip():
            self.ends["start refused"] += 1
        else:
            sys.exit(f"allocation {at}: the server ended with {code} and said:\n{said[-2000:]}")


def main():
    options, started = crash.parse(rounds=100, every=1), time.monotonic()

    def starve(rig):
        surge, rounds = rig.surge(options.rounds * 2, 0), 0
        while surge.poll() is None and rounds < options.rounds:
            rig.serve_short_of_memory()
            rounds += 1
        if surge.wait(600) != 0:
            sys.exit("the surge did not run to its end")
        return rounds + rig.starts_short_of_memory(options.every), rig.ends

    rounds, ends = crash.audited(Rig, options, starve)
    print(f"rounds: {rounds} with a failed allocation: " + ", ".join(f"{count} {end}" for end, count in ends.items()))
    print(f"{rounds} passed in {time.monotonic() - started:.1f}s")


if __name__ == "__main__":
    main()
