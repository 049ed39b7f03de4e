"""Callbacks, attention, retry, skip, and services that do not honour keys (contract sections 2 and 5)."""

import subprocess
import time

import httpx
import pytest

from harness import Client, PLAIN, ServiceStub, operator, order, wait_until, wholesale
from test_create import problem


def call_back(call, **body):
    return httpx.post(call.callback_url, json=body, **PLAIN)


def pending(ada, services, command="reserve", **more):
    """An order whose command was answered 202, and the call."""
    services.answers[command] = {"status": 202, "body": {}, **more}
    id = ada.created()
    call = wait_until(lambda: services.of(command, id))[0]
    wait_until(lambda: any(step["state"] == "pending" for step in ada.order(id)["steps"]))
    return id, call


def test_a_callback_completes_a_pending_step(ada, services):
    id, call = pending(ada, services)
    assert ada.status(id) == "processing"
    assert call_back(call, outcome="done", reference="late-1").status_code == 204
    assert ada.settled(id)["status"] == "completed"
    assert ada.step(id, "reserve")["reference"] == "late-1"
    assert call_back(call, outcome="done", reference="late-1").status_code == 204
    problem(call_back(call, outcome="refused", reason="no"), 409, "callback-conflict")


def test_a_callback_that_refuses(ada, services):
    id, call = pending(ada, services)
    assert call_back(call, outcome="refused", reason="out_of_stock").status_code == 204
    done = ada.settled(id)
    assert done["status"] == "rejected" and done["reason"] == "out_of_stock"
    assert call_back(call, outcome="refused").status_code == 204
    problem(call_back(call, outcome="done", reference="x"), 409, "callback-conflict")


@pytest.mark.parametrize("body", [
    {}, [], {"outcome": "maybe"}, {"outcome": "done"}, {"outcome": "done", "reference": ""}, {"outcome": "done", "reference": 5},
    {"outcome": "refused", "reason": 5},
])
def test_invalid_callbacks(ada, services, body):
    id, call = pending(ada, services)
    problem(httpx.post(call.callback_url, json=body, **PLAIN), 422, "invalid-callback")
    assert ada.step(id, "reserve")["state"] == "pending"


def test_forged_callbacks_are_refused(backend, ada, services):
    id, call = pending(ada, services)
    url = call.callback_url
    for forged in (url[:-1] + ("A" if url[-1] != "A" else "B"), url.split("?")[0], url.replace("/reserve?", "/record?"),
                   url.replace("token=", "token=" + "A" * 43 + "&token="), url.split("token=")[0] + "token="):
        problem(httpx.post(forged, json={"outcome": "done", "reference": "x"}, **PLAIN), 403, "callback-refused")
    for more in ("&x=1", "&token=" + url.split("token=")[1]):
        problem(httpx.post(url + more, json={"outcome": "done", "reference": "x"}, **PLAIN), 400, "malformed-request")
    assert ada.step(id, "reserve")["state"] == "pending"


def test_a_callback_after_the_deadline_is_refused(server, services):
    ada = Client(server(services, inventory_deadline="600ms"))
    id, call = pending(ada, services)
    assert ada.settled(id)["status"] == "attention"
    problem(call_back(call, outcome="done", reference="x"), 403, "callback-refused")


def test_a_callback_before_the_answer(ada, services):
    services.answers["reserve"] = lambda call: (call_back(call, outcome="done", reference="early"), {"status": 202, "body": {}})[1]
    assert ada.settled(ada.created())["status"] == "completed"


def test_a_cancel_waits_for_a_pending_step(ada, services):
    id, call = pending(ada, services)
    assert ada.cancel(id).status_code == 202
    time.sleep(0.2)
    assert ada.status(id) == "reversing" and "refund" not in services.commands(id)
    call_back(call, outcome="done", reference="late")
    assert ada.settled(id)["status"] == "cancelled"
    assert services.commands(id) == ["reserve", "release", "refund"]


# --- attention ---


def in_attention(ada, services, command="record", **answer):
    services.answers[command] = answer or {"status": 400, "body": {"detail": "no such account"}}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    return id


def test_attention_names_what_waits(backend, ada, services):
    id = in_attention(ada, services)
    (entry,) = operator(backend).attention()
    assert entry["id"] == id and entry["step"] == "record" and entry["command"] == "record"
    assert "400" in entry["detail"] and "no such account" in entry["detail"] and entry["since"].endswith("Z")


def test_retry(backend, ada, services):
    id = in_attention(ada, services)
    services.answers["record"] = {"body": {"reference": "r"}}
    again = operator(backend).http.post(f"/v1/orders/{id}/steps/record/retry", json={"reason": "the account exists now"})
    assert again.status_code == 202
    assert ada.settled(id)["status"] == "completed"
    assert "the account exists now" in [event["detail"] for event in ada.events(id)]
    assert {call.key for call in services.of("record", id)} == {f"{id}.record"}
    assert operator(backend).attention() == []
    problem(operator(backend).retry(id, "record"), 409, "step-not-waiting")


def test_skip_by_hand_is_undone_like_any_other(backend, ada, services):
    services.answers["record"] = {"status": 503}  # keeps the order from being completed
    id = in_attention(ada, services, "ship", status=400, body={})
    assert operator(backend).skip(id, "ship", reason="sent by hand", applied=True, reference="van-7").status_code == 202
    assert ada.step(id, "ship")["state"] == "done" and ada.step(id, "ship")["reference"] == "van-7"
    assert ada.cancel(id).status_code == 202
    services.answers["record"] = {"body": {"reference": "r"}}
    assert ada.settled(id)["status"] == "cancelled"
    assert services.of("recall", id)[0].body["reference"] == "van-7"
    assert services.of("refund", id)[0].body["recorded"] is True


def test_skip_without_effect(backend, ada, services):
    id = in_attention(ada, services)
    assert operator(backend).skip(id, "record", reason="not needed").status_code == 202
    done = ada.settled(id)
    assert done["status"] == "completed"
    assert next(step for step in done["steps"] if step["name"] == "record")["state"] == "skipped"


def test_a_callback_after_a_skip_conflicts(server, services):
    backend = server(services, inventory_deadline="1500ms")
    ada = Client(backend)
    services.answers["reserve"] = {"status": 200, "body": b"garbage"}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    (call,) = services.of("reserve", id)
    operator(backend).skip(id, "reserve", reason="looked", applied=True, reference="x")
    problem(call_back(call, outcome="done", reference="x"), 409, "callback-conflict")


@pytest.mark.parametrize("body, status", [({}, 422), ({"reason": ""}, 422), ({"reason": 5}, 422), ({"reason": "x", "applied": "yes"}, 422),
                                          ({"reason": "x", "why": 1}, 422)])
def test_bad_skips(backend, ada, services, body, status):
    id = in_attention(ada, services)
    assert operator(backend).http.post(f"/v1/orders/{id}/steps/record/skip", json=body).status_code == status
    assert ada.status(id) == "attention"


def test_unknown_step_and_order(backend, ada, services):
    id = in_attention(ada, services)
    problem(operator(backend).retry(id, "pack"), 404, "not-found")
    problem(operator(backend).retry("ord_" + "0" * 32, "record"), 404, "not-found")


def test_only_operators_operate(backend, ada, services):
    id = in_attention(ada, services)
    problem(ada.retry(id, "record"), 403, "insufficient-scope")
    problem(ada.skip(id, "record", reason="x"), 403, "insufficient-scope")
    problem(ada.http.get("/v1/attention"), 403, "insufficient-scope")


def test_a_refused_undo_needs_a_person(backend, ada, services):
    services.answers["reserve"] = {"status": 409, "body": {"reason": "out_of_stock"}}
    services.answers["refund"] = {"status": 422, "body": {"reason": "unknown_payment"}}
    id = ada.created()
    waiting = ada.settled(id)
    assert waiting["status"] == "attention" and waiting["refund"]["state"] == "attention"
    (entry,) = operator(backend).attention()
    assert entry["command"] == "refund" and entry["step"] == "record" and "unknown_payment" in entry["detail"]
    services.answers["refund"] = {"body": {"reference": "rf"}}
    operator(backend).retry(id, entry["step"])
    done = ada.settled(id)
    assert done["status"] == "rejected" and done["refund"] == {"state": "done", "reference": "rf"}


def test_cancel_from_attention(ada, services):
    id = in_attention(ada, services)
    assert ada.cancel(id).status_code == 202
    done = ada.settled(id)
    assert done["status"] == "cancelled"
    # a 400 is surely not applied: record is not sent again, and its refund says so
    assert len(services.of("record", id)) == 1
    assert services.of("refund", id)[0].body["recorded"] is False


def test_attention_is_paged(backend, ada, services):
    services.answers["reserve"] = {"status": 400, "body": {}}
    ids = {ada.created() for _ in range(7)}
    boss = operator(backend)
    wait_until(lambda: len(boss.attention()) == 7)
    found, cursor = [], None
    while True:
        page = boss.http.get("/v1/attention", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [entry["id"] for entry in page["orders"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(found) == 7 and set(found) == ids


# --- idempotency of services: lookup and none ---


@pytest.mark.parametrize("answer", [{"status": 500}, {"close": True}, {"status": 408}, {"status": 302, "headers": {"Location": "/"}}])
def test_without_keys_an_unknown_outcome_is_never_sent_twice(server, services, answer):
    backend = server(services, accounting_idempotency="none")
    ada = Client(backend)
    services.answers["record"] = answer
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    assert len(services.of("record", id)) == 1
    problem(ada.cancel(id), 409, "step-unsettled")
    operator(backend).skip(id, "record", reason="looked it up", applied=True, reference="r")
    assert ada.settled(id)["status"] == "completed"


def test_without_keys_a_429_is_tried_again(server, services):
    ada = Client(server(services, accounting_idempotency="none"))
    services.answers["record"] = [{"status": 429}, {"status": 429}, {"body": {"reference": "r"}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert len(services.of("record", id)) == 3


def test_lookup_asks_before_it_tries_again(server, services):
    ada = Client(server(services, accounting_idempotency="lookup"))
    services.answers["record"] = {"status": 500}
    services.lookup_answers["record"] = {"body": {"outcome": "done", "reference": "found"}}
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert ada.step(id, "record")["reference"] == "found"
    assert len(services.of("record", id)) == 1 and services.lookups == [f"{id}.record"]


def test_lookup_that_finds_nothing_sends_again(server, services):
    ada = Client(server(services, accounting_idempotency="lookup"))
    services.answers["record"] = [{"close": True}, {"body": {"reference": "second"}}]
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert len(services.of("record", id)) == 2 and services.lookups == [f"{id}.record"]


def test_lookup_that_finds_a_refusal(server, services):
    ada = Client(server(services, inventory_idempotency="lookup"))
    services.answers["reserve"] = {"status": 503}
    services.lookup_answers["reserve"] = {"body": {"outcome": "refused", "reason": "out_of_stock"}}
    done = ada.settled(ada.created())
    assert done["status"] == "rejected" and done["reason"] == "out_of_stock"


# --- limits of services ---


def test_concurrency_of_a_service(server, services):
    ada = Client(server(services, inventory_concurrency=3))
    running, most = [0], [0]

    def answer(call):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.05)
        running[0] -= 1
        return {"body": {"reference": "r"}}

    services.answers["reserve"] = answer
    ids = [ada.created() for _ in range(20)]
    for id in ids:
        ada.settled(id)
    assert most[0] <= 3


def test_rate_of_a_service(server, services):
    ada = Client(server(services, inventory_rate=10))
    ids = [ada.created() for _ in range(16)]
    for id in ids:
        ada.settled(id)
    calls = sorted(call.at for call in services.of("reserve"))
    assert calls[-1] - calls[0] >= 1.3


def test_circuit_opens_and_closes(server, services):
    backend = server(services, retry_first="50ms", retry_max="400ms")
    ada = Client(backend)
    services.answers["reserve"] = {"status": 503}
    ids = [ada.created() for _ in range(30)]
    wait_until(lambda: any(event["event"] == "circuit_opened" for event in backend.events()))
    before = len(services.of("reserve"))
    time.sleep(1)
    assert len(services.of("reserve")) - before < 20
    services.answers["reserve"] = {"body": {"reference": "r"}}
    for id in ids:
        assert ada.settled(id)["status"] == "completed"


def test_a_service_that_nobody_vouches_for_is_told_nothing(server, services, folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    impostor = ServiceStub(tls=(folder / "cert.pem", folder / "key.pem"))
    try:
        backend = server(services, inventory_url=impostor.service_url("inventory"))
        ada = Client(backend)
        id = ada.created()
        wait_until(lambda: len([event for event in backend.events() if event["event"] == "call_failed"]) >= 2)
        assert impostor.calls == []
        # Nothing was sent, so nothing has to be settled before the order is undone.
        assert ada.cancel(id).status_code == 202
        assert ada.settled(id)["status"] == "cancelled" and services.commands(id) == ["refund"]
    finally:
        impostor.close()


def test_service_credentials(server, services, folder):
    (folder / "token").write_text("s3cret\n")
    ada = Client(server(services, accounting_token_file=folder / "token"))
    id = ada.created()
    ada.settled(id)
    assert services.of("record", id)[0].headers["Authorization"] == "Bearer s3cret"
    assert services.of("reserve", id)[0].headers["Authorization"] is None
