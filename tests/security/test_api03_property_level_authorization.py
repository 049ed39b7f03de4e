"""API3:2023 Broken Object Property Level Authorization: no member of an order that is the server's to set can be sent,
and nobody is shown more of an order than is theirs to see."""

import uuid

import httpx
import pytest

from harness import Client, PLAIN, operator, order, wait_until, wholesale
from outside import DOCUMENT, call, token_of, waiting_order
from test_create import pointers, problem

SCHEMAS = DOCUMENT["components"]["schemas"]
SENT = set(SCHEMAS["NewRetailOrder"]["properties"]) | set(SCHEMAS["NewWholesaleOrder"]["properties"])
# What an order has and a client may not send; taken from the document, so that a new member is covered.
SERVERS = sorted(set(SCHEMAS["Order"]["properties"]) - SENT)
VALUES = {"id": "ord_" + "0" * 32, "customer": "bob", "status": "completed", "version": 99, "reason": "free", "subtotal": 1,
          "steps": [{"name": "record", "state": "done"}], "refund": {"state": "done", "reference": "r"},
          "created_at": "2020-01-01T00:00:00.000Z", "updated_at": "2020-01-01T00:00:00.000Z"}
# Not members of the order shown, but of what is kept of it, or of other systems' like it.
INNER = ["target", "revision", "traceparent", "content_json", "slots", "paid", "price", "is_admin", "scope", "sub", "claims", "idempotency_key", "__proto__"]


def test_the_servers_members_are_known():
    assert set(SERVERS) == set(VALUES), "give each a value to try"


@pytest.mark.parametrize("member", SERVERS + INNER)
@pytest.mark.parametrize("make", [order, wholesale], ids=["retail", "wholesale"])
def test_the_servers_members_are_refused_by_name(ada, member, make):
    for value in (VALUES.get(member, "x"), None):
        body = make()
        body[member] = value
        assert f"/{member}" in pointers(ada.create(body))


@pytest.mark.parametrize("place, pointer", [
    (lambda body: body["lines"][0], "/lines/0"), (lambda body: body["payment"], "/payment"), (lambda body: body["ship_to"], "/ship_to"),
], ids=["lines", "payment", "ship_to"])
@pytest.mark.parametrize("member", ["id", "status", "amount", "state", "price", "discount"])
def test_below_the_root_too(ada, place, pointer, member):
    body = order()
    place(body)[member] = 1
    assert f"{pointer}/{member}" in pointers(ada.create(body))


def test_what_was_refused_made_no_order(ada, services, key):
    used = key()
    pointers(ada.create({**order(), "status": "completed", "customer": "bob"}, key=used))
    assert ada.http.get("/v1/orders").json()["orders"] == []
    created = ada.order(ada.created(key=used))
    assert created["customer"] == "ada" and created["version"] >= 1


@pytest.mark.parametrize("member, value", [("status", "completed"), ("customer", "bob"), ("refund", {"state": "done"}), ("reference", "r"), ("force", True)])
def test_a_cancellation_sets_nothing(ada, services, member, value):
    services.answers["reserve"] = {"status": 202, "body": {}}
    id = ada.created()
    problem(ada.cancel(id, json={member: value}), 422, "invalid-request")
    assert ada.status(id) in ("accepted", "processing")


@pytest.mark.parametrize("member, value", [("customer", "bob"), ("status", "completed"), ("attempts", 0), ("state", "done"), ("by_hand", False)])
def test_an_operator_sets_no_more_than_a_skip_does(backend, services, member, value):
    id = waiting_order(backend, services)
    problem(operator(backend).skip(id, "record", reason="r", **{member: value}), 422, "invalid-request")
    assert operator(backend).status(id) == "attention"


def test_a_callback_sets_no_more_than_its_outcome(ada, services):
    """What a service adds is passed over: the order's other members stay what they were."""
    services.answers["reserve"] = {"status": 202, "body": {}}
    id = ada.created()
    call = wait_until(lambda: services.of("reserve", id))[0]
    before = ada.order(id)
    body = {"outcome": "done", "reference": "r-1", "status": "cancelled", "customer": "bob", "total": 1, "order": "ord_" + "0" * 32, "command": "refund"}
    assert httpx.post(call.callback_url, json=body, **PLAIN).status_code == 204
    after = ada.settled(id)
    assert after["status"] == "completed" and ada.step(id, "reserve")["reference"] == "r-1"
    for member in ("id", "customer", "total", "created_at", "lines", "payment", "ship_to"):
        assert after[member] == before[member]


def members_of(value, path=""):
    if isinstance(value, dict):
        for name, below in value.items():
            yield f"{path}/{name}"
            yield from members_of(below, f"{path}/{name}")
    if isinstance(value, list):
        for below in value:
            yield from members_of(below, path + "/*")


def described(schema, path="", depth=0):
    """The paths of all members that a schema describes."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]]
    for choice in schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
        yield from described(choice, path, depth + 1)
    for name, below in schema.get("properties", {}).items():
        yield f"{path}/{name}"
        yield from described(below, f"{path}/{name}", depth + 1)
    if "items" in schema:
        yield from described(schema["items"], path + "/*", depth + 1)


@pytest.mark.parametrize("path, schema", [("/v1/orders", "OrderPage"), ("/v1/orders/{id}", "Order"), ("/v1/orders/{id}/events", "Events")])
def test_an_order_shows_what_is_described_and_no_more(backend, services, path, schema):
    id = waiting_order(backend, services)
    shown = call(backend, "GET", path.replace("{id}", id), token_of(backend, "owner")).json()
    found = set(members_of(shown))
    assert found and found <= set(described(SCHEMAS[schema])), found - set(described(SCHEMAS[schema]))


def test_a_list_shows_no_addresses_and_no_payments(ada):
    ada.created(order(payment={"reference": "pay-secret"}, coupon="COUPON-SECRET"))
    text = ada.http.get("/v1/orders").text
    for private in ("pay-secret", "COUPON-SECRET", "Hart", "LS1"):
        assert private not in text


def test_a_summary_tells_no_more_than_a_summary(ada):
    answer = ada.create().json()
    assert set(answer) == set(SCHEMAS["Summary"]["properties"])


def test_the_callback_token_is_shown_to_the_service_alone(backend, ada, services):
    services.answers["reserve"] = {"status": 202, "body": {}}
    id = ada.created()
    token = wait_until(lambda: services.of("reserve", id))[0].callback_url.split("token=")[1]
    boss = operator(backend)
    for answer in (ada.get(id), ada.http.get(f"/v1/orders/{id}/events"), boss.get(id), boss.http.get("/v1/attention"), boss.http.get("/metrics")):
        assert answer.status_code == 200 and token not in answer.text
    assert token not in open(backend.log_path).read()


def test_each_service_is_told_what_its_command_needs(ada, services):
    body = order(payment={"reference": "pay-" + uuid.uuid4().hex})
    id = ada.created(body)
    ada.settled(id)
    told = {command: services.of(command, id)[0].body for command in ("reserve", "record", "ship")}
    assert "payment" not in told["reserve"] and "ship_to" not in told["reserve"]
    assert "ship_to" not in told["record"] and "payment" not in told["ship"]
    for command in told:
        assert "Authorization" not in services.of(command, id)[0].headers
