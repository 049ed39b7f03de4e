"""POST /v1/orders: what is taken, what is refused, and how (contract sections 1 and 5)."""

import concurrent.futures
import json
import uuid

import pytest

from harness import Client, order, wholesale


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code and body["status"] == status and body["type"] == f"/problems/{code}"
    assert body["title"] and body["detail"]
    assert response.headers["traceparent"]
    return body


def pointers(response):
    return {error["pointer"] for error in problem(response, 422, "invalid-order")["errors"]}


def post(client, data, content_type="application/json"):
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    if content_type:
        headers["Content-Type"] = content_type
    return client.http.post("/v1/orders", content=data, headers=headers)


def test_accepted(ada):
    response = ada.create(order())
    assert response.status_code == 202
    body = response.json()
    assert set(body) == {"id", "status", "version", "channel", "currency", "total", "created_at"}
    assert body["status"] == "accepted" and body["version"] == 1 and body["total"] == 1530
    assert response.headers["Location"] == f"/v1/orders/{body['id']}"
    assert len(body["id"]) == 36 and body["id"].startswith("ord_")
    assert set(body["id"][4:]) <= set("0123456789abcdefghjkmnpqrstvwxyz")
    assert "Idempotent-Replayed" not in response.headers


def test_the_order_shows_what_was_sent(ada):
    body = order(coupon="XMAS", discount=30, shipping=100, tax=50, total=1650)
    shown = ada.order(ada.created(body))
    assert {name: shown[name] for name in body} == body
    assert shown["customer"] == "ada" and shown["subtotal"] == 1530
    assert {"id", "status", "version", "reason", "steps", "refund", "created_at", "updated_at"} <= set(shown)
    assert set(shown["steps"][0]) == {"name", "service", "state", "attempts", "reference", "undo_reference", "reason"}


def test_a_sku_may_have_spaces_inside_and_repeat(ada):
    line = {"sku": "85123 A", "quantity": 3, "unit_price": 255}
    assert ada.order(ada.created(order(lines=[line, line])))["lines"] == [line, line]


def test_wholesale(ada):
    body = wholesale(lines=[{"sku": f"S{i}", "quantity": 1, "unit_price": 1} for i in range(1000)], total=1000)
    shown = ada.order(ada.created(body))
    assert shown["purchase_order"] == body["purchase_order"] and shown["terms_days"] == 30


@pytest.mark.parametrize("changes, pointer", [
    ({"channel": None}, "/channel"), ({"channel": "shop"}, "/channel"), ({"channel": 5}, "/channel"),
    ({"currency": None}, "/currency"), ({"currency": "gbp"}, "/currency"), ({"currency": "XXQ"}, "/currency"),
    ({"lines": None}, "/lines"), ({"lines": []}, "/lines"), ({"lines": {}}, "/lines"), ({"lines": [5]}, "/lines/0"),
    ({"lines": [{"sku": "", "quantity": 6, "unit_price": 255}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "x" * 65, "quantity": 6, "unit_price": 255}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "a\tb", "quantity": 6, "unit_price": 255}]}, "/lines/0/sku"),
    ({"lines": [{"sku": " a", "quantity": 6, "unit_price": 255}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "a ", "quantity": 6, "unit_price": 255}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "a", "quantity": 0, "unit_price": 255}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "a", "quantity": 1000001, "unit_price": 255}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "a", "quantity": 1.0, "unit_price": 255}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "a", "quantity": "1", "unit_price": 255}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "a", "quantity": 1, "unit_price": -1}]}, "/lines/0/unit_price"),
    ({"lines": [{"sku": "a", "quantity": 1}]}, "/lines/0/unit_price"),
    ({"lines": [{"sku": "a", "quantity": 1, "unit_price": 5, "colour": "red"}]}, "/lines/0/colour"),
    ({"lines": [{"sku": "a", "quantity": 1, "unit_price": 1}] * 101, "total": 101}, "/lines"),
    ({"total": None}, "/total"), ({"total": 1531}, "/total"), ({"total": -1}, "/total"), ({"total": True}, "/total"),
    ({"discount": 1531, "total": 0}, "/discount"), ({"shipping": -1, "total": 1529}, "/shipping"), ({"tax": -1, "total": 1529}, "/tax"),
    ({"payment": None}, "/payment"), ({"payment": {}}, "/payment/reference"), ({"payment": {"reference": ""}}, "/payment/reference"),
    ({"payment": {"reference": "x" * 129}}, "/payment/reference"), ({"payment": {"reference": "p", "receipt": "x"}}, "/payment/receipt"),
    ({"purchase_order": "po-1"}, "/purchase_order"), ({"terms_days": 30}, "/terms_days"),
    ({"coupon": "x" * 65}, "/coupon"), ({"coupon": "a\u0000b"}, "/coupon"), ({"coupon": "a\u0085b"}, "/coupon"),
    ({"ship_to": None}, "/ship_to"), ({"ship_to": "here"}, "/ship_to"),
    ({"gift": True}, "/gift"), ({"a/b~c": 1}, "/a~1b~0c"), ({"status": "completed"}, "/status"),
])
def test_invalid(ada, changes, pointer):
    body = order(**changes)
    if changes.get("total", 0) is None:
        body.pop("total", None)
    assert pointer in pointers(ada.create(body))


@pytest.mark.parametrize("member, limit", [("name", 200), ("line1", 200), ("line2", 200), ("city", 200), ("region", 200), ("postcode", 20)])
def test_lengths_count_code_points(ada, member, limit):
    good = order()
    good["ship_to"][member] = "é" * (limit - 1) + "😀"
    assert ada.create(good).status_code == 202
    good["ship_to"][member] += "x"
    assert f"/ship_to/{member}" in pointers(ada.create(good))


@pytest.mark.parametrize("country", ["UK", "gb", "GBR", "XX", ""])
def test_countries(ada, country):
    body = order()
    body["ship_to"]["country"] = country
    assert "/ship_to/country" in pointers(ada.create(body))


def test_unknown_member_is_refused_even_if_null(ada):
    text = json.dumps(order())[:-1] + ', "gift": null}'
    assert "/gift" in pointers(post(ada, text))
    text = json.dumps(order(payment={"reference": uuid.uuid4().hex, "receipt": None}))
    assert "/payment/receipt" in pointers(post(ada, text))


def test_null_is_absent_for_an_optional_member(ada):
    text = json.dumps(order())[:-1] + ', "terms_days": null, "purchase_order": null}'
    assert post(ada, text.replace('"discount": 0', '"discount": null')).status_code == 202


def test_everything_wrong_is_told_at_once(ada):
    body = order(currency="??", total=7, gift=1, coupon="x" * 99)
    body["lines"].append({"sku": "", "quantity": 0, "unit_price": -5})
    del body["ship_to"]["city"]
    found = pointers(ada.create(body))
    assert {"/currency", "/gift", "/coupon", "/lines/1/sku", "/lines/1/quantity", "/lines/1/unit_price", "/ship_to/city"} <= found


def test_sums_do_not_overflow(ada):
    most = 2**63 - 1
    lines = [{"sku": "a", "quantity": 1000000, "unit_price": most}]
    assert pointers(ada.create(order(lines=lines, total=0)))
    lines = [{"sku": "a", "quantity": 1, "unit_price": most}]
    assert pointers(ada.create(order(lines=lines, shipping=most, total=most)))
    assert pointers(ada.create(order(lines=[{"sku": "a", "quantity": 1, "unit_price": most + 1}], total=most)))
    assert ada.create(order(lines=lines, total=most)).status_code == 202


@pytest.mark.parametrize("number", ["1530.0", "1.53e3", "1e2", "1530e0"])
def test_integers_have_no_fraction_and_no_exponent(ada, number):
    text = json.dumps(order()).replace('"total": 1530', f'"total": {number}')
    assert "/total" in pointers(post(ada, text))


@pytest.mark.parametrize("text", [
    "", "{", "nonsense", '{"a": 1,}', '{"a": 1} x', "{'a': 1}", '{"a": 01}', '{"a": +1}', '{"a": .5}', '{"a": NaN}', '{"a": "\t"}',
    '{"channel": "retail", "channel": "retail"}', '{"a": {"b": 1, "\\u0062": 2}}', '{"a": "\\ud800"}', '{"a": "\\udc00\\ud800"}',
    b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'\xef\xbb\xbf{}', "[" * 17 + "]" * 17, '{"a": "\\x"}', "/* c */ {}", "{} {}",
])
def test_malformed_json(ada, text):
    problem(post(ada, text), 400, "malformed-json")


@pytest.mark.parametrize("text", ["[]", "5", '"text"', "null", "true", "[" * 16 + "]" * 16])
def test_a_root_that_is_no_object(ada, text):
    assert "" in pointers(post(ada, text))


def test_many_members_are_no_burden(ada):
    text = "{" + ",".join(f'"m{i}":1' for i in range(20000)) + "}"
    response = post(ada, text)
    assert response.status_code == 422 and response.elapsed.total_seconds() < 3


def test_size_limit(ada):
    text = json.dumps(order())
    assert post(ada, text + " " * (256 * 1024 - len(text))).status_code == 202
    problem(post(ada, text + " " * (256 * 1024 - len(text) + 1)), 413, "body-too-large")


@pytest.mark.parametrize("content_type, taken", [
    ("application/json", True), ("application/json; charset=utf-8", True), ("Application/JSON;charset=UTF-8", True),
    ("text/plain", False), ("application/json; charset=latin1", False), ("application/jsonx", False), (None, False),
    ("application/xml", False), ("multipart/form-data; boundary=x", False),
])
def test_media_type(ada, content_type, taken):
    response = post(ada, json.dumps(order()), content_type)
    if taken:
        assert response.status_code == 202
    else:
        problem(response, 415, "unsupported-media-type")


# --- idempotency ---


def test_a_replay_is_the_first_answer(ada, key):
    body, k = order(), key()
    first = ada.create(body, k)
    ada.settled(first.json()["id"])
    again = ada.create(body, k)
    assert again.status_code == 202 and again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]


def test_content_is_compared_after_parsing(ada, key):
    body, k = order(), key()
    first = ada.create(body, k)
    other = dict(reversed(list(body.items())))
    other.pop("coupon"), other.pop("tax")
    other["discount"] = None
    again = ada.http.post("/v1/orders", content=json.dumps(other, indent=3, ensure_ascii=True),
                          headers={"Idempotency-Key": f'"{k}"', "Content-Type": "application/json"})
    assert again.status_code == 202 and again.content == first.content


def test_the_same_key_with_other_content(ada, key):
    k = key()
    ada.create(order(), k)
    problem(ada.create(order(), k), 422, "idempotency-key-reused")


def test_a_refusal_binds_nothing(ada, key):
    k = key()
    assert ada.create(order(total=1), k).status_code == 422
    assert ada.create(order(), k).status_code == 202


def test_keys_belong_to_their_customer(backend, ada, key):
    k = key()
    assert ada.created(order(), k) != Client(backend, "bob").created(order(), k)


@pytest.mark.parametrize("value", ["a", "a" * 255, '"' + "b" * 255 + '"', '"with \\" and \\\\ escapes"', "a,b;c=d"])
def test_good_keys(ada, value):
    assert ada.create(headers={}, key=value).status_code == 202


@pytest.mark.parametrize("value", ['"' + "x" * 256 + '"', "x" * 256, '""', '"a";b=1', '"a', 'a"b', "a\\b", "a b", '"a\\n"', '"é"'.encode()])
def test_bad_keys(ada, value):
    response = ada.http.post("/v1/orders", json=order(), headers={"Idempotency-Key": value})
    problem(response, 400, "malformed-request")


def test_missing_and_repeated_keys(ada):
    problem(ada.http.post("/v1/orders", json=order()), 400, "missing-idempotency-key")
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    problem(ada.http.post("/v1/orders", json=order(), headers=headers), 400, "malformed-request")


def test_requests_with_one_key_at_once_make_one_order(ada, services, key):
    k, body = key(), order()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ada.create(body, k), range(32)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    id = answers[0].json()["id"]
    ada.settled(id)
    assert len(services.of("reserve", id)) == 1


def test_one_payment_makes_one_order(backend, ada, key):
    body = order()
    first = ada.created(body)
    own = problem(ada.create(body, key()), 409, "payment-already-used")
    assert first in own["detail"]
    others = Client(backend, "bob").create(body, key())
    problem(others, 409, "payment-already-used")
    assert first not in others.text


def test_one_purchase_order_number_makes_one_order_of_a_customer(backend, ada, key):
    body = wholesale()
    ada.created(body)
    problem(ada.create(body, key()), 409, "payment-already-used")
    assert Client(backend, "bob").create(body, key()).status_code == 202


def test_racing_for_one_payment(backend, key):
    clients = [Client(backend, f"c{i}") for i in range(8)]
    body = order()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda client: client.create(body, key()).status_code, clients))
    assert sorted(codes) == [202] + [409] * 7
