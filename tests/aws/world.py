"""A stack of Spillway on a small AWS: table, queues, functions, event sources and the HTTP front, all of it in this
process but for the emulators and the functions. deploy/aws/template.yaml says the same of the real one."""

import dataclasses
import json
import os
import pathlib
import platform
import time
import uuid

import faults
import front
import lambdas
import meter
import proxy
import sources
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES, CHANNELS = ("inventory", "accounting", "fulfilment"), ("retail", "wholesale")
FUNCTIONS = ("api", "admit", "call", "relay", "sweep")
ACCOUNT = "123456789012"
SETTLED = "2456"  # enum order_status: completed, rejected, cancelled, attention


@dataclasses.dataclass
class Shape:
    """How large and how patient the stack is. The real one's figures are in the comments where they differ."""
    function_s: dict = dataclasses.field(default_factory=lambda: {"api": 10, "admit": 30, "call": 60, "relay": 30, "sweep": 60})
    visibility_s: int = None  # 6 x the function's time-out
    after_failure_s: int = 1  # the message comes back after its visibility time-out; here it is shortened to this
    limits: dict = dataclasses.field(default_factory=lambda: {"api": 40, "admit": 4, "call": 60, "relay": 8, "sweep": 2})
    concurrency: int = 10  # of each event source
    batch: dict = dataclasses.field(default_factory=dict)  # queue's suffix -> batch size; 10
    queue_concurrency: dict = dataclasses.field(default_factory=dict)  # queue's suffix -> maximum concurrency
    receive_count: int = 100
    stream_attempts: int = 50
    lanes: int = 4  # the stream's parallelization factor
    front: str = "http"
    freezes: bool = True


def binary():
    """What is deployed, built for this machine; SPILLWAY_BOOTSTRAP names another."""
    architecture = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    path = pathlib.Path(os.environ.get("SPILLWAY_BOOTSTRAP", ROOT / "build" / "aws" / architecture / "bootstrap"))
    assert path.exists(), f"{path} is missing: script/build-aws builds it"
    return str(path)


class World:
    def __init__(self, emulators, folder, settings, shape=None, rates=None, seed=1, authoriser=None, tls=None):
        """`settings`: SPILLWAY_… variables. `rates`: faults.Faults. `authoriser`: of front.Front."""
        self.emulators, self.folder, self.shape = emulators, pathlib.Path(folder), shape or Shape()
        self.stack, self.meter = "t" + uuid.uuid4().hex[:10], meter.Meter()
        self.dice = faults.Dice(rates, seed)
        self.dynamodb, self.sqs = wire.AwsApi(emulators.dynamodb, wire.DYNAMODB), wire.AwsApi(emulators.sqs, wire.SQS)
        self.queues, self.functions, self.sources = {}, {}, {}
        self.proxy = proxy.Proxy(emulators, self.dice, self.meter, tls)
        self._make_table()
        self._make_queues()
        front_options = authoriser or {}
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in FUNCTIONS:
            self.functions[name] = self._function(name)
        self.proxy.invoke = lambda name, payload: (b"{}", "Unhandled")
        self.front = front.Front(self.functions["api"], self.shape.front, **front_options)
        self.url, self.address = self.front.url, self.front.address
        for function in self.functions.values():
            function.variables.update(self._variables(function.name, settings))
            if tls:
                function.variables["AWS_CA_BUNDLE"] = str(tls[0])
        self._make_sources()

    # --- table and queues ---

    def _make_table(self):
        texts = [{"AttributeName": name, "AttributeType": "S"} for name in "krct"]
        key = lambda hash, range: [{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]
        self.table = f"{self.stack}-orders"
        made = self.dynamodb("CreateTable", TableName=self.table, AttributeDefinitions=texts, KeySchema=key("k", "r"), BillingMode="PAY_PER_REQUEST",
                             GlobalSecondaryIndexes=[{"IndexName": "by_customer", "KeySchema": key("c", "t"), "Projection": {"ProjectionType": "KEYS_ONLY"}}],
                             StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        self.stream = made["TableDescription"]["LatestStreamArn"]

    def _make_queues(self):
        names = [f"{service}-{channel}" for service in SERVICES for channel in CHANNELS]
        for suffix in [*names, "intake"]:
            self._make_queue(suffix + "-dead")
            redrive = {"deadLetterTargetArn": sources.ARN + f"{self.stack}-{suffix}-dead",
                       "maxReceiveCount": 1000 if suffix == "intake" else self.shape.receive_count}
            self._make_queue(suffix, RedrivePolicy=json.dumps(redrive))
        self._make_queue("relay-failures")

    def _make_queue(self, suffix, **attributes):
        name = f"{self.stack}-{suffix}"
        made = self.sqs("CreateQueue", QueueName=name, Attributes=attributes)
        self.queues[suffix] = made["QueueUrl"]

    def queue_url(self, suffix):
        """As the functions know it: AWS's address, which the endpoint setting overrides."""
        return f"https://sqs.{proxy.REGION}.amazonaws.com/{ACCOUNT}/{self.stack}-{suffix}"

    # --- functions ---

    def _variables(self, name, settings):
        known = {"AWS_REGION": proxy.REGION, "AWS_DEFAULT_REGION": proxy.REGION, **proxy.CREDENTIALS, **self.proxy.endpoints(name),
                 "SPILLWAY_CALL_TIME": f"{self.shape.function_s['call']}s", "SPILLWAY_TABLE": self.table, "SPILLWAY_INTAKE_QUEUE_URL": self.queue_url("intake")}
        for service in SERVICES:
            for channel in CHANNELS:
                known[f"SPILLWAY_{service.upper()}_{channel.upper()}_QUEUE_URL"] = self.queue_url(f"{service}-{channel}")
        if self.shape.function_s["call"] <= 10:  # a call is to end before its function does
            known.update({f"SPILLWAY_{service.upper()}_TIMEOUT": f"{900 * self.shape.function_s['call']}ms" for service in SERVICES})
        if name == "call":
            known["SPILLWAY_PUBLIC_URL"] = self.url
            for service in SERVICES:
                for channel in CHANNELS:
                    of_queue = self.shape.queue_concurrency.get(f"{service}-{channel}", self.shape.concurrency)
                    known[f"SPILLWAY_{service.upper()}_{channel.upper()}_CONCURRENCY"] = str(of_queue)
        passed = {key: value for key, value in os.environ.items() if key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "GCOV_PREFIX", "PATH")}
        return {**known, **passed, **settings}

    def _function(self, name):
        return lambdas.Function(name, f"{self.stack}-{name}", binary(), {}, str(self.folder), self.shape.function_s[name], self.shape.limits[name], dice=self.dice,
                                meter=self.meter, freezes=self.shape.freezes)

    # --- event sources ---

    def _make_sources(self):
        feeds = {suffix: "sweep" if suffix.endswith("-dead") or suffix == "relay-failures" else "call" for suffix in self.queues}
        feeds["intake"] = feeds["intake-dead"] = "admit"
        for suffix, name in feeds.items():
            function = self.functions[name]
            self.sources[suffix] = sources.SqsSource(
                self.emulators.sqs, f"{self.stack}-{suffix}", self.queues[suffix], function, self.dice, self.meter, batch=self.shape.batch.get(suffix, 10),
                concurrency=self.shape.queue_concurrency.get(suffix, 2 if name in ("sweep", "admit") else self.shape.concurrency),
                visibility_s=self.shape.visibility_s or 6 * self.shape.function_s[name], after_failure_s=self.shape.after_failure_s)
        self.relay = sources.StreamSource(self.emulators.dynamodb, self.emulators.sqs, self.table, self.stream, self.functions["relay"], self.dice, self.meter,
                                          self.queues["relay-failures"], lanes=self.shape.lanes, attempts=self.shape.stream_attempts)

    def rest(self):
        """The event sources stop by and by: the emulators' processor time goes to their polling, for the most part."""
        for source in [self.relay, *self.sources.values()]:
            source.open.clear()

    def pause(self):
        """Stops every event source; what is under way is finished."""
        self.rest()
        for source in [self.relay, *self.sources.values()]:
            source.pause()

    def resume(self):
        for source in [self.relay, *self.sources.values()]:
            source.resume()

    # --- looking at it ---

    def waiting(self):
        """Messages and records that are still to be worked on, by where they are."""
        found = {suffix: sum(source.counts()) + source.under_way for suffix, source in self.sources.items()}
        found["stream"] = 0 if self.relay.is_idle() else 1
        return {name: count for name, count in found.items() if count}

    def logs(self):
        """The lines of every function so far, each a dict with the function's name."""
        found = []
        for name in self.functions:
            for line in open(self.folder / f"{name}.log", errors="replace").read().splitlines():
                found.append({"function": name, **json.loads(line)})
        return found

    def log_bytes(self):
        return {name: (self.folder / f"{name}.log").stat().st_size for name in self.functions}

    def report(self):
        """For the reader of a test that failed."""
        lines = [f"waiting: {self.waiting()}", f"faults: {dict(self.dice.seen)}", f"stream: {self.relay.seen} records, {self.relay.troubles[-3:]}"]
        for name, function in self.functions.items():
            lines += [f"{name}: {function.starts} starts, failed: {function.causes[-3:]}" if function.starts else f"{name}: not used"]
            lines += [f"  {line[:300]}" for line in open(function.log_path, errors="replace").read().splitlines()[-8:]]
        return "\n".join(lines)

    def items(self):
        """Everything in the table, as DynamoDB writes it."""
        found, start = [], {}
        while True:
            page = self.dynamodb("Scan", TableName=self.table, ConsistentRead=True, **start)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def unfinished(self):
        """Ids of orders that are neither final nor in attention, and what is still in the intake. An order's state is
        "<channel><paid>|<status>…" (src/platform/aws/store_dynamodb_item.c)."""
        stored = [item["k"]["S"] for item in self.items() if item["r"]["S"] == "o" and item["s"]["S"].split("|")[1][0] not in SETTLED]
        source = self.sources["intake"]
        return stored + ["intake"] * (sum(source.counts()) + source.under_way)

    def quiet(self, seconds=30):
        """Waits until nothing is left to do."""
        end = time.monotonic() + seconds
        while left := self.waiting():
            assert time.monotonic() < end, f"still there after {seconds} s: {left}"
            time.sleep(0.1)

    def kill_all(self):
        for function in self.functions.values():
            function.kill_all()

    def close(self):
        """What was found to be wrong: a list of sentences, empty where all is well."""
        self.front.close()
        wrong = [text for source in [self.relay, *self.sources.values()] for text in source.close()]
        for name, function in self.functions.items():
            codes = function.close()
            wrong += [f"{name} ended with {code} on SIGTERM" for code in codes if code != 0]
            wrong += [f"{name}: {text}" for text in function.complaints]
        self.proxy.close()
        wrong += [f"AWS would refuse: {kind}: {text}" for kind, text in self.proxy.refused]
        for url in self.queues.values():
            self.sqs("DeleteQueue", QueueUrl=url)
        self.dynamodb("DeleteTable", TableName=self.table)
        self.dynamodb.close(), self.sqs.close()
        return wrong
