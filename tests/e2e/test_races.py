"""Cancels, kills, faults and operators at any moment: what the services were told must always add up."""

import random
import threading
import time

import httpx
import pytest

from harness import Client, FINAL, PLAIN, operator, order, wait_until, wholesale

UNDO = {"reserve": "release", "ship": "recall", "record": "refund"}


def call_back(url, told):
    """As a good service does: again until it is taken."""
    for _ in range(100):
        try:
            if httpx.post(url, json=told, **PLAIN).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.1)


class Ledger:
    """What services that honour keys have applied, refused and undone."""

    def __init__(self, seed, faults):
        self.random, self.faults, self.lock = random.Random(seed), faults, threading.Lock()
        self.outcomes = {}  # key -> (applied, body)

    def answer(self, call):
        with self.lock:
            draw = self.random.random()
            known = call.key in self.outcomes
            if not known and draw < self.faults.get("refuse", 0) and call.command in UNDO:
                self.outcomes[call.key] = (False, call.body)
            elif not known and draw > 1 - self.faults.get("fail", 0):
                return {"status": 503, "headers": {"Retry-After": "0"}}
            else:
                self.outcomes.setdefault(call.key, (True, call.body))
            applied = self.outcomes[call.key][0]
            delay = self.random.random() * self.faults.get("delay", 0)
            lost = self.random.random() < self.faults.get("lost", 0)
            pending = not lost and self.random.random() < self.faults.get("pending", 0)
        told = {"outcome": "done", "reference": call.key} if applied else {"outcome": "refused", "reason": "no"}
        if lost:
            return {"delay": delay, "close": True}
        if pending:
            threading.Timer(delay + 0.05, call_back, (call.callback_url, told)).start()
            return {"status": 202, "body": {}}
        if applied:
            return {"delay": delay, "body": {"reference": call.key}}
        return {"delay": delay, "status": 409, "body": {"reason": "no"}}

    def applied(self, id):
        with self.lock:
            return {key.split(".")[1] for key, (applied, _) in self.outcomes.items() if applied and key.startswith(id + ".")}

    def body(self, id, command):
        return self.outcomes[f"{id}.{command}"][1]


def check(ledger, shown, paid):
    """The effects of a final order match its status (contract section 2)."""
    applied, status = ledger.applied(shown["id"]), shown["status"]
    if status == "completed":
        assert applied == {"reserve", "record", "ship"}, (shown, applied)
        return
    assert status in ("rejected", "cancelled"), shown
    for command in ("reserve", "ship"):
        assert (command in applied) == (UNDO[command] in applied), (shown, applied)
    assert ("refund" in applied) == (paid or "record" in applied), (shown, applied)
    if "refund" in applied:
        assert ledger.body(shown["id"], "refund")["recorded"] == ("record" in applied), (shown, applied)


FAULTS = [
    {"delay": 0.03}, {"delay": 0.05, "refuse": 0.3}, {"fail": 0.3, "refuse": 0.1}, {"lost": 0.3, "refuse": 0.1},
    {"pending": 0.5, "delay": 0.05, "refuse": 0.1}, {"delay": 0.05, "fail": 0.2, "lost": 0.1, "pending": 0.2, "refuse": 0.1},
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_cancels_race_with_every_step(backend, services, number):
    chance, ledger = random.Random(number), Ledger(number, FAULTS[number])
    for commands in UNDO.items():
        for command in commands:
            services.answers[command] = ledger.answer
    ada, orders = Client(backend), []
    for i in range(60):
        paid = i % 3 != 0
        orders.append((ada.created(order() if paid else wholesale()), paid))
        if chance.random() < 0.7:
            id = chance.choice(orders[-4:])[0]  # older ones have long been done
            time.sleep(chance.random() * 0.02)
            assert ada.cancel(id).status_code in (202, 409)
    for id, paid in orders:
        check(ledger, ada.settled(id, 40), paid)
        events = ada.events(id)
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert {ada.status(id) for id, _ in orders} >= {"cancelled"}


def test_kills_and_cancels_with_every_fault(server, services):
    ledger = Ledger(99, FAULTS[-1])
    for commands in UNDO.items():
        for command in commands:
            services.answers[command] = ledger.answer
    backend, orders, chance = server(services), [], random.Random(99)
    for _ in range(6):
        ada = Client(backend)
        for _ in range(15):
            orders.append(ada.created())
            if chance.random() < 0.4:
                ada.cancel(chance.choice(orders))
        time.sleep(chance.random() * 0.3)
        backend.kill()
        backend = backend.restarted()
    ada = Client(backend)
    for id in orders:
        check(ledger, ada.settled(id, 40), True)


def test_operators_race_with_each_other(backend, ada, services):
    services.answers["record"] = {"status": 400, "body": {}}
    id = ada.created()
    ada.settled(id)
    services.answers["record"] = {"body": {"reference": "r"}}
    bosses, codes = [operator(backend) for _ in range(6)], []
    threads = [threading.Thread(target=lambda boss=boss: codes.append(boss.retry(id, "record").status_code)) for boss in bosses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [202] + [409] * 5
    assert ada.settled(id)["status"] == "completed"
    assert len(services.of("record", id)) == 2


def test_a_hostile_service_holds_back_nothing(server, services):
    """Endless bodies, drips, resets, wrong types: bounded in time and memory, and the rest goes on."""
    backend = server(services, accounting_timeout="500ms")
    drip = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 100
    hostile = [
        {"raw": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000}, {"raw": drip}, {"raw": b"\x00" * 1000}, {"close": True}, {"hang": True},
        {"raw": b"HTTP/1.1 500 Oops\r\n" + b"X: y\r\n" * 20000 + b"\r\n"}, {"raw": b"HTTP/1.1 100 Continue\r\n\r\n" * 50},
        {"raw": b"HTTP/9.9 200 OK\r\n\r\n"}, {"status": 599, "body": b"[" * 60000}, {"status": 503, "headers": {"Retry-After": "soon"}},
        {"status": 429, "headers": {"Retry-After": "-5"}}, {"status": 503, "headers": {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}},
    ]
    services.answers["record"] = [*hostile, {"body": {"reference": "at last"}}]
    ada = Client(backend)
    id = ada.created()
    wait_until(lambda: ada.step(id, "ship")["state"] == "done", 5)
    assert ada.settled(id, 60)["status"] == "completed"
    assert ada.step(id, "record")["reference"] == "at last"
    rss = int(next(line for line in open(f"/proc/{backend.process.pid}/status") if line.startswith("VmRSS")).split()[1])
    assert rss < 600_000  # sanitizers included; an unbounded body would pass it only by growing without end
