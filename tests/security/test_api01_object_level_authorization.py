"""API1:2023 Broken Object Level Authorization: whose order it is decides, whatever else a caller knows of it."""

import base64

import pytest

from harness import Client, operator, order, wait_until, wholesale
from outside import CALLERS, NOBODY, TABLE, call, call_route, described, token_of, waiting_order
from test_create import problem

OF_ONE_ORDER = [route for route in TABLE if "{id}" in route[1]]


def test_every_route_has_its_row():
    assert set(TABLE) == described()
    assert all(len(row) == len(CALLERS) for row in TABLE.values())


@pytest.mark.parametrize("route", OF_ONE_ORDER, ids=" ".join)
@pytest.mark.parametrize("caller", ["owner", "other", "operator"])
def test_owner_other_and_operator(backend, services, route, caller):
    id = waiting_order(backend, services)
    answer = call_route(backend, route, caller, id)
    assert answer.status_code == TABLE[route][CALLERS.index(caller)], answer.text
    if caller == "other":
        assert id not in answer.text and "ada" not in answer.text


@pytest.mark.parametrize("route", [route for route in OF_ONE_ORDER if TABLE[route][CALLERS.index("other")] == 404], ids=" ".join)
def test_a_foreign_order_answers_as_one_that_never_was(backend, services, route):
    """Byte for byte, headers included, so that nobody learns which ids exist."""
    theirs = call_route(backend, route, "other", waiting_order(backend, services))
    nobodys = call_route(backend, route, "other", NOBODY)
    same = lambda response: [(name, value) for name, value in response.headers.items() if name not in ("date", "traceparent")]
    assert theirs.content == nobodys.content and same(theirs) == same(nobodys)


def test_names_that_begin_alike_are_not_the_same_customer(backend, ada):
    id = ada.created()
    for name in ("ad", "ada2", "ADA", "ada ", " ada", "ada.", "äda"):
        problem(Client(backend, name).get(id), 404, "not-found")


def test_knowing_the_version_or_waiting_opens_nothing(backend, ada):
    id = ada.created()
    etag, bob = ada.get(id).headers["ETag"], Client(backend, "bob")
    for headers in ({"If-None-Match": etag}, {"If-None-Match": "*"}, {"Prefer": "wait=20"}):
        problem(bob.get(id, headers=headers), 404, "not-found")
    assert bob.http.head(f"/v1/orders/{id}").status_code == 404


def test_another_customers_cursor_lists_ones_own_orders(backend, ada):
    theirs = [ada.created() for _ in range(3)]
    bob = Client(backend, "bob")
    mine = bob.created()
    cursor = ada.http.get("/v1/orders", params={"limit": 1}).json()["next_cursor"]
    shown = bob.http.get("/v1/orders", params={"cursor": cursor}).json()["orders"]
    assert {entry["id"] for entry in shown} <= {mine}
    forged = base64.urlsafe_b64encode(f"9999999999999.{theirs[0]}.0".encode()).rstrip(b"=").decode()
    assert [entry["id"] for entry in bob.http.get("/v1/orders", params={"cursor": forged}).json()["orders"]] == [mine]


def test_the_customer_filter_is_for_operators(backend, ada):
    ada.created()
    for query in ("customer=ada", "customer=bob&customer=ada", "limit=5&customer=ada", "customer=*"):
        assert Client(backend, "bob").http.get(f"/v1/orders?{query}").status_code in (400, 403)


def test_a_key_of_another_customers_makes_an_order_of_ones_own(backend, ada, key):
    shared = key()
    first, second = ada.created(key=shared), Client(backend, "bob").created(key=shared)
    assert first != second
    problem(ada.get(second), 404, "not-found")


@pytest.mark.parametrize("body", [order, wholesale])
def test_a_payment_that_is_taken_names_its_order_to_the_owner_only(backend, ada, body):
    taken = body() if body is order else wholesale(payment={"reference": "pay-w-shared"})
    id = ada.created(taken)
    own, other = ada.create(taken), Client(backend, "bob").create(taken)
    assert id in problem(own, 409, "payment-already-used")["detail"]
    assert id not in str(problem(other, 409, "payment-already-used")) and "ada" not in other.text


def test_every_other_spelling_of_an_id_is_none(backend, ada):
    id = ada.created()
    for spelling in (id.upper(), "%6f" + id[1:], id + "%00", id + ".", id[:-1], id.replace("ord_", "ord-"), id + ";a=b", f"{id}%2fevents", f"%2e%2e%2forders%2f{id}"):
        assert call(backend, "GET", f"/v1/orders/{spelling}", token_of(backend, "owner")).status_code == 404, spelling


def test_an_operator_sees_and_cancels_what_is_a_customers(backend, services):
    id = waiting_order(backend, services)
    boss = operator(backend)
    assert boss.order(id)["customer"] == "ada"
    assert boss.cancel(id).status_code == 202
    services.answers["record"] = {"body": {"reference": "r"}}
    assert wait_until(lambda: boss.order(id) if boss.status(id) == "cancelled" else None)["customer"] == "ada"
