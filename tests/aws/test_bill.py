"""What an order costs, in the counts that do not depend on the machine: a spike, in which every batch is full.
script/bill-aws prints the same in money."""

import pytest

import bill

ORDERS = 100
# Orders are entered in the operators' directory by the second, so how many writes that takes depends on the pace.
DIRECTORY = 0.25


def check_units(measured, put, read):
    """Of the order's own item one unit to put and one for each of the three commands; one for the claim; content beyond
    that item's first kilobyte is an item of its own."""
    write = measured["write units"]
    assert set(write) == {("PutItem", "table"), ("PutItem", "by_customer"), ("UpdateItem", "table")}
    assert put < write["PutItem", "table"] <= put + DIRECTORY
    assert write["PutItem", "by_customer"] == 1 and write["UpdateItem", "table"] == 3
    assert measured["read units"] == {("BatchGetItem", "table"): read}
    assert measured["refused"] == {}


def check_requests(measured):
    """Three messages, ten to a batch; a relay of a hundred orders, once for the first command and once for the rest."""
    assert measured["sqs"] == {("SendMessageBatch",): 0.3, ("ReceiveMessage",): 0.3, ("DeleteMessageBatch",): 0.3}
    assert measured["invocations"] == {("api",): 1, ("relay",): 0.02, ("call",): 0.3}
    assert measured["requests"] == 1


def check_bill(measured):
    lines = {what: usd for what, _, _, usd in bill.bill(measured)}
    assert lines["HTTP API: requests"] == pytest.approx(1.0) and lines["SQS: SendMessageBatch"] == pytest.approx(0.12)
    assert lines["DynamoDB: UpdateItem, table"] == pytest.approx(1.875) and lines["Lambda: call, requests"] == pytest.approx(0.06)
    assert lines["DynamoDB: BatchGetItem, table"] == pytest.approx(0.25)
    assert all(usd > 0 for usd in lines.values())


@pytest.mark.parametrize("kind, put, read", [("retail", 2, 2), ("basket", 4, 5), ("wholesale", 6, 5)])
def test_what_an_order_takes(emulators, kind, put, read):
    measured = bill.run(emulators, kind, "full", ORDERS)
    check_units(measured, put, read)
    check_requests(measured)
    if kind == "retail":
        check_bill(measured)


def test_prices_say_when_and_whose():
    assert bill.PRICES["as_of"] == "2026-11" and "us-east-1" in bill.PRICES["source"]
