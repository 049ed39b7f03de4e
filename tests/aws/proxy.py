"""What the functions take for AWS: checks each request as AWS does, meters it, spoils some of them, and hands the
rest to DynamoDB Local and ElasticMQ. SSM's GetParameter, Secrets Manager's GetSecretValue and Lambda's Invoke are
answered here."""

import json
import threading
import time
import urllib.parse
import uuid

import signature
import wire

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDRIGEXAMPLE", "AWS_SECRET_ACCESS_KEY": "rig+secret/key", "AWS_SESSION_TOKEN": "rig//session+token=="}
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
PREFIXES = {wire.DYNAMODB: "dynamodb", wire.STREAMS: "dynamodb", wire.SQS: "sqs", "AmazonSSM": "ssm", "secretsmanager": "secretsmanager"}
MEDIA = {wire.DYNAMODB: "1.0", wire.STREAMS: "1.0", wire.SQS: "1.0", "AmazonSSM": "1.1", "secretsmanager": "1.1"}
MAX_BATCH = 10


def error(status, kind, message="", service="com.amazonaws.dynamodb.v20120810", **more):
    body = json.dumps({"__type": f"{service}#{kind}", "message": message, **more}).encode()
    return wire.Response(status, [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", uuid.uuid4().hex)], body)


def answer(body, media="1.0"):
    return wire.Response(200, [("Content-Type", f"application/x-amz-json-{media}"), ("x-amzn-RequestId", uuid.uuid4().hex)], json.dumps(body).encode())


class Proxy:
    def __init__(self, emulators, dice, meter, tls=None):
        self.dice, self.meter = dice, meter
        self.table, self.queues = wire.Peer(emulators.dynamodb), wire.Peer(emulators.sqs)
        self.checker = signature.Checker(*CREDENTIALS.values(), REGION)
        self.parameters, self.secrets, self.invoke = {}, {}, None  # invoke(name, payload) -> (body, function error or None)
        self.refused, self.lock = [], threading.RLock()  # what a request was refused for: a defect of the functions
        self.tls, self.servers = tls, {}

    def server(self, function):
        """Each function has an address of its own, so that it is known who asks."""
        with self.lock:
            if function not in self.servers:
                self.servers[function] = wire.Server(lambda request: self._handle(function, self.servers[function], request), self.tls, self._release)
            return self.servers[function]

    def _release(self):
        self.table.release()
        self.queues.release()

    def endpoints(self, function):
        names = ("", "_DYNAMODB", "_DYNAMODB_STREAMS", "_SQS", "_LAMBDA", "_SSM", "_SECRETS_MANAGER")
        return {f"AWS_ENDPOINT_URL{name}": self.server(function).url for name in names}

    def close(self):
        for server in self.servers.values():
            server.close()
        self.table.close()
        self.queues.close()

    # --- what AWS checks of every request ---

    def _refuse(self, status, kind, message):
        with self.lock:
            self.refused.append((kind, message))
        return error(status, kind, message, "com.amazon.coral.service")

    def _handle(self, function, server, request):
        prefix, _, operation = (request.get("x-amz-target") or "").partition(".")
        try:
            if request.get("host") != server.address:
                raise signature.Refused("InvalidSignatureException", f"Host is {request.get('host')!r}")
            if request.target.startswith("/2015-03-31/functions/"):
                self.checker.check(request, server.url, ("lambda",))
                return self._lambda(request)
            if prefix not in PREFIXES:
                return self._refuse(400, "UnknownOperationException", f"x-amz-target is {request.get('x-amz-target')!r}")
            self.checker.check(request, server.url, (PREFIXES[prefix],))
        except signature.Refused as refusal:
            return self._refuse(403, *refusal.args)
        if request.method != "POST" or request.target != "/":
            return self._refuse(400, "UnknownOperationException", f"{request.method} {request.target}")
        if request.get("content-type") != f"application/x-amz-json-{MEDIA[prefix]}":
            return self._refuse(400, "SerializationException", f"Content-Type is {request.get('content-type')!r}")
        try:
            parameters = json.loads(request.body)
        except ValueError:
            return self._refuse(400, "SerializationException", "the body is no JSON")
        if prefix == wire.SQS:
            return self._sqs(operation, parameters, request)
        if prefix == wire.DYNAMODB:
            return self._dynamodb(function, operation, parameters)
        if prefix == wire.STREAMS:
            self.meter.add("streams", operation)
            return self._forward(self.table, f"{prefix}.{operation}", request.body)
        return self._secret(prefix, operation, parameters)

    def _forward(self, peer, target, body):
        headers = [("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", target),
                   ("Authorization", "AWS4-HMAC-SHA256 Credential=RIG/20261101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")]
        status, headers, body = peer.send("POST", "/", headers, body)
        kept = [(name, value) for name, value in headers if name.lower() in ("content-type", "x-amzn-requestid", "x-amz-crc32")]
        return wire.Response(status, kept, body)

    # --- DynamoDB ---

    def _dynamodb(self, function, operation, parameters):
        self.meter.add("dynamodb", operation, function)
        dice, write = self.dice, operation in WRITES
        if dice.hits("table_throttles") or write and dice.hits("writes_throttled") or write and function == "api" and dice.hits("creates_throttled"):
            return self._throttled(operation, parameters)
        if write and dice.hits("conflicts"):
            return self._conflict(operation, parameters)
        failing = dice.hits("table_fails")
        if failing and dice.fraction() < 0.5:
            return error(500, "InternalServerError", "The request processing has failed because of an unknown error.")
        if dice.hits("table_slow"):
            time.sleep(dice.faults.slow_s)
        kept_back = self._keep_back(operation, parameters) if operation in ("BatchGetItem", "BatchWriteItem") and dice.hits("unprocessed") else None
        if operation != "DescribeTable":
            parameters.setdefault("ReturnConsumedCapacity", "INDEXES")
        response = self._forward(self.table, f"{wire.DYNAMODB}.{operation}", json.dumps(parameters).encode())
        response = self._metered(operation, response, kept_back)
        if failing:
            return error(500, "InternalServerError", "The request processing has failed because of an unknown error.")
        return None if dice.hits("table_lost") else response

    def _metered(self, operation, response, kept_back):
        if response.status != 200:
            kind = json.loads(response.body or b"{}").get("__type", "").rpartition("#")[2]
            self.meter.add("refused", operation, kind)
            return response
        body = json.loads(response.body)
        if "ConsumedCapacity" in body:
            self.meter.capacity(operation, body["ConsumedCapacity"])
        if kept_back:
            name, items = kept_back
            body.setdefault(name, {}).update(items)
            return answer(body)
        return response

    def _throttled(self, operation, parameters):
        self.meter.add("throttled", operation)
        if operation == "TransactWriteItems" and self.dice.fraction() < 0.5:
            return self._cancelled(parameters, "ThrottlingError", "Throughput exceeds the current capacity for one or more global secondary indexes.")
        kind = "ProvisionedThroughputExceededException" if self.dice.fraction() < 0.5 else "ThrottlingException"
        return error(400, kind, "The level of configured provisioned throughput for the table was exceeded.",
                     "com.amazonaws.dynamodb.v20120810" if kind[0] == "P" else "com.amazon.coral.availability")

    def _conflict(self, operation, parameters):
        if operation == "TransactWriteItems":
            return self._cancelled(parameters, "TransactionConflict", "Transaction is ongoing for the item")
        if operation == "BatchWriteItem":
            return error(400, "ThrottlingException", "", "com.amazon.coral.availability")
        return error(400, "TransactionConflictException", "Transaction is ongoing for the item")

    def _cancelled(self, parameters, code, message):
        items = parameters["TransactItems"]
        hit = int(self.dice.fraction() * len(items))
        reasons = [{"Code": code, "Message": message} if i == hit else {"Code": "None"} for i in range(len(items))]
        listed = ", ".join(reason["Code"] for reason in reasons)
        text = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{listed}]"
        return error(400, "TransactionCanceledException", "", Message=text, CancellationReasons=reasons)

    def _keep_back(self, operation, parameters):
        """Takes about half of a batch out of the request: it comes back as unprocessed."""
        reading = operation == "BatchGetItem"
        kept = {}
        for table, wanted in parameters["RequestItems"].items():
            items = wanted["Keys"] if reading else wanted
            back = [item for item in items if self.dice.fraction() < 0.5] if len(items) > 1 else []
            back = back[:len(items) - 1]
            if back:
                left = [item for item in items if item not in back]
                parameters["RequestItems"][table] = {**wanted, "Keys": left} if reading else left
                kept[table] = {**wanted, "Keys": back} if reading else back
        return ("UnprocessedKeys" if reading else "UnprocessedItems", kept) if kept else None

    # --- SQS ---

    def _sqs(self, operation, parameters, request):
        self.meter.sqs(operation, self._payload(operation, parameters))
        if operation.startswith("Send"):
            self.meter.add("sent", parameters.get("QueueUrl", "").rpartition("/")[2], by=len(parameters.get("Entries", [0])))
        dice, service = self.dice, "com.amazonaws.sqs"
        if dice.hits("queue_fails"):
            return error(503, "ServiceUnavailable", "Service Unavailable", service)
        failed = []
        if operation == "SendMessageBatch" and len(parameters.get("Entries", [])) > 1 and dice.hits("batch_partly_fails"):
            entries = parameters["Entries"]
            failed = entries[int(dice.fraction() * len(entries)):][:3]
            parameters["Entries"] = [entry for entry in entries if entry not in failed]
        if failed and not parameters["Entries"]:
            response = answer({"Successful": []})
        else:
            body = json.dumps(parameters).encode() if failed else request.body
            response = self._forward(self.queues, f"{wire.SQS}.{operation}", body)
            if operation.startswith("Send") and dice.hits("sent_twice"):
                self._forward(self.queues, f"{wire.SQS}.{operation}", body)
        if failed and response.status == 200:
            told = json.loads(response.body)
            told.setdefault("Failed", []).extend({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "try again"} for entry in failed)
            response = answer(told)
        return None if dice.hits("queue_lost") else response

    @staticmethod
    def _payload(operation, parameters):
        if operation == "SendMessage":
            return len(parameters.get("MessageBody", "").encode())
        return sum(len(entry.get("MessageBody", "").encode()) for entry in parameters.get("Entries", []))

    # --- SSM, Secrets Manager, Lambda ---

    def _secret(self, prefix, operation, parameters):
        if prefix == "AmazonSSM" and operation == "GetParameter":
            value = self.parameters.get(parameters.get("Name"))
            if value is None:
                return error(400, "ParameterNotFound", "", "com.amazonaws.ssm")
            shown = value if parameters.get("WithDecryption") else "AQICAHh" + "x" * 40
            return answer({"Parameter": {"Name": parameters["Name"], "Type": "SecureString", "Value": shown, "Version": 1}}, "1.1")
        if prefix == "secretsmanager" and operation == "GetSecretValue":
            value = self.secrets.get(parameters.get("SecretId"))
            if value is None:
                return error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", "com.amazonaws.secretsmanager")
            return answer({"Name": parameters["SecretId"], "SecretString": value, "VersionId": uuid.uuid4().hex}, "1.1")
        return self._refuse(400, "UnknownOperationException", f"{prefix}.{operation}")

    def _lambda(self, request):
        name = urllib.parse.unquote(request.target.split("/")[3])
        if not self.invoke:
            return error(404, "ResourceNotFoundException", f"Function not found: {name}", "com.amazonaws.lambda")
        body, failed = self.invoke(name, request.body)
        return wire.Response(200, [("Content-Type", "application/json"), *([("X-Amz-Function-Error", failed)] if failed else [])], body)
