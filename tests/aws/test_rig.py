"""The rig itself, where a fault in it would let tests pass that should fail."""

import collections
import json
import pathlib
import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import httpx
import pytest
from harness import PLAIN, wait_until

import faults
import front
import lambdas
import meter
import proxy
import sources
import wire

SCRIPTED = str(pathlib.Path(__file__).with_name("scripted.py"))


# --- the proxy ---


@pytest.fixture
def aws(emulators):
    """(proxy, a function that makes boto3 clients of it)."""
    one = proxy.Proxy(emulators, faults.Dice(), meter.Meter())

    def client(name, **changes):
        given = dict(endpoint_url=one.server("api").url, region_name=proxy.REGION, aws_access_key_id=proxy.CREDENTIALS["AWS_ACCESS_KEY_ID"],
                     aws_secret_access_key=proxy.CREDENTIALS["AWS_SECRET_ACCESS_KEY"], aws_session_token=proxy.CREDENTIALS["AWS_SESSION_TOKEN"],
                     config=botocore.config.Config(retries={"total_max_attempts": 1}))
        return boto3.client(name, **{**given, **changes})

    yield one, client
    one.close()


@pytest.fixture
def table(aws):
    one, client = aws
    name = f"t{time.monotonic_ns()}"
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName=name, AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
                          KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    yield name
    client("dynamodb").delete_table(TableName=name)


@pytest.fixture
def make_queue(emulators):
    sqs, urls = wire.AwsApi(emulators.sqs, wire.SQS), []

    def make(**attributes):
        urls.append(sqs("CreateQueue", QueueName=f"q{time.monotonic_ns()}", Attributes=attributes)["QueueUrl"])
        return urls[-1]

    yield make
    for url in urls:
        sqs("DeleteQueue", QueueUrl=url)


def code_of(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**parameters)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], raised.value.response["Error"]["Code"].rpartition("#")[2]


def test_a_right_signature_is_taken(aws, table):
    one, client = aws
    client("dynamodb").put_item(TableName=table, Item={"k": {"S": "é \n"}})
    assert client("dynamodb").get_item(TableName=table, Key={"k": {"S": "é \n"}})["Item"] == {"k": {"S": "é \n"}}
    assert client("sqs").list_queues() and one.refused == []


@pytest.mark.parametrize("changes, code", [
    ({"aws_secret_access_key": "another"}, "InvalidSignatureException"), ({"aws_access_key_id": "AKIDOTHER"}, "UnrecognizedClientException"),
    ({"aws_session_token": "other"}, "UnrecognizedClientException"), ({"aws_session_token": None}, "UnrecognizedClientException"),
    ({"region_name": "eu-west-1"}, "InvalidSignatureException"),
])
def test_what_does_not_verify_is_refused(aws, changes, code):
    one, client = aws
    assert code_of(client("dynamodb", **changes).list_tables) == (403, code)
    assert len(one.refused) == 1


class Tampered:
    """A request signed by boto3, changed before it is sent."""

    def __init__(self, change):
        self.change = change

    def __call__(self, request, **_):
        self.change(request)


@pytest.mark.parametrize("change", [
    lambda request: setattr(request, "body", request.body.replace(b"{", b"{ ", 1)),
    lambda request: request.headers.__setitem__("X-Amz-Target", "DynamoDB_20120810.DescribeLimits"),
    lambda request: request.headers.__setitem__("X-Amz-Date", "20200101T000000Z"),
    lambda request: request.headers.__delitem__("Authorization"),
    lambda request: request.headers.__delitem__("X-Amz-Security-Token"),
    lambda request: request.headers.__setitem__("X-Amz-Extra", "1"),
    lambda request: request.headers.__setitem__("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
    lambda request: request.headers.__setitem__("Host", "dynamodb.us-east-1.amazonaws.com"),
], ids=["body", "target", "date", "unsigned", "token", "unsigned header", "unsigned payload", "host"])
def test_tampering_is_refused(aws, change):
    one, client = aws
    dynamodb = client("dynamodb")
    dynamodb.meta.events.register("before-send.dynamodb", Tampered(change))
    assert code_of(dynamodb.list_tables)[0] == 403
    assert one.refused


def test_the_wrong_media_type_or_service_is_refused(aws):
    one, client = aws
    dynamodb = client("dynamodb")
    dynamodb.meta.events.register("request-created.dynamodb", lambda request, **_: request.headers.__setitem__("Content-Type", "application/json"))
    assert code_of(dynamodb.list_tables)[0] in (400, 403)
    sqs = client("sqs")
    sqs.meta.events.register("request-created.sqs", lambda request, **_: request.headers.__setitem__("X-Amz-Target", "DynamoDB_20120810.ListTables"))
    assert code_of(sqs.list_queues) == (403, "InvalidSignatureException")


@pytest.mark.parametrize("fault, codes", [
    ("table_throttles", {(400, "ProvisionedThroughputExceededException"), (400, "ThrottlingException")}),
    ("conflicts", {(400, "TransactionConflictException")}), ("table_fails", {(500, "InternalServerError")}),
])
def test_faults_of_the_table(aws, table, fault, codes):
    one, client = aws
    setattr(one.dice.faults, fault, 1)
    dynamodb = client("dynamodb")
    assert {code_of(dynamodb.put_item, TableName=table, Item={"k": {"S": str(i)}}) for i in range(20)} == codes
    one.dice.faults = faults.Faults()
    count = dynamodb.scan(TableName=table)["Count"]
    assert 0 < count < 20 if fault == "table_fails" else count == 0  # a 500 may have been written
    assert one.dice.seen[fault] == 20


def test_cancellation_reasons(aws, table):
    one, client = aws
    one.dice.faults.conflicts = 1
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        client("dynamodb").transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": {"k": {"S": k}}}} for k in "ab"])
    reasons = [reason["Code"] for reason in raised.value.response["CancellationReasons"]]
    assert sorted(reasons) == ["None", "TransactionConflict"]


def test_a_lost_answer_was_written(aws, table):
    one, client = aws
    one.dice.faults.table_lost = 1
    with pytest.raises(botocore.exceptions.HTTPClientError):
        client("dynamodb").put_item(TableName=table, Item={"k": {"S": "a"}})
    one.dice.faults = faults.Faults()
    assert client("dynamodb").scan(TableName=table)["Count"] == 1


def test_unprocessed_keys(aws, table):
    one, client = aws
    dynamodb = client("dynamodb")
    for i in range(8):
        dynamodb.put_item(TableName=table, Item={"k": {"S": str(i)}})
    one.dice.faults.unprocessed = 1
    wanted, found, rounds = {table: {"Keys": [{"k": {"S": str(i)}} for i in range(8)]}}, [], 0
    while wanted:
        got = dynamodb.batch_get_item(RequestItems=wanted)
        found += [item["k"]["S"] for item in got["Responses"][table]]
        wanted, rounds = got["UnprocessedKeys"], rounds + 1
    assert sorted(found) == [str(i) for i in range(8)] and rounds > 1


def test_units_are_counted(aws, table):
    one, client = aws
    dynamodb = client("dynamodb")
    one.meter.reset()
    dynamodb.put_item(TableName=table, Item={"k": {"S": "a"}, "v": {"S": "x" * 2500}})
    dynamodb.get_item(TableName=table, Key={"k": {"S": "a"}}, ConsistentRead=True)
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": {"k": {"S": "b"}}}}])
    assert one.meter.under("units", "write") == {("PutItem", "table"): 3, ("TransactWriteItems", "table"): 2}
    assert one.meter.total("units", "read") == 1 and one.meter.total("dynamodb") == 3


def test_faults_of_the_queue(aws, make_queue):
    one, client = aws
    sqs, url = client("sqs"), make_queue()
    send = lambda: sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "b"} for i in range(10)])
    one.dice.faults.batch_partly_fails = 1
    told = send()
    assert told["Failed"] and len(told["Failed"]) + len(told["Successful"]) == 10
    count = lambda: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"])
    sent = len(told["Successful"])
    assert count() == sent
    one.dice.faults = faults.Faults(sent_twice=1)
    send()
    assert count() == sent + 20
    one.dice.faults = faults.Faults(queue_fails=1)
    assert code_of(sqs.send_message, QueueUrl=url, MessageBody="b")[0] == 503
    assert one.meter.total("sqs", "SendMessageBatch") == 2


# --- functions and event sources ---


@pytest.fixture
def function(tmp_path):
    made = []

    def make(seconds=5, limit=4, dice=None, **variables):
        one = lambdas.Function("scripted", "scripted", SCRIPTED, {"PATH": "/usr/bin:/bin", **variables}, str(tmp_path), seconds, limit, dice=dice, meter=meter.Meter())
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def done(function):
    return [json.loads(line) for line in open(function.log_path) if line.startswith("{")]


@pytest.fixture
def source(emulators, make_queue, function):
    """source(function, **options) over a new queue with a dead-letter queue: (source, send, what is in the other)."""
    made, sqs = [], wire.AwsApi(emulators.sqs, wire.SQS)

    def make(function, receives=3, **options):
        dead = make_queue()
        name = dead.rpartition("/")[2]
        url = make_queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": sources.ARN + name, "maxReceiveCount": receives}))
        one = sources.SqsSource(emulators.sqs, url.rpartition("/")[2], url, function, function.dice or faults.Dice(), meter.Meter(), visibility_s=30, after_failure_s=0,
                                **options)
        made.append(one)
        dead_bodies = lambda: [m["Body"] for m in sqs("ReceiveMessage", QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])]
        return one, lambda *bodies: [sqs("SendMessage", QueueUrl=url, MessageBody=body) for body in bodies], dead_bodies

    yield make
    for one in made:
        one.close()


def is_empty(source):
    return sum(source.counts()) == 0 and not source.under_way


def test_messages_are_deleted_once_handled(function, source):
    one, send, dead = source(function())
    send(*["ok"] * 25)
    wait_until(lambda: is_empty(one))
    assert len(done(one.function)) == 25 and set(one.delivered.values()) == {1} and dead() == []


def test_only_what_succeeded_is_deleted(function, source):
    one, send, dead = source(function())
    one.pause()
    send("ok", "fail", "ok", "fail once")
    one.resume()
    wait_until(lambda: len([line for line in done(one.function) if line["told"] == "fail once"]) == 1)
    time.sleep(0.3)
    found = collections.Counter(line["told"] for line in done(one.function))
    assert found == {"ok": 2, "fail": 1, "fail once": 1}  # the failed ones wait for the visibility time-out that the function left
    assert sum(one.counts()) == 2 and dead() == []


@pytest.mark.parametrize("told", ["raise", "garbage", "foreign", "exit", "sleep"])
def test_an_invocation_that_fails_deletes_nothing(function, source, told):
    one, send, dead = source(function(seconds=0.5), concurrency=1)
    one.pause()
    send("ok", told)
    one.resume()
    if told in ("garbage", "foreign"):
        wait_until(lambda: len(done(one.function)) == 2)
        time.sleep(0.3)
        assert sum(one.counts()) == 2
        return
    wait_until(lambda: sorted(dead()) == sorted(["ok", told]) or dead() == [told])
    times = collections.Counter(line["told"] for line in done(one.function))
    assert times[told] == 3 and times["ok"] >= 1


@pytest.mark.parametrize("told", ["exit once", "raise once"])
def test_a_killed_environments_message_comes_back(function, source, told):
    one, send, dead = source(function())
    send(told)
    wait_until(lambda: is_empty(one) and len(done(one.function)) == 2)
    assert dead() == [] and one.function.causes


def test_kills_lose_nothing(function, source):
    one, send, dead = source(function(dice=faults.Dice(faults.Faults(kills=0.3, redelivered=0.2, shuffled=0.3))), receives=100)
    send(*["ok"] * 60)
    wait_until(lambda: is_empty(one), 60)
    assert len({line["id"] for line in done(one.function)}) == 60 and dead() == []
    assert min(one.function.dice.seen[name] for name in ("kills", "redelivered", "shuffled")) > 0


def test_an_answer_decides_which_items_failed():
    result = lambda body, error="": lambdas.Result(body.encode(), error)
    both = {"a", "b"}
    for body in ("", "null", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": null}'):
        assert sources.failed_items(result(body), both) == set(), body
    for body in ("x", "[]", "5", '{"batchItemFailures": [{"itemIdentifier": ""}]}', '{"batchItemFailures": [{"itemIdentifier": null}]}',
                 '{"batchItemFailures": [{"id": "a"}]}', '{"batchItemFailures": [{"itemIdentifier": "c"}]}', '{"batchItemFailures": ["a"]}'):
        assert sources.failed_items(result(body), both) == both, body
    assert sources.failed_items(result('{"batchItemFailures": [{"itemIdentifier": "a"}]}'), both) == {"a"}
    assert sources.failed_items(result("{}", "Unhandled"), both) == sources.failed_items(None, both) == both


def invoke(function, **event):
    return function.invoke(json.dumps(event).encode())


def test_environments_are_frozen_between_invocations(function):
    one = function()
    assert invoke(one).json()["body"] == "ok"
    (environment,) = one.all
    state = lambda: open(f"/proc/{environment.process.pid}/stat").read().rpartition(")")[2].split()[0]
    wait_until(lambda: state() == "T")
    assert invoke(one, rawPath="/clock").json()["body"]
    wait_until(lambda: state() == "T")
    assert one.starts == 1


def test_one_invocation_at_a_time_and_a_limit(function):
    one, answers = function(limit=3), []
    threads = [threading.Thread(target=lambda: answers.append(one.invoke(b'{"rawPath": "/slow"}', wait=False))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer is None for answer in answers) == 3
    assert one.starts == 3


def test_the_deadline_kills(function):
    one = function(seconds=0.3)
    started = time.monotonic()
    result = invoke(one, Records=[{"messageId": "a", "body": "sleep"}])
    assert result.error and "Timedout" in result.cause and 0.3 <= time.monotonic() - started < 5
    assert invoke(one).json()["body"] == "ok" and one.starts == 2


def test_a_failed_initialisation_is_told(function):
    result = invoke(function(FAIL_INIT="1"))
    assert result.error and "initialisation failed" in result.cause


def test_recycled_environments_start_cold(function):
    one = function(dice=faults.Dice(faults.Faults(recycled=1)))
    for _ in range(3):
        assert invoke(one).json()["body"] == "ok"
        wait_until(lambda: not one.all)
    assert one.starts == 3


# --- the stream ---


@pytest.fixture
def stream(emulators, aws, table, function, make_queue):
    made = []
    dynamodb = aws[1]("dynamodb")

    def make(rates=None, **options):
        arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        failures = make_queue()
        one = sources.StreamSource(emulators.dynamodb, emulators.sqs, table, arn, function(), faults.Dice(rates), meter.Meter(), failures, retry_s=0.01, **options)
        made.append(one)
        put = lambda key, told=None: dynamodb.put_item(TableName=table, Item={"k": {"S": key}, "n": {"N": str(time.monotonic_ns())}, **({"o": {"S": told}} if told else {})})
        return one, put, failures

    yield make
    for one in made:
        one.close()


def test_the_stream_is_filtered_and_in_order(stream):
    one, put, _ = stream()
    for i in range(30):
        put("plain")
        put("abc"[i % 3], f"{i}")
    wait_until(lambda: one.seen == 60 and one.is_idle())
    found = done(one.function)
    assert len(found) == 30
    for key in "abc":
        numbers = [int(line["told"]) for line in found if line["key"] == key]
        assert numbers == sorted(numbers)


def test_the_stream_retries_from_the_lowest_failure(stream):
    one, put, _ = stream(lanes=1)
    one.pause()
    put("a", "ok"), put("b", "fail once"), put("c", "ok")
    one.resume()
    wait_until(lambda: one.seen == 3 and one.is_idle())
    wait_until(lambda: len(done(one.function)) >= 4)
    found = [line["key"] for line in done(one.function)]
    assert found[-2:] == ["b", "c"] and found.count("b") == 2


def test_the_stream_gives_up_after_the_limit_and_goes_on(stream, emulators):
    one, put, failures = stream(lanes=1, attempts=3)
    put("a", "raise")
    put("b", "ok")
    sqs = wire.AwsApi(emulators.sqs, wire.SQS)
    (message,) = wait_until(lambda: sqs("ReceiveMessage", QueueUrl=failures, WaitTimeSeconds=1).get("Messages"))
    told = json.loads(message["Body"])["DDBStreamBatchInfo"]
    assert told["batchSize"] == 1 and told["startSequenceNumber"] == told["endSequenceNumber"]
    wait_until(lambda: one.is_idle() and "b" in [line["key"] for line in done(one.function)])
    assert one.given_up == 1


def test_a_replay_comes_again(stream):
    one, put, _ = stream(faults.Faults(replayed=1), lanes=1)
    for i in range(5):
        put("a", str(i))
        wait_until(lambda: one.is_idle() and str(i) in [line["told"] for line in done(one.function)])
    found = [line["told"] for line in done(one.function)]
    assert len(found) > 5 and set(found) == set("01234")


# --- the front ---


@pytest.mark.parametrize("shape", ["http", "rest", "alb", "alb-multi"])
def test_shapes_of_events(function, shape):
    one = front.Front(function(), shape)
    try:
        response = httpx.post(one.url + "/echo?a=1&a=%202", headers=[("X-A", "1"), ("X-A", "2"), ("Content-Type", "application/json")], content="{é}".encode(), **PLAIN)
        if shape == "alb-multi":  # the scripted function answers with single headers, which that shape does not take
            assert response.status_code == 502
            return
        event = response.json()
        assert event["body"] == "{é}" and not event["isBase64Encoded"]
        if shape == "http":
            assert event["version"] == "2.0" and event["rawQueryString"] == "a=1&a=%202" and event["headers"]["x-a"] == "1,2"
            assert event["queryStringParameters"] == {"a": "1, 2"} and event["requestContext"]["http"]["method"] == "POST"
        elif shape == "rest":
            assert event["multiValueHeaders"]["X-A"] == ["1", "2"] and event["multiValueQueryStringParameters"] == {"a": ["1", " 2"]}
        else:
            assert event["headers"]["x-a"] == "2" and event["queryStringParameters"] == {"a": "%202"} and "elb" in event["requestContext"]
    finally:
        one.close()


def test_the_front_answers_for_a_function_that_cannot(function):
    one = front.Front(function(limit=1))
    try:
        assert httpx.get(one.url + "/exit", **PLAIN).status_code == 500
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(httpx.get(one.url + "/slow", **PLAIN).status_code)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200, 503, 503, 503] and one.throttled == 3
    finally:
        one.close()
