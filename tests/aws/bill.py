#!/usr/bin/env python3
"""What a million orders cost on AWS: runs some on the rig, counts what AWS would bill, and prints it line by line.

usage: script/bill-aws [--orders N] [--trickle N] [KIND…]     KIND: retail, basket, wholesale; all of them by default

Measured: every count (requests, units, invocations, bytes). Durations are measured too, but here: with emulators in
place of AWS's services, services that take SERVICE_MS for each call, and two dozen threads on few cores. Assumed:
what the constants below say."""

import argparse
import collections
import json
import math
import pathlib
import sys
import tempfile
import threading
import time
import uuid

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]

import httpx  # noqa: E402
import jwt  # noqa: E402
from harness import ALL_SCOPES, PLAIN, order, wait_until, wholesale  # noqa: E402

import emulators  # noqa: E402
import wire  # noqa: E402
import world  # noqa: E402

PRICES = json.loads(pathlib.Path(__file__).with_name("prices.json").read_text())
SERVICE_MS = 50
ACCESS_LOG_BYTES = 270  # a request, at API Gateway: the format in deploy/aws/template.yaml, filled in
REPORT_BYTES = 0  # the template asks Lambda for its own lines only where something is wrong
HEADER_BYTES = 500  # of an answer, beside its body
MONTH_S = 30 * 24 * 3600
COMPLETED = "2"  # enum order_status
POLLERS, POLL_S = 5, 20  # how Lambda polls a queue that is empty

KINDS = {
    "retail": ("retail, one line", lambda: order()),
    "basket": ("retail, 20 lines", lambda: order(lines=lines(20), total=20 * 6 * 255)),
    "wholesale": ("wholesale, 60 lines, on terms", lambda: wholesale(lines=lines(60), total=60 * 6 * 255)),
}


def lines(count):
    return [{"sku": f"85123{chr(65 + i % 26)}{i:02}", "quantity": 6, "unit_price": 255} for i in range(count)]


class Services:
    """All three: good, and neither fast nor slow."""

    def __init__(self):
        self.server = wire.Server(self._answer)

    def _answer(self, request):
        time.sleep(SERVICE_MS / 1000)
        command = request.target.rsplit("/", 1)[-1]
        return wire.Response(200, [("Content-Type", "application/json")], json.dumps({"reference": f"{command}-{uuid.uuid4().hex[:12]}"}).encode())

    def service_url(self, service):
        return f"{self.server.url}/{service}"


class Run:
    """A stack, fed with orders: in full batches (every source waits until its queue is full) or one by one."""

    def __init__(self, started, folder, kind):
        secret, ids = folder / "secret", folder / "id-secret"
        secret.write_text("0123456789abcdef" * 3), ids.write_text("fedcba9876543210" * 3)
        self.services, self.make = Services(), KINDS[kind][1]
        settings = {"SPILLWAY_JWT_SECRET_FILE": str(secret), "SPILLWAY_ID_SECRET_FILE": str(ids),
                    "SPILLWAY_LOG_LEVEL": "warn"}  # as production has it: deploy/aws/samconfig.toml
        settings |= {f"SPILLWAY_{service.upper()}_URL": self.services.service_url(service) for service in world.SERVICES}
        self.world = world.World(started, folder / "stack", settings, shape=world.Shape(concurrency=1, lanes=1))
        token = jwt.encode({"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 3600}, secret.read_text(), algorithm="HS256")
        self.http = httpx.Client(base_url=self.world.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, **PLAIN)
        self.warm()

    def warm(self):
        """Starts and first requests are not what a million orders cost."""
        self.create(), self.finished(1)
        self.world.quiet()
        self.world.meter.reset()
        self.world.front.requests = self.world.front.bytes_out = 0
        self.logged, self.stored = self.world.log_bytes(), self.bytes_stored()
        self.before = self.completed()

    def create(self):
        answer = self.http.post("/v1/orders", json=self.make(), headers={"Idempotency-Key": uuid.uuid4().hex})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def completed(self):
        """An order's state is "<channel><paid>|<status>…" (src/platform/aws/store_dynamodb_item.c)."""
        return sum(item["r"]["S"] == "o" and item["s"]["S"].split("|")[1][0] == COMPLETED for item in self.world.items())

    def finished(self, count, seconds=60):
        wait_until(lambda: not self.world.waiting() and self.completed() >= count, seconds, 0.1)

    def full(self, count):
        self.world.pause()
        for _ in range(count):
            self.create()
        end = time.monotonic() + 120
        while self.completed() < self.before + count:
            assert time.monotonic() < end, self.world.waiting()
            for source in [self.world.relay, *self.world.sources.values()]:
                self._drain(source)
        self.world.resume()

    def _drain(self, source):
        is_stream = source is self.world.relay
        if not is_stream and not sum(source.counts()):
            return
        source.resume()
        if is_stream:
            time.sleep(0.3)  # the stream is some 100 ms behind the table
        wait_until(lambda: source.is_idle() if is_stream else not sum(source.counts()) and not source.under_way, 60)
        source.pause()

    def trickle(self, count):
        for number in range(count):
            self.create()
            self.finished(self.before + number + 1)

    def bytes_stored(self):
        return sum(size_of(item) for item in self.world.items())

    def measured(self, count):
        """Everything, for one order."""
        meter, each = self.world.meter, lambda counted: {name: value / count for name, value in counted.items()}
        logged = {name: size - self.logged[name] for name, size in self.world.log_bytes().items()}
        return {
            "requests": self.world.front.requests / count, "bytes out": self.world.front.bytes_out / count,
            "write units": each(meter.under("units", "write")), "read units": each(meter.under("units", "read")), "refused": each(meter.under("refused")),
            "sqs": each(meter.under("sqs")), "invocations": each(meter.under("invocations")), "duration_ms": each(meter.under("duration_ms")),
            "logged": each(logged), "stored": (self.bytes_stored() - self.stored) / count,
        }

    def close(self):
        self.http.close()
        wrong = self.world.close()
        self.services.server.close()
        assert not wrong, wrong


def size_of(item):
    """As DynamoDB counts: names and values in UTF-8, and 100 bytes an item of the table's overhead."""
    def value(attribute):
        (kind, held), = attribute.items()
        if kind == "L":
            return 3 + sum(1 + value(one) for one in held)
        if kind == "M":
            return 3 + sum(1 + len(name) + value(one) for name, one in held.items())
        return len(held.encode()) if isinstance(held, str) else sum(map(len, held)) if isinstance(held, list) else 1
    return 100 + sum(len(name) + value(attribute) for name, attribute in item.items())


def run(started, kind, mode, count):
    with tempfile.TemporaryDirectory() as folder:
        one = Run(started, pathlib.Path(folder), kind)
        try:
            getattr(one, mode)(count)
            one.world.quiet()
            return one.measured(count)
        finally:
            one.close()


def bill(measured):
    """[(what, quantity of one order, its unit, USD for a million orders)]."""
    found, dynamodb, sqs, functions = [], PRICES["dynamodb"], PRICES["sqs"], PRICES["lambda_arm64"]

    def add(what, quantity, unit, usd_each):
        if quantity:
            found.append((what, quantity, unit, quantity * usd_each * 1e6))

    add("HTTP API: requests", measured["requests"], "requests", PRICES["http_api"]["million_requests"] / 1e6)
    for (operation, where), units in measured["write units"].items():
        add(f"DynamoDB: {operation}, {where}", units, "write units", dynamodb["million_write_units"] / 1e6)
    for (operation, where), units in measured["read units"].items():
        add(f"DynamoDB: {operation}, {where}", units, "read units", dynamodb["million_read_units"] / 1e6)
    for (operation, kind), times in measured["refused"].items():
        add(f"DynamoDB: {operation} {kind.removesuffix('Exception')}", times, "write units", dynamodb["million_write_units"] / 1e6)
    for (operation,), times in measured["sqs"].items():
        add(f"SQS: {operation}", times, "requests", sqs["million_requests"] / 1e6)
    for (name,), times in measured["invocations"].items():
        add(f"Lambda: {name}, requests", times, "requests", functions["million_requests"] / 1e6)
        duration = measured["duration_ms"][name,] + times * functions["step_ms"] / 2  # each is rounded up
        add(f"Lambda: {name}, duration (of this machine)", duration, "ms of 128 MB", duration and functions["gb_second"] * 128 / 1024 / 1000)
    add("CloudWatch: functions' logs and metrics", sum(measured["logged"].values()) / 1024, "KB", PRICES["cloudwatch_logs"]["gb"] / 2**20)
    reported = REPORT_BYTES * sum(measured["invocations"].values())
    add("CloudWatch: access log (assumed size)", (ACCESS_LOG_BYTES * measured["requests"] + reported) / 1024, "KB", PRICES["cloudwatch_logs"]["gb"] / 2**20)
    add("Data out: answers (their headers assumed)", (measured["bytes out"] + HEADER_BYTES * measured["requests"]) / 1024, "KB", PRICES["data_out"]["gb"] / 2**20)
    return found


def idle_usd(queues):
    """A month in which nothing happens: only empty queues are polled."""
    return queues * POLLERS * (MONTH_S / POLL_S) * PRICES["sqs"]["million_requests"] / 1e6


def show(kind, mode, lines_of_bill, kept):
    total = sum(usd for *_, usd in lines_of_bill)
    print(f"\n{KINDS[kind][0]}, {'full batches' if mode == 'full' else 'one order at a time'}: {total:.2f} {PRICES['currency']} a million orders")
    for what, quantity, unit, usd in lines_of_bill:
        print(f"  {usd:7.3f}  {what:54} {quantity:9.4f} {unit} an order")
    print(f"  and for each month that they are kept: {kept:.2f}")
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=200, help="in full batches")
    parser.add_argument("--trickle", type=int, default=10, help="one at a time")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    options = parser.parse_args()
    started = emulators.Emulators()
    try:
        print(f"List prices of {PRICES['as_of']}: {PRICES['source']}.")
        print(f"Counts are measured. Durations are measured on this machine, with services that take {SERVICE_MS} ms. Assumed: an access log line of "
              f"{ACCESS_LOG_BYTES} bytes, {HEADER_BYTES} bytes of headers an answer. Logged from warn on.")
        for kind in options.kinds or KINDS:
            for mode, count in (("full", options.orders), ("trickle", options.trickle)):
                measured = run(started, kind, mode, count)
                show(kind, mode, bill(measured), measured["stored"] / 2**30 * PRICES["dynamodb"]["gb_month"] * 1e6)
        queues = 15
        print(f"\nAt rest: {idle_usd(queues):.2f} {PRICES['currency']} a month for polling {queues} empty queues (assumed: {POLLERS} pollers, {POLL_S} s each).")
    finally:
        started.stop()


if __name__ == "__main__":
    main()
