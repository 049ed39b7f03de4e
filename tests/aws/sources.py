"""Event source mappings: what polls SQS and the table's stream, and invokes functions with batches."""

import collections
import concurrent.futures
import datetime
import hashlib
import json
import threading
import time
import uuid

import wire

ARN = "arn:aws:sqs:us-east-1:123456789012:"


def failed_items(result, identifiers):
    """The identifiers of a batch that did not succeed, by Lambda's rules for ReportBatchItemFailures: an answer that
    is not understood fails the whole batch."""
    if result is None or result.error:
        return set(identifiers)
    if not result.body:
        return set()
    try:
        answer = json.loads(result.body)
    except ValueError:
        return set(identifiers)
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict):
        return set(identifiers)
    failures = answer.get("batchItemFailures")
    if not failures:
        return set()
    found = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not identifier or identifier not in identifiers:
            return set(identifiers)
        found.add(identifier)
    return found


class SqsSource:
    """One queue, one function. `after_failure_s`: how soon a message comes back that was not deleted; the time that
    passes until its visibility time-out is thus made shorter. None leaves it to the time-out."""

    def __init__(self, address, queue_name, url, function, dice, meter, batch=10, concurrency=10, visibility_s=360, after_failure_s=1):
        self.queue_name, self.url, self.function, self.dice, self.meter = queue_name, url, function, dice, meter
        self.batch, self.visibility_s, self.after_failure_s = batch, visibility_s, after_failure_s
        self.sqs = wire.AwsApi(address, wire.SQS)
        self.slots = threading.Semaphore(concurrency)
        self.open, self.parked, self.closed = threading.Event(), threading.Event(), False
        self.open.set()
        self.delivered, self.under_way, self.lock = collections.Counter(), 0, threading.Lock()
        self.kept = []
        self.pool = concurrent.futures.ThreadPoolExecutor(concurrency)
        self.thread = threading.Thread(target=self._poll, daemon=True)
        self.thread.start()

    def pause(self):
        """When it returns, nothing more is received."""
        self.open.clear()
        assert self.parked.wait(10)

    def resume(self):
        self.open.set()

    def _receive(self, wait_s):
        received = self.sqs("ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=min(self.batch, 10), WaitTimeSeconds=wait_s, VisibilityTimeout=self.visibility_s,
                            MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]).get("Messages", [])
        if received:  # what an idle poller costs is added to the bill by hand: it depends on the time, not on orders
            self.meter.sqs("ReceiveMessage", sum(len(message["Body"].encode()) for message in received))
        else:
            self.meter.add("empty receives", self.queue_name)
        return received

    def _poll(self):
        while not self.closed:
            self.slots.acquire()
            if not self.open.is_set():
                self.parked.set()
                self.open.wait()
                self.parked.clear()
            messages = []
            try:
                messages = self._receive(1)
            except (wire.Broken, OSError, wire.AwsError):
                if not self.closed:
                    time.sleep(0.2)
            messages = self._shuffled(messages)
            if not messages:
                self.slots.release()
                continue
            with self.lock:
                self.under_way += 1
            try:
                self.pool.submit(self._deliver, messages)
            except RuntimeError:  # closed
                return

    def _shuffled(self, messages):
        """Now and then a batch is put aside, and comes after the one that follows it, mixed with it."""
        if self.kept and messages:
            messages, self.kept = (self.kept + messages)[-10:][::-1], (self.kept + messages)[:-10]
        elif messages and self.dice.hits("shuffled"):
            messages, self.kept = messages[:1], messages[1:]
        elif self.kept:
            messages, self.kept = self.kept[:10], self.kept[10:]
        return messages

    def _deliver(self, messages):
        try:
            self._deliver_once(messages)
            if self.dice.hits("redelivered"):
                self.function.invoke(self._event(messages))
        except (wire.Broken, OSError, wire.AwsError):
            if not self.closed:
                raise
        finally:
            with self.lock:
                self.under_way -= 1
            self.slots.release()

    def _deliver_once(self, messages):
        result = self.function.invoke(self._event(messages))
        failed = failed_items(result, {message["MessageId"] for message in messages})
        done = [message for message in messages if message["MessageId"] not in failed]
        self._batches("DeleteMessageBatch", done)
        # A batch that failed as a whole waits for its visibility time-out; of those reported one by one the function
        # may have set the time itself.
        if result is None or result.error:
            self._come_back([message for message in messages if message["MessageId"] in failed])

    def _come_back(self, messages):
        if self.after_failure_s is not None:
            self._batches("ChangeMessageVisibilityBatch", messages, VisibilityTimeout=self.after_failure_s)

    def _batches(self, operation, messages, **more):
        for at in range(0, len(messages), 10):
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"], **more} for i, message in enumerate(messages[at:at + 10])]
            self.sqs(operation, QueueUrl=self.url, Entries=entries)
            if operation == "DeleteMessageBatch":
                self.meter.sqs(operation, 0)

    def _event(self, messages):
        records = []
        for message in messages:
            with self.lock:
                self.delivered[message["MessageId"]] += 1
            records.append({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": {name: value for name, value in message.get("Attributes", {}).items()},
                "messageAttributes": {}, "md5OfBody": hashlib.md5(message["Body"].encode()).hexdigest(),
                "eventSource": "aws:sqs", "eventSourceARN": ARN + self.queue_name, "awsRegion": "us-east-1"})
        return json.dumps({"Records": records}).encode()

    def counts(self):
        """(messages there, being worked on or put aside, delayed)."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        found = self.sqs("GetQueueAttributes", QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    def close(self):
        self.closed = True
        self.open.set()
        self.sqs.close()
        self.thread.join(5)
        self.pool.shutdown(wait=False)
        return [f"the poller of {self.queue_name} did not end"] if self.thread.is_alive() else []


def matches(record):
    """The relay's filter: eventName INSERT or MODIFY, and dynamodb.NewImage.o.S is there."""
    return record["eventName"] in ("INSERT", "MODIFY") and "S" in record["dynamodb"].get("NewImage", {}).get("o", {})


class StreamSource:
    """Reads the table's stream from its beginning, and feeds what passes the filter to the function, in order for
    each key: lanes by hash of the key stand for shards and the parallelization factor."""

    def __init__(self, address, sqs_address, table, arn, function, dice, meter, failure_queue, batch=100, lanes=4, attempts=50, every_s=0.05, retry_s=0.1):
        self.streams, self.sqs = wire.AwsApi(address, wire.STREAMS), wire.AwsApi(sqs_address, wire.SQS)
        self.arn, self.function, self.dice, self.meter, self.failure_queue = arn, function, dice, meter, failure_queue
        self.batch, self.attempts, self.every_s, self.retry_s = batch, attempts, every_s, retry_s
        self.closed, self.open, self.parked = False, threading.Event(), threading.Event()
        self.open.set()
        self.seen = self.given_up = 0
        self.troubles = []  # what the emulator refused
        self.lanes = [Lane(self) for _ in range(lanes)]
        self.shards, self.last = {}, {}  # iterator and last sequence number of each
        self.thread = threading.Thread(target=self._poll, daemon=True)
        self.thread.start()

    def pause(self):
        self.open.clear()
        assert self.parked.wait(10)

    def resume(self):
        self.open.set()

    def _poll(self):
        while not self.closed:
            if not self.open.is_set():
                self.parked.set()
                self.open.wait()
                self.parked.clear()
            try:
                if not sum(self._read_shard(shard) for shard in self._shards()):
                    time.sleep(self.every_s)
            except (wire.Broken, OSError, wire.AwsError) as failure:
                if not self.closed:
                    self.troubles.append(str(failure))
                    time.sleep(0.2)

    def _shards(self):
        if not self.shards:
            found = self.streams("DescribeStream", StreamArn=self.arn)["StreamDescription"]["Shards"]
            self.shards = {shard["ShardId"]: self._iterator(shard["ShardId"]) for shard in found}
        return [shard for shard, iterator in self.shards.items() if iterator]

    def _iterator(self, shard):
        at = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.last[shard]} if shard in self.last else {"ShardIteratorType": "TRIM_HORIZON"}
        return self.streams("GetShardIterator", StreamArn=self.arn, ShardId=shard, **at)["ShardIterator"]

    def _read_shard(self, shard):
        try:
            got = self.streams("GetRecords", ShardIterator=self.shards[shard], Limit=1000)
        except wire.AwsError as refusal:
            # DynamoDB Local forgets iterators of a shard that was still empty.
            if b"TrimmedDataAccessException" not in refusal.body:
                raise
            self.shards[shard] = self._iterator(shard)
            return 0
        self.shards[shard] = got.get("NextShardIterator")
        batches = collections.defaultdict(list)
        for record in got["Records"]:
            self.seen += 1
            self.last[shard] = record["dynamodb"]["SequenceNumber"]
            if matches(record):
                key = record["dynamodb"]["Keys"]["k"]["S"]
                batches[int(hashlib.md5(key.encode()).hexdigest()[:4], 16) % len(self.lanes)].append((shard, record))
        for lane, records in batches.items():
            self.lanes[lane].put(records)
        return len(got["Records"])

    def event(self, records):
        return json.dumps({"Records": [{**record, "awsRegion": "us-east-1", "eventSourceARN": self.arn} for _, record in records]}).encode()

    def give_up(self, records, attempts, result):
        """To the on-failure destination goes where the records are, not what they are."""
        numbers = [record["dynamodb"]["SequenceNumber"] for _, record in records]
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {
            "requestContext": {"requestId": str(uuid.uuid4()), "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:" + self.function.full_name,
                               "condition": "RetryAttemptsExhausted", "approximateInvokeCount": attempts},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": result.error or None if result else "Unhandled"},
            "version": "1.0", "timestamp": now,
            "DDBStreamBatchInfo": {"shardId": records[0][0], "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[-1],
                                   "approximateArrivalOfFirstRecord": now, "approximateArrivalOfLastRecord": now, "batchSize": len(records), "streamArn": self.arn}}
        self.sqs("SendMessage", QueueUrl=self.failure_queue, MessageBody=json.dumps(told))
        self.given_up += len(records)

    def is_idle(self):
        return all(lane.is_idle() for lane in self.lanes)

    def close(self):
        self.closed = True
        self.open.set()
        self.streams.close()
        for lane in self.lanes:
            lane.close()
        self.sqs.close()
        self.thread.join(5)
        return [f"a reader of {self.arn} did not end" for thread in [self.thread, *(lane.thread for lane in self.lanes)] if thread.is_alive()]


class Lane:
    def __init__(self, source):
        self.source, self.records, self.condition, self.busy = source, collections.deque(), threading.Condition(), False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def put(self, records):
        with self.condition:
            self.records.extend(records)
            self.condition.notify()

    def is_idle(self):
        with self.condition:
            return not self.records and not self.busy

    def close(self):
        with self.condition:
            self.records.clear()
            self.condition.notify()
        self.thread.join(5)

    def _take(self):
        with self.condition:
            self.busy = False
            self.condition.wait_for(lambda: self.records or self.source.closed)
            self.busy = True
            return [self.records.popleft() for _ in range(min(self.source.batch, len(self.records)))]

    def _run(self):
        handled = []
        while batch := self._take():
            if handled and self.source.dice.hits("replayed"):
                self._attempt(handled)  # as after a checkpoint that was not written
            try:
                self._work_off(batch)
            except (wire.Broken, OSError):
                if not self.source.closed:
                    raise
                return
            handled = (handled + batch)[-self.source.batch:]

    def _attempt(self, records):
        """What is left to do: everything from the lowest failure on."""
        result = self.source.function.invoke(self.source.event(records))
        numbers = [record["dynamodb"]["SequenceNumber"] for _, record in records]
        failed = failed_items(result, set(numbers))
        first = next((index for index, number in enumerate(numbers) if number in failed), len(numbers))
        return records[first:], result

    def _work_off(self, records, attempts=0):
        """Again until all is done; a batch that failed as a whole is split (BisectBatchOnFunctionError)."""
        while records and not self.source.closed:
            left, result = self._attempt(records)
            attempts += 1
            if not left:
                return
            if attempts > self.source.attempts:
                self.source.give_up(left, attempts, result)
                return
            if result is None or result.error:
                time.sleep(self.source.retry_s)
                if len(left) > 1:
                    self._work_off(left[:len(left) // 2], attempts)
                    left = left[len(left) // 2:]
            elif len(left) == len(records):
                time.sleep(self.source.retry_s)
            records = left
