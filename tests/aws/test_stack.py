"""What only the stack on AWS has: the gateway's authoriser, secrets from AWS, the spillway, dead letters, the stream's
failures, TLS towards AWS, metrics as log lines."""

import json
import subprocess
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
import test_openapi
from harness import ALL_SCOPES, Client, PLAIN, ServiceStub, operator, order, wait_until, wholesale

import proxy
import wire
from world import Shape

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"


# --- who may call ---


def test_the_gateways_authoriser(server, services):
    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    jwks = {"keys": [{**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": "one", "alg": "RS256"}]}
    backend = server(services, aws={"authoriser": {"jwks": jwks, "issuer": "https://shop.example", "audience": "orders"}})

    def token(signed=key, **changes):
        payload = {"sub": "ada", "scope": ALL_SCOPES, "exp": int(time.time()) + 600, "iss": "https://shop.example", "aud": "orders", **changes}
        return jwt.encode(payload, signed, algorithm="RS256", headers={"kid": "one"})

    ada = Client(backend, token=token())
    id = ada.created()
    assert ada.settled(id)["status"] == "completed" and ada.order(id)["customer"] == "ada"
    assert Client(backend, token=token(sub="bob")).get(id).status_code == 404
    assert Client(backend, token=token(scope="orders:read")).create().status_code == 403
    for bad in (token(other), token(iss="https://evil.example"), token(aud="x"), token(exp=int(time.time()) - 60), "x.y.z"):
        assert Client(backend, token=bad).create().status_code == 401


def test_secrets_from_ssm_and_secrets_manager(server, services, secret_file):
    backend = server(services, jwt_secret_file="ssm:/spillway/jwt", id_secret_file="secretsmanager:spillway/id", accounting_token_file="ssm:/spillway/accounting")
    backend.world.proxy.parameters |= {"/spillway/jwt": secret_file.read_text(), "/spillway/accounting": "s3cret\n"}
    backend.world.proxy.secrets["spillway/id"] = SECRET
    ada = Client(backend)
    id = ada.created()
    assert ada.settled(id)["status"] == "completed"
    assert services.of("record", id)[0].headers["Authorization"] == "Bearer s3cret"


def test_a_secret_that_is_not_there_fails_the_start(server, services):
    backend = server(services, id_secret_file="ssm:/spillway/nothing")
    assert Client(backend).create().status_code == 500
    assert any("initialisation failed" in cause for cause in backend.world.functions["api"].causes)
    assert any("nothing" in json.dumps(line) for line in backend.world.logs())


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=aws",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


def test_aws_over_tls(server, services, folder):
    make_certificate(folder)
    backend = server(services, aws={"tls": (folder / "cert.pem", folder / "key.pem")})
    assert Client(backend).settled(Client(backend).created())["status"] == "completed"


# --- the spillway ---


def spill(server, services, count=5):
    """A stack whose table takes no new order, with orders in its intake, which nobody empties yet."""
    backend = server(services)
    backend.world.sources["intake"].pause()
    backend.world.dice.faults.creates_throttled = 1
    ada, bodies = Client(backend), [order() for _ in range(count)]
    answers = [ada.create(body, key=f"k{i}") for i, body in enumerate(bodies)]
    assert [answer.status_code for answer in answers] == [202] * count, answers[0].text
    assert sum(backend.world.sources["intake"].counts()) == count
    return backend, ada, bodies, answers


def test_a_throttled_table_does_not_refuse_orders(server, services):
    backend, ada, bodies, answers = spill(server, services)
    document = test_openapi.DOCUMENTS["openapi.json"]
    ids = [answer.json()["id"] for answer in answers]
    for id, answer in zip(ids, answers):
        assert answer.headers["Location"] == f"/v1/orders/{id}" and answer.json()["status"] == "accepted"
        waiting = ada.get(id)
        assert waiting.status_code == 200 and waiting.json()["id"] == id and waiting.json()["status"] == "accepted"
        test_openapi.validator(document, {"$ref": "#/components/schemas/WaitingOrder"}).validate(waiting.json())
        assert ada.get(id, headers={"If-None-Match": waiting.headers["ETag"]}).status_code == 304
        assert Client(backend, "bob").get(id).status_code == 404
    assert backend.world.items() == []
    backend.world.dice.faults.creates_throttled = 0
    backend.world.sources["intake"].resume()
    for id, body in zip(ids, bodies):
        shown = wait_until(lambda: (lambda o: o if o["status"] == "completed" else None)(ada.order(id)), 40)
        assert {name: shown[name] for name in body} == body
    assert len(services.of("ship")) == len(ids)


@pytest.mark.parametrize("spill_after, spilled", [("300ms", 1), ("5s", 0)])
def test_how_long_an_order_waits_for_a_slow_table(server, services, spill_after, spilled):
    backend = server(services, spill_after=spill_after)
    backend.world.sources["intake"].pause()
    backend.world.dice.faults.table_slow, backend.world.dice.faults.slow_s = 1, 0.6  # the claim, then the order
    assert Client(backend).create().status_code == 202
    assert sum(backend.world.sources["intake"].counts()) == spilled
    backend.world.dice.faults.table_slow = 0
    backend.world.sources["intake"].resume()


def test_who_waits_for_an_order_in_the_intake_is_told_when_it_is_done(server, services):
    backend, ada, bodies, answers = spill(server, services, 1)
    id = answers[0].json()["id"]
    looked = ada.get(id, headers={"Prefer": "wait=1"})
    assert looked.json()["status"] == "accepted" and looked.headers["Preference-Applied"] == "wait=1"
    backend.world.dice.faults.creates_throttled = 0
    backend.world.sources["intake"].resume()
    wait_until(lambda: ada.get(id, headers={"Prefer": "wait=5"}).json()["status"] == "completed", 40)


def test_sent_again_while_it_waits_it_is_the_same_order(server, services):
    backend, ada, bodies, answers = spill(server, services, 1)
    again = ada.create(bodies[0], key="k0")
    assert again.status_code == 202 and again.json()["id"] == answers[0].json()["id"]
    backend.world.dice.faults.creates_throttled = 0
    stored = ada.create(bodies[0], key="k0")
    assert stored.status_code == 202 and stored.json()["id"] == answers[0].json()["id"]
    backend.world.sources["intake"].resume()
    assert ada.settled(answers[0].json()["id"])["status"] == "completed"
    backend.world.quiet()
    assert [call.command for call in services.calls].count("reserve") == 1
    assert operator(backend).attention() == []


def test_two_orders_for_one_payment_in_the_intake_go_to_a_person(server, services):
    backend, ada, bodies, answers = spill(server, services, 1)
    twice = ada.create(bodies[0], key="another")
    assert twice.status_code == 202
    backend.world.dice.faults.creates_throttled = 0
    backend.world.sources["intake"].resume()
    (entry,) = wait_until(lambda: operator(backend).attention())
    ids = {answers[0].json()["id"], twice.json()["id"]}
    assert entry["id"] in ids
    (other,) = ids - {entry["id"]}
    assert other in entry["detail"] and ada.settled(other)["status"] == "completed"
    assert len(services.of("reserve")) == 1


# --- what is given up ---


def test_a_dead_letter_goes_to_a_person(server, services):
    """Every invocation of call dies until the queue gives the message up; then a person can still try again."""
    backend = server(services, aws={"shape": Shape(receive_count=2, after_failure_s=0)})
    services.answers["reserve"] = {"hang": True}
    ada = Client(backend)
    id = ada.created()
    for times in (1, 2):
        wait_until(lambda: len(services.of("reserve")) == times)
        backend.kill()
    assert ada.settled(id, 40)["status"] == "attention"
    (entry,) = operator(backend).attention()
    assert entry["id"] == id and entry["command"] == "reserve" and "delivered too often" in entry["detail"]
    services.answers["reserve"] = {"body": {"reference": "r"}}
    assert operator(backend).retry(id, "reserve").status_code == 202
    assert ada.settled(id)["status"] == "completed"


def test_what_the_relay_gave_up_is_sent_all_the_same(server, services):
    backend = server(services, aws={"shape": Shape(stream_attempts=1)})
    backend.world.sources["relay-failures"].pause()
    backend.world.relay.pause()
    backend.world.functions["relay"].seconds = 3
    ada = Client(backend)
    ids = [ada.created() for _ in range(3)]
    backend.world.dice.faults.queue_fails = 1
    backend.world.relay.resume()
    wait_until(lambda: backend.world.relay.given_up >= 3, 60)
    backend.world.dice.faults.queue_fails = 0
    backend.world.sources["relay-failures"].resume()
    for id in ids:
        assert ada.settled(id, 60)["status"] == "completed"


def made_older(world, hours):
    """Every order, by what its item says; and what the relay gave up, by when SQS says that it was sent."""
    for item in world.items():
        if item["r"]["S"] == "o":
            created = f"{int(item['t']['S'][:13]) - hours * 3_600_000:013d}{item['t']['S'][13:]}"
            world.dynamodb("UpdateItem", TableName=world.table, Key={"k": item["k"], "r": item["r"]}, UpdateExpression="SET t = :t",
                           ExpressionAttributeValues={":t": {"S": created}})
    source = world.sources["relay-failures"]
    event = source._event

    def older(messages):
        told = json.loads(event(messages))
        for record in told["Records"]:
            record["attributes"]["SentTimestamp"] = str(int(record["attributes"]["SentTimestamp"]) - hours * 3_600_000)
        return json.dumps(told).encode()

    source._event = older


def test_what_the_stream_no_longer_has_is_searched_for(server, services):
    """The relay gave it up more than a day ago. The table is more than a page, and the search is interrupted once."""
    shape = Shape(stream_attempts=1)
    shape.limits["sweep"] = 1
    backend = server(services, aws={"shape": shape})
    world, asked = backend.world, []
    failures = world.sources["relay-failures"]
    failures.pause()
    failures.visibility_s = 1
    world.relay.pause()
    world.functions["relay"].seconds = 3
    ada = Client(backend)
    ids = [ada.created() for _ in range(130)]
    world.dice.faults.queue_fails = 1
    world.relay.resume()
    wait_until(lambda: world.relay.given_up >= len(ids), 60)
    world.dice.faults.queue_fails = 0
    world.relay.pause()
    made_older(world, 21)
    forward, dynamodb = world.proxy._forward, world.proxy._dynamodb

    def trimmed(peer, target, body):
        return proxy.error(400, "TrimmedDataAccessException") if target.endswith("GetShardIterator") else forward(peer, target, body)

    def scanned(function, operation, parameters):
        if operation == "Scan":
            asked.append(parameters.get("ExclusiveStartKey"))
            if len(asked) == 2:
                return proxy.error(400, "AccessDeniedException")
        return dynamodb(function, operation, parameters)

    world.proxy._forward, world.proxy._dynamodb = trimmed, scanned
    failures.resume()
    wait_until(lambda: {call.order_id for call in services.of("reserve")} == set(ids), 60)
    wait_until(lambda: sum(failures.counts()) + failures.under_way == 0, 60)
    assert asked[0] is None and asked[1] == asked[2] is not None and len(asked) == 3, "it went on where it was, and was not begun again"
    world.relay.resume()
    for id in ids:
        assert ada.settled(id, 60)["status"] == "completed"


def test_a_message_that_nobody_understands_harms_no_other(server, services):
    backend = server(services)
    for text in ("{", "[]", "null", '{"id": 5}', '{"id": "ord_x", "kind": "fly"}'):
        for queue in ("inventory-retail", "intake", "accounting-retail-dead", "relay-failures"):
            backend.world.sqs("SendMessage", QueueUrl=backend.world.queues[queue], MessageBody=text)
    ada = Client(backend)
    assert ada.settled(ada.created())["status"] == "completed"
    assert not any("ExitError" in cause for function in backend.world.functions.values() for cause in function.causes)


# --- services ---


def test_a_service_that_nobody_vouches_for_is_told_nothing(server, services, folder):
    """And a cancel waits: that nothing reached it is known of each attempt, but not of all of them together."""
    make_certificate(folder)
    impostor = ServiceStub(tls=(folder / "cert.pem", folder / "key.pem"))
    try:
        backend = server(services, inventory_url=impostor.service_url("inventory"))
        ada = Client(backend)
        id = ada.created()
        wait_until(lambda: len([event for event in backend.events() if event["event"] == "call_failed"]) >= 2)
        assert ada.cancel(id).status_code == 202
        failures = len(backend.events())
        wait_until(lambda: len(backend.events()) > failures + 2)
        assert impostor.calls == [] and services.commands(id) == [] and ada.status(id) == "reversing"
    finally:
        impostor.close()


def hasty():
    """Functions that may run for 5 s, so that no attempt lasts longer."""
    shape = Shape()
    shape.function_s["call"] = 5
    return shape


def test_a_cancel_from_attention(server, services):
    """A 400 is surely not applied, once nobody else can be sending the command: then it is not sent again, and the
    refund says so. Before, a cancel would have the service asked once more."""
    ada = Client(server(services, aws={"shape": hasty()}))
    services.answers["record"] = {"status": 400, "body": {}}
    id = ada.created()
    assert ada.settled(id)["status"] == "attention"
    time.sleep(5)
    assert ada.cancel(id).status_code == 202
    assert ada.settled(id)["status"] == "cancelled"
    assert len(services.of("record", id)) == 1
    assert services.of("refund", id)[0].body["recorded"] is False


def test_a_look_up_waits_for_an_attempt_that_may_be_under_way(server, services):
    """Its message may have been delivered to two at once: nobody is asked before the other can no longer send it."""
    backend = server(services, aws={"shape": hasty()}, accounting_idempotency="lookup")
    services.answers["record"] = {"status": 500}
    asked = []

    def answer(key):
        asked.append(time.monotonic())
        return {"body": {"outcome": "done", "reference": "known"}}

    services.lookup_answers["record"] = answer
    ada, began = Client(backend), time.monotonic()
    id = ada.created()
    assert ada.settled(id)["status"] == "completed" and ada.step(id, "record")["reference"] == "known"
    assert len(services.of("record", id)) == len(asked) == 1
    assert asked[0] - began > 5


def test_a_function_that_may_run_too_long_calls_nobody(server, services):
    """Everybody else would believe that its attempts have ended."""
    backend = server(services, call_time="50s")  # its functions have 60
    ada = Client(backend)
    id = ada.created()
    wait_until(lambda: [event for event in backend.events() if event["event"] == "event_refused"])
    assert ada.order(id)["status"] == "accepted" and services.calls == []
    assert "SPILLWAY_CALL_TIME" in next(event for event in backend.events() if event["event"] == "event_refused")["detail"]


def test_a_service_that_is_down_is_left_alone(server, services):
    """By an environment that has seen ten failures in a row; what waits costs no attempt."""
    backend = server(services, inventory_concurrency=1, retry_first="50ms", retry_max="30s")
    ada, opened = Client(backend), lambda name: [event for event in backend.events() if event["event"] == name]
    services.answers["reserve"] = {"status": 503}
    ids = [ada.created() for _ in range(14)]
    wait_until(lambda: opened("circuit_opened"))
    assert opened("circuit_opened")[0]["service"] == "inventory"
    wait_until(lambda: len(opened("circuit_opened")) >= 6, 60)  # each time one call is tried, and it stays open longer
    calls = len(services.of("reserve"))
    assert calls <= 10 * backend.world.functions["call"].starts + len(opened("circuit_opened")), "others were called while it was open"
    services.answers["reserve"] = {"body": {"reference": "r"}}
    for id in ids:
        assert ada.settled(id, 60)["status"] == "completed"
    assert opened("circuit_closed")


def test_a_service_that_is_a_function(server, services):
    name = "arn:aws:lambda:us-east-1:123456789012:function:stock-keeping:live"
    backend, seen = server(services, inventory_url=f"lambda:{name}"), []
    answers = [({"errorMessage": "thrown"}, "Unhandled"), ({"statusCode": 503, "headers": {"Retry-After": "0"}, "body": ""}, None),
               ({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"reference": "shelf-7"}'}, None)]

    def invoke(called, payload):
        assert called == name
        seen.append(json.loads(payload))
        body, failed = answers[min(len(seen), len(answers)) - 1]
        return json.dumps(body).encode(), failed

    backend.world.proxy.invoke = invoke
    ada = Client(backend)
    id = ada.created()
    assert ada.settled(id)["status"] == "completed" and ada.step(id, "reserve")["reference"] == "shelf-7"
    assert {event["headers"]["idempotency-key"] for event in seen} == {f"{id}.reserve"} and len(seen) == 3
    event = seen[0]
    assert event["version"] == "2.0" and event["rawPath"] == "/reserve" and event["requestContext"]["http"]["method"] == "POST"
    assert json.loads(event["body"])["id"] == id and event["headers"]["callback-url"].startswith(backend.url)


def test_a_service_that_is_a_queue(server, services, emulators):
    sqs = wire.AwsApi(emulators.sqs, wire.SQS)
    name = f"ledger{time.monotonic_ns()}"
    url = sqs("CreateQueue", QueueName=name)["QueueUrl"]
    backend = server(services, accounting_url=f"sqs:https://sqs.us-east-1.amazonaws.com/123456789012/{name}")
    ada = Client(backend)
    id = ada.created()
    (message,) = wait_until(lambda: sqs("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    told = json.loads(message["Body"])
    assert told["command"] == "record" and told["idempotency_key"] == f"{id}.record" and told["body"]["id"] == id
    assert told["traceparent"].startswith("00-")
    wait_until(lambda: ada.step(id, "record")["state"] == "pending")
    assert httpx.post(told["callback_url"], json={"outcome": "done", "reference": "book-1"}, **PLAIN).status_code == 204
    assert ada.settled(id)["status"] == "completed" and ada.step(id, "record")["reference"] == "book-1"
    sqs("DeleteQueue", QueueUrl=url)


# --- the API's document ---


def test_answers_are_as_described(server, services):
    backend = server(services)
    document, seen = test_openapi.closed(test_openapi.ORDERS), set()
    for path, response in test_openapi.answers_of(backend, services):
        if response.status_code == 431:  # API Gateway's own
            continue
        of = document["paths"][path][response.request.method.lower()]
        where = f"{response.request.method} {path} {response.status_code}"
        assert str(response.status_code) in of["responses"], where
        described = test_openapi.resolve(document, of["responses"][str(response.status_code)])
        names = {name.lower() for name in described.get("headers", {})}
        assert set(response.headers) - names <= {"date", "content-type", "content-length", "connection"}, where
        if "content" in described:
            media = described["content"][response.headers["Content-Type"]]
            of_text = response.headers["Content-Type"].startswith("text/")
            test_openapi.validator(document, media["schema"]).validate(response.text if of_text else response.json())
        else:
            assert response.content == b"", where
        seen.add(response.status_code)
    assert {200, 202, 304, 400, 401, 403, 404, 409, 413, 415, 422} <= seen


def test_schemathesis_as_an_operator(server, services, folder):
    backend = server(services)
    services.answers["ship"] = [{"status": 202}]
    services.answers["record"] = [{"status": 400, "body": {"reason": "closed"}}]
    ada = Client(backend)
    id = ada.created()
    ada.settled(id)
    wait_until(lambda: ada.step(id, "ship")["state"] == "pending")
    token = services.of("ship", id)[0].callback_url.split("token=")[1]
    test_openapi.schemathesis(backend, backend.token("boss", "orders:operate orders:read orders:write"), folder, f"""
[parameters]
"path.id" = "{id}"
"path.order" = "{id}"
"path.command" = "ship"
[auth.openapi]
callbackToken = {{ api_key = "{token}" }}
""")


# --- what is told ---


def test_metrics_are_lines_that_cloudwatch_understands(server, services):
    backend = server(services)
    ada = Client(backend)
    ada.settled(ada.created())
    ada.create(order(total=1))
    backend.world.quiet()
    backend.finish()  # metrics are written once a minute, and at the end
    lines = [line for line in backend.world.logs() if "_aws" in line]
    functions = set()
    for line in lines:
        told = line["_aws"]
        assert abs(told["Timestamp"] / 1000 - time.time()) < 300 and told["CloudWatchMetrics"]
        for directive in told["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Spillway" and len(directive["Metrics"]) <= 100
            for metric in directive["Metrics"]:
                assert set(metric) <= {"Name", "Unit", "StorageResolution"}
                values = line[metric["Name"]]
                assert all(isinstance(value, (int, float)) for value in (values if isinstance(values, list) else [values]))
            for dimensions in directive["Dimensions"]:
                assert "Function" in dimensions and all(isinstance(line[name], str) and line[name] for name in dimensions)
        functions.add(line["Function"].rpartition("-")[2])
    assert {"api", "call"} <= functions


def test_logs_say_nothing_of_persons(server, services):
    backend = server(services)
    ada = Client(backend)
    body = order()
    ada.settled(ada.created(body))
    backend.world.quiet()
    text = json.dumps(backend.world.logs())
    for secret in (body["ship_to"]["name"], body["ship_to"]["line1"], body["payment"]["reference"], backend.token()[:30], SECRET[:16]):
        assert secret not in text


def test_large_orders(server, services):
    """Content beyond what fits an item's cheap first kilobyte, and beyond one SQS or DynamoDB page of it."""
    backend = server(services)
    ada = Client(backend)
    body = wholesale(lines=[{"sku": f"{'X' * 50}{i}", "quantity": 1, "unit_price": 1} for i in range(1000)], total=1000)
    id = ada.created(body)
    assert ada.settled(id)["status"] == "completed" and ada.order(id)["lines"] == body["lines"]
    assert services.of("reserve", id)[0].body["lines"] == body["lines"]


def test_a_large_order_through_the_intake(server, services):
    backend = server(services)
    backend.world.dice.faults.creates_throttled = 1
    ada = Client(backend)
    body = wholesale(lines=[{"sku": f"{'X' * 50}{i}", "quantity": 1, "unit_price": 1} for i in range(1000)], total=1000)
    id = ada.created(body)
    backend.world.dice.faults.creates_throttled = 0
    assert wait_until(lambda: ada.status(id) == "completed", 40)
    assert ada.order(id)["lines"] == body["lines"]


@pytest.mark.parametrize("shape", ["http", "rest", "alb", "alb-multi"])
def test_every_front(server, services, shape):
    backend = server(services, aws={"shape": Shape(front=shape)})
    ada = Client(backend)
    id = ada.created(order(coupon="é+ü"))
    assert ada.settled(id)["coupon"] == "é+ü"
    listed = ada.http.get("/v1/orders", params={"status": "completed", "from": "2020-01-01T00:00:00Z"})
    assert [one["id"] for one in listed.json()["orders"]] == [id]
    assert ada.http.get("/v1/orders?limit=0").status_code == 400
    assert ada.get(id, headers={"If-None-Match": ada.get(id).headers["ETag"]}).status_code == 304
    assert ada.http.head(f"/v1/orders/{id}").status_code == 200
    assert httpx.get(backend.url + "/healthz", **PLAIN).status_code == 200
