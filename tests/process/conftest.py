"""Fixtures of the tests at process level: those of tests/e2e, and `spike`, a surge with its audit."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E = ROOT / "tests" / "e2e"
sys.path.insert(1, str(E2E))
pytest.register_assert_rewrite("hostile")

specification = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
e2e = importlib.util.module_from_spec(specification)
specification.loader.exec_module(e2e)
program, folder, secret_file, services, sandbox, server, backend, ada = (
    getattr(e2e, name) for name in ("program", "folder", "secret_file", "services", "sandbox", "server", "backend", "ada"))

from harness import clean_environment  # noqa: E402  (needs the path above)

FAULTS = ("--fail-rate", "0.03", "--lost-rate", "0.03", "--slow-rate", "0.03", "--slow-for", "300ms", "--pending-rate", "0.03",
          "--callback-delay", "100ms", "--refuse-rate", "0.03")
ORDERS_FILE = ROOT / "examples" / "online_retail_sample.csv"


class Spike:
    """`spillway surge` against an address, in the background; then `spillway audit`."""

    def __init__(self, program, folder, secret_file, url, *arguments):
        self.program, self.secret_file, self.url, self.ledger = program, secret_file, url, folder / "ledger.jsonl"
        self.log = open(folder / "surge.log", "wb")
        self.process = subprocess.Popen(
            [program.path, "surge", f"--url={url}", f"--secret-file={secret_file}", f"--ledger={self.ledger}", f"--orders-file={ORDERS_FILE}",
             "--retries=100000", "--timeout=5s", *arguments], stdout=self.log, stderr=self.log, env=clean_environment())

    def is_running(self):
        return self.process.poll() is None

    def ended(self, seconds=90):
        code = self.process.wait(seconds)
        self.log.close()
        assert code == 0, open(self.log.name).read()[-2000:]

    def audit(self, sandbox, url=None):
        """The row of the audit, by column; fails unless the last four are zero."""
        result = self.program.run("audit", f"--url={url or self.url}", f"--sandbox-url={sandbox.url}", f"--secret-file={self.secret_file}",
                                  f"--ledger={self.ledger}", "--wait=60s", timeout=120)
        rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
        assert len(rows) >= 2, result.stdout + result.stderr
        names, cells = ([cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], rows[-1]))
        row = {name.split(" ")[0]: int(re.match(r"\d+", cell).group()) for name, cell in zip(names, cells)}
        assert [row[name] for name in ("lost", "duplicated", "half-finished", "foreign")] == [0, 0, 0, 0], result.stdout
        assert result.returncode == 0, result.stdout + result.stderr
        assert row["acknowledged"] > 0
        return row


@pytest.fixture
def spike(program, folder, secret_file):
    started = []

    def start(url, *arguments):
        started.append(Spike(program, folder, secret_file, url, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.is_running():
            one.process.kill()
            one.process.wait()
