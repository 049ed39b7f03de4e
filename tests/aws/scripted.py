#!/usr/bin/env python3
"""A bootstrap whose every move is told by the event: for the tests of the rig itself. A message's body (or an item's
outbox `o`) says what happens to it: "ok", "fail" (reported), "raise" (the invocation fails), "exit" (the process
ends), "sleep" (longer than any time-out), "fail once", "raise once", "exit once" (by a file beside the log). What was
done is written to standard output, a JSON line each."""

import http.client
import json
import os
import pathlib
import sys
import time


def once(name, identifier):
    mark = pathlib.Path(os.environ["LAMBDA_TASK_ROOT"]) / f"once-{name}-{identifier}"
    if mark.exists():
        return False
    mark.touch()
    return True


def say(**fields):
    print(json.dumps(fields), flush=True)


def handle(event, client, request_id):
    failures = []
    for record in event.get("Records", []):
        stream = "dynamodb" in record
        identifier = record["dynamodb"]["SequenceNumber"] if stream else record["messageId"]
        told = record["dynamodb"]["NewImage"]["o"]["S"] if stream else record["body"]
        say(told=told, id=identifier, key=record["dynamodb"]["Keys"]["k"]["S"] if stream else "")
        if told.endswith(" once"):
            told = told.split()[0] if once(told.split()[0], identifier) else "ok"
        if told == "fail":
            failures.append({"itemIdentifier": identifier})
        elif told == "raise":
            raise RuntimeError("told to")
        elif told == "exit":
            os._exit(3)
        elif told == "sleep":
            time.sleep(60)
        elif told == "garbage":
            return "garbage"
        elif told == "foreign":
            return {"batchItemFailures": [{"itemIdentifier": "nobody's"}]}
    if "Records" in event:
        return {"batchItemFailures": failures}
    if event.get("rawPath") == "/echo" or event.get("path") == "/echo":
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
    if event.get("rawPath") == "/slow":
        time.sleep(0.5)
    if event.get("rawPath") == "/clock":
        return {"statusCode": 200, "headers": {}, "body": str(time.monotonic())}
    if event.get("rawPath") == "/exit":
        os._exit(3)
    return {"statusCode": 200, "headers": {}, "body": "ok"}


def main():
    client = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    if os.environ.get("FAIL_INIT"):
        client.request("POST", "/2018-06-01/runtime/init/error", b"{}")
        client.getresponse().read()
        return 1
    while True:
        client.request("GET", "/2018-06-01/runtime/invocation/next")
        response = client.getresponse()
        event, request_id = json.loads(response.read()), response.headers["Lambda-Runtime-Aws-Request-Id"]
        path = f"/2018-06-01/runtime/invocation/{request_id}/"
        try:
            answer = handle(event, client, request_id)
            client.request("POST", path + "response", answer if answer == "garbage" else json.dumps(answer))
        except RuntimeError as failure:
            client.request("POST", path + "error", json.dumps({"errorMessage": str(failure)}), {"Lambda-Runtime-Function-Error-Type": "Told.To"})
        client.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
