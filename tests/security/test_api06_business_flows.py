"""API6:2023 Unrestricted Access to Sensitive Business Flows: one payment pays once, a coupon spike makes no order
twice, and no way of cancelling gives money back twice."""

import concurrent.futures
import threading
import uuid

import pytest

from harness import Client, FINAL, PLAIN, order, wait_until, wholesale
from test_create import problem


def at_once(*works):
    """Runs the works at one moment; their results."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait(20)
        return work()

    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_one_payment_is_one_order_whoever_claims_it(backend, services):
    """Twelve customers claim one payment at one moment, with orders and keys of their own."""
    reference = "pay_" + uuid.uuid4().hex
    clients = [Client(backend, f"customer-{number}") for number in range(12)]
    answers = at_once(*(lambda client=client: client.create(order(payment={"reference": reference})) for client in clients))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 11
    winner = next(client for client, answer in zip(clients, answers) if answer.status_code == 202)
    id = winner.http.get("/v1/orders").json()["orders"][0]["id"]
    winner.settled(id)
    assert len(services.of("reserve")) == len(services.of("record")) == len(services.of("ship")) == 1


def test_a_coupon_sent_again_and_again_is_one_order(backend, services):
    """The impatient click: one key, twenty times at once."""
    ada, body, key = Client(backend), order(coupon="XMAS-50", discount=765, total=765), uuid.uuid4().hex
    answers = at_once(*(lambda: Client(backend).create(body, key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202} and len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    ada.settled(answers[0].json()["id"])
    assert len(services.of("record")) == 1


def test_a_coupon_with_a_new_key_each_time_needs_a_new_payment_each_time(ada):
    body = order(coupon="XMAS-50", discount=765, total=765)
    assert ada.create(body).status_code == 202
    for _ in range(5):
        problem(ada.create(body), 409, "payment-already-used")


@pytest.mark.parametrize("discount, total", [(1531, 0), (1531, -1), (2**62, 0), (-1, 1531), (1530, 1)])
def test_a_discount_never_turns_into_money(ada, discount, total):
    problem(ada.create(order(discount=discount, total=total)), 422, "invalid-order")


def test_the_total_is_what_the_lines_say(ada):
    for changes in ({"total": 1}, {"total": 0}, {"lines": [{"sku": "85123A", "quantity": 7, "unit_price": 255}]}, {"shipping": 1}, {"tax": 1}, {"discount": 1}):
        problem(ada.create(order(**changes)), 422, "invalid-order")


@pytest.mark.parametrize("end", ["cancelled", "rejected"])
def test_a_payment_that_was_given_back_pays_for_nothing_more(backend, ada, services, end):
    body = order()
    if end == "rejected":
        services.answers["ship"] = {"status": 409, "body": {"reason": "no_carrier"}}
    else:
        services.answers["ship"] = {"status": 202, "body": {}}
    id = ada.created(body)
    if end == "cancelled":
        call = wait_until(lambda: services.of("ship", id))[0]
        ada.cancel(id)
        import httpx
        httpx.post(call.callback_url, json={"outcome": "done", "reference": "late"}, **PLAIN)
    assert ada.settled(id)["status"] == end and len(services.of("refund", id)) == 1
    services.answers.clear()
    problem(ada.create(body), 409, "payment-already-used")
    problem(Client(backend, "bob").create(body), 409, "payment-already-used")
    assert len(services.of("record")) == 1


def test_many_cancellations_are_one_refund(backend, ada, services):
    services.answers["ship"] = {"status": 503, "body": {}}
    id = ada.created()
    wait_until(lambda: ada.step(id, "record")["state"] == "done")
    answers = at_once(*(lambda: Client(backend).cancel(id) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    services.answers["ship"] = {"status": 409, "body": {"reason": "unknown"}}
    assert ada.settled(id)["status"] == "cancelled"
    assert len({call.key for call in services.of("refund", id)}) == 1
    assert len(services.of("refund", id)) == 1 and len(services.of("release", id)) == 1


def test_a_cancellation_and_the_last_step_race(backend, services):
    """Either the goods are gone and the money stays, or the money is back and the goods are recalled."""
    for _ in range(12):
        ada, gate = Client(backend), threading.Event()
        services.answers["ship"] = lambda call, gate=gate: (gate.wait(10), {"body": {"reference": "shp"}})[1]
        id = ada.created()
        wait_until(lambda: services.of("ship", id))
        at_once(gate.set, lambda: ada.cancel(id))
        done = ada.settled(id)
        told = services.commands(id)
        assert done["status"] in ("completed", "cancelled")
        assert ("refund" in told) == ("recall" in told) == ("release" in told) == (done["status"] == "cancelled")
        assert all(told.count(command) == 1 for command in set(told)), told


def test_what_is_final_stays_final(backend, ada, services):
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    version = ada.order(id)["version"]
    for answer in at_once(*(lambda: Client(backend).cancel(id) for _ in range(6))):
        problem(answer, 409, "order-final")
    assert ada.order(id)["version"] == version and services.of("refund", id) == []


def test_one_purchase_order_is_one_order(backend, services):
    number = "po-" + uuid.uuid4().hex
    answers = at_once(*(lambda: Client(backend).create(wholesale(purchase_order=number)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7


def test_goods_are_reserved_before_money_is_booked(ada, services):
    """Out of stock is known before anything is recorded or shipped: a spike sells nothing that is not there."""
    services.answers["reserve"] = {"status": 409, "body": {"reason": "out_of_stock"}}
    id = ada.created()
    assert ada.settled(id)["status"] == "rejected" and ada.order(id)["status"] in FINAL
    assert services.commands(id) == ["reserve", "refund"]
