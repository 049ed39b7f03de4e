"""kill -9 under load: python tests/crash/run.py [--rounds 50] [--seed N]

One sandbox with faults on, one surge of real orders, and a server that is killed with SIGKILL at a random
moment of each round and started again on the same data. Ends with the audit: its last four columns must be
zero. SPILLWAY_PROGRAM names the program.
"""

import argparse
import os
import pathlib
import random
import re
import secrets
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SPILLWAY_PROGRAM", str(ROOT / "build" / "spillway"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
ROUNDS_A_SURGE = 200


class Rig:
    def __init__(self, folder, seed):
        self.folder, self.random = pathlib.Path(folder), random.Random(seed)
        self.secret = self.folder / "secret"
        self.secret.write_text(secrets.token_hex(32))
        self.data = self.folder / "data"
        self.log = open(self.folder / "server.log", "ab")
        self.sandbox = self.start("sandbox", "--listen", "127.0.0.1:0", "--stock", "1000000", "--fail-rate", "0.03",
                                  "--lost-rate", "0.03", "--slow-rate", "0.05", "--slow-for", "300ms", "--pending-rate", "0.05",
                                  "--callback-delay", "200ms", "--refuse-rate", "0.02", "--seed", str(seed))
        self.services = self.address(self.sandbox)
        self.server = None
        self.url = "http://127.0.0.1:0"
        self.serve()

    def start(self, *arguments, **environment):
        return subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=self.log, env=ENVIRONMENT | environment)

    def address(self, process):
        line = process.stdout.readline().decode()
        match = re.search(r"http://[^/\s]+", line)
        if not match:
            sys.exit(f"a process did not start: {line}{(self.folder / 'server.log').read_text()[-3000:]}")
        return match.group(0)

    def start_server(self, **environment):
        urls = [f"--{service}-url={self.services}/{service}" for service in ("inventory", "accounting", "fulfilment")]
        self.server = self.start("serve", f"--listen={self.url[len('http://'):]}", f"--data={self.data}",
                                 f"--jwt-secret-file={self.secret}", "--retry-first=50ms", "--retry-max=1s", *urls, **environment)

    def serve(self):
        self.start_server()
        self.url = self.address(self.server)

    def kill_and_serve(self):
        time.sleep(self.random.uniform(0.05, 0.9))
        self.server.kill()
        self.server.wait()
        self.serve()

    def surge(self, rounds, number):
        return subprocess.Popen(
            [PROGRAM, "surge", f"--url={self.url}", f"--secret-file={self.secret}", f"--ledger={self.folder / 'surge.jsonl'}",
             "--base-rate=150", "--peak-rate=600", f"--duration={max(5, round(rounds * 0.62))}s", "--connections=64",
             "--retries=100000", f"--run=crash{number}", f"--orders-file={ROOT / 'examples' / 'online_retail_sample.csv'}"],
            stdout=subprocess.DEVNULL, stderr=self.log, env=ENVIRONMENT)

    def audit(self):
        return subprocess.run([PROGRAM, "audit", f"--url={self.url}", f"--sandbox-url={self.services}", f"--secret-file={self.secret}",
                               f"--ledger={self.folder / 'surge.jsonl'}", "--wait=2m"], env=ENVIRONMENT).returncode

    def stop(self):
        for process in (self.server, self.sandbox):
            if process:
                process.terminate()
                process.wait(20)


def parse(**numbers):
    """The options, each a number with its default; and the seed."""
    parser = argparse.ArgumentParser()
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    return parser.parse_args()


def audited(rig_type, options, work):
    """What `work(rig)` gives. The audit that comes after it must find nothing."""
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rig = rig_type(folder, options.seed)
        try:
            result, code = work(rig), rig.audit()
        finally:
            rig.stop()
    if code:
        given = " ".join(f"--{name} {value}" for name, value in vars(options).items())
        sys.exit(f"the audit found violations; again with: {sys.argv[0]} {given}")
    return result


def main():
    options, started = parse(rounds=50), time.monotonic()

    def kill(rig):
        for number, first in enumerate(range(0, options.rounds, ROUNDS_A_SURGE)):
            rounds = min(ROUNDS_A_SURGE, options.rounds - first)
            surge = rig.surge(rounds, number)
            for _ in range(rounds):
                rig.kill_and_serve()
            if surge.wait(600) != 0:
                sys.exit("the surge did not run to its end")

    audited(Rig, options, kill)
    print(f"rounds: {options.rounds}, each ended by SIGKILL under load")
    print(f"{options.rounds} passed in {time.monotonic() - started:.1f}s")


if __name__ == "__main__":
    main()
