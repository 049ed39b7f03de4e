"""An order's life, from the 202 to its end (contract section 2)."""

import httpx
import pytest

from harness import Client, FINAL, operator, order, wait_until, wholesale


def test_an_order_is_completed_by_three_services(backend, ada, services):
    id = ada.created()
    done = ada.settled(id)
    assert done["status"] == "completed"
    assert services.commands(id)[0] == "reserve"
    assert sorted(services.commands(id)) == ["record", "reserve", "ship"]
    assert [step["state"] for step in done["steps"]] == ["done"] * 3
    assert [step["attempts"] for step in done["steps"]] == [1, 1, 1]
    assert done["steps"][0]["reference"] == f"reserve-{id}.reserve"
    assert done["refund"] is None


def test_what_a_service_is_told(backend, ada, services):
    body = order()
    id = ada.created(body)
    ada.settled(id)
    (reserve,), (record,), (ship,) = (services.of(command, id) for command in ("reserve", "record", "ship"))
    for call in (reserve, record, ship):
        assert call.key == f"{id}.{call.command}"
        assert call.headers["Content-Type"] == "application/json"
        assert call.headers["traceparent"].startswith("00-")
        assert call.callback_url.startswith(f"{backend.url}/v1/callbacks/{id}/{call.command}?token=")
        assert call.body["customer"] == "ada" and call.body["channel"] == "retail"
        assert call.body["lines"] == body["lines"] and call.body["total"] == 1530
    assert record.body["payment"]["reference"] == body["payment"]["reference"]
    assert ship.body["ship_to"] == body["ship_to"]
    assert "ship_to" not in reserve.body and "payment" not in reserve.body


def test_the_callers_trace_reaches_the_services(backend, ada, services):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = ada.create(headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert response.headers["traceparent"].split("-")[1] == trace
    id = response.json()["id"]
    ada.settled(id)
    assert {call.headers["traceparent"].split("-")[1] for call in services.calls} == {trace}


def test_history_is_complete_and_gapless(ada):
    id = ada.created()
    done = ada.settled(id)
    events = ada.events(id)
    assert [event["sequence"] for event in events] == list(range(1, done["version"] + 1))
    assert events[0]["type"] == "order.accepted" and events[-1]["type"] == "order.completed"
    assert set(events[0]) == {"sequence", "type", "at", "status", "step", "detail"}
    assert all(event["at"].endswith("Z") for event in events)


@pytest.mark.parametrize("status", [409, 422])
def test_a_refusal_undoes_and_refunds(ada, services, status):
    services.answers["ship"] = {"status": status, "body": {"reason": "no_courier", "detail": "none goes there"}}
    id = ada.created()
    done = ada.settled(id)
    assert done["status"] == "rejected" and done["reason"] == "no_courier"
    commands = services.commands(id)
    assert commands.index("release") < commands.index("refund")
    assert "recall" not in commands
    (refund,) = services.of("refund", id)
    assert refund.body["recorded"] is True
    assert done["refund"]["state"] == "done" and done["refund"]["reference"]
    assert [step["state"] for step in done["steps"]] == ["undone", "undone", "refused"]


def test_the_refund_of_an_order_never_recorded_says_so(ada, services):
    services.answers["reserve"] = {"status": 409, "body": {"reason": "out_of_stock"}}
    id = ada.created()
    assert ada.settled(id)["status"] == "rejected"
    assert services.commands(id) == ["reserve", "refund"]
    assert services.of("refund", id)[0].body["recorded"] is False


def test_a_refusal_without_a_reason_is_unspecified(ada, services):
    services.answers["reserve"] = {"status": 422, "body": b"what?"}
    assert ada.settled(ada.created())["reason"] == "unspecified"


def test_wholesale_on_terms_is_not_refunded_unless_recorded(ada, services):
    services.answers["reserve"] = {"status": 409, "body": {"reason": "out_of_stock"}}
    id = ada.created(wholesale())
    done = ada.settled(id)
    assert done["status"] == "rejected" and done["refund"] is None
    assert services.commands(id) == ["reserve"]


def test_wholesale_on_terms_is_refunded_where_recorded(ada, services):
    services.answers["ship"] = {"status": 409, "body": {"reason": "no_courier"}, "delay": 0.3}
    id = ada.created(wholesale())
    assert ada.settled(id)["status"] == "rejected"
    assert services.of("refund", id)[0].body["recorded"] is True


@pytest.mark.parametrize("answer", [
    {"status": 500}, {"status": 503}, {"status": 408}, {"status": 425}, {"status": 429},
    {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, {"close": True},
    {"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"}, {"raw": b"garbage\r\n\r\n"},
])
def test_a_failed_attempt_is_made_again_with_the_same_key(ada, services, answer):
    services.answers["record"] = [answer, answer, {"body": {"reference": "r"}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    calls = services.of("record", id)
    # A connection that breaks before the answer's first byte may be tried again by the HTTP library at once.
    assert len(calls) >= 3
    assert {call.key for call in calls} == {f"{id}.record"}
    assert ada.step(id, "record")["attempts"] >= 3 or answer.get("close")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(ada, services, status):
    elsewhere = {"status": status, "headers": {"Location": services.service_url("accounting") + "/elsewhere"}}
    services.answers["record"] = [elsewhere, {"body": {"reference": "r"}}]
    services.lookup_answers["elsewhere"] = services.answers["elsewhere"] = {"body": {"reference": "wrong"}}
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert ada.step(id, "record")["reference"] == "r"
    assert not services.of("elsewhere") and not services.lookups


def test_retry_after_is_honoured(ada, services):
    services.answers["reserve"] = [{"status": 429, "headers": {"Retry-After": "1"}}, {"body": {"reference": "r"}}]
    id = ada.created()
    ada.settled(id)
    first, second = services.of("reserve", id)
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize("answer, says", [
    ({"status": 400, "body": {"detail": "unknown sku"}}, "400"),
    ({"status": 404}, "404"),
    ({"status": 200, "body": b"not json"}, "200"),
    ({"status": 200, "body": {"reference": ""}}, "200"),
    ({"status": 201, "body": {"reference": 5}}, "201"),
    ({"status": 204, "body": b""}, "204"),
])
def test_what_trying_again_will_not_mend_goes_to_attention(backend, ada, services, answer, says):
    services.answers["record"] = answer
    id = ada.created()
    waiting = wait_until(lambda: [entry for entry in operator(backend).attention() if entry["id"] == id])
    assert waiting[0]["step"] == "record" and waiting[0]["command"] == "record"
    assert says in waiting[0]["detail"]
    assert ada.status(id) == "attention"
    assert len(services.of("record", id)) == 1


def test_an_answer_too_large_is_no_answer(ada, services):
    services.answers["reserve"] = [{"body": b'{"reference": "' + b"x" * 100_000 + b'"}'}, {"body": {"reference": "r"}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert len(services.of("reserve", id)) >= 2


def test_after_the_deadline_a_person_decides(server, services):
    services.answers["reserve"] = {"status": 503}
    backend = server(services, inventory_deadline="300ms")
    ada = Client(backend)
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    entry = operator(backend).attention()[0]
    assert "503" in entry["detail"]


def test_cancel_before_the_end_undoes_everything(ada, services):
    services.answers["ship"] = {"delay": 1.0, "body": {"reference": "s"}}
    id = ada.created()
    wait_until(lambda: services.of("ship", id))
    response = ada.cancel(id)
    assert response.status_code == 202
    assert ada.cancel(id).status_code == 202
    assert ada.settled(id)["status"] == "cancelled"
    commands = services.commands(id)
    assert commands[-3:] == ["recall", "release", "refund"]
    again = ada.cancel(id)
    assert again.status_code == 409 and again.json()["code"] == "order-final"


def test_cancel_of_a_completed_order_is_refused(ada):
    id = ada.created()
    ada.settled(id)
    response = ada.cancel(id)
    assert response.status_code == 409 and response.json()["code"] == "order-final"


def test_prefer_wait_holds_until_the_end(ada, services):
    services.answers["ship"] = {"delay": 0.5, "body": {"reference": "s"}}
    id = ada.created()
    assert ada.get(id, headers={"Prefer": "wait=10"}).json()["status"] == "completed"


def test_prefer_wait_ends_in_time(ada, services):
    services.answers["ship"] = {"delay": 5, "body": {"reference": "s"}}
    id = ada.created()
    response = ada.get(id, headers={"Prefer": "wait=1"})
    assert response.json()["status"] == "processing"
    assert 0.9 <= response.elapsed.total_seconds() < 3


def test_one_slow_service_holds_back_nobody_else(ada, services):
    services.answers["record"] = {"hang": True}
    ids = [ada.created() for _ in range(5)]
    for id in ids:
        wait_until(lambda: ada.step(id, "ship")["state"] == "done", 5)


def test_a_retail_spike_does_not_hold_back_wholesale(server, services):
    # Every retail call hangs, longer than this test waits: what is left for wholesale was kept free for it.
    services.answers["reserve"] = lambda call: {"delay": 30 if call.body["channel"] == "retail" else 0,
                                                "body": {"reference": "r"}}
    backend = server(services, inventory_concurrency=4)
    ada = Client(backend)
    for _ in range(40):
        ada.created()
    wait_until(lambda: len(services.of("reserve")) >= 3)
    id = ada.created(wholesale())
    wait_until(lambda: ada.step(id, "reserve")["state"] == "done", 5)
    services.released.set()
