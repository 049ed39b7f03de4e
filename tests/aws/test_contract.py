"""The DynamoDB store passes the contract of all stores, on DynamoDB Local (tests/aws/contract/store_dynamodb.c)."""

import os
import re
import subprocess

import pytest

from conftest import ROOT

PROGRAM = ROOT / "build" / "tests" / "contract.store_dynamodb"


# Beside other tests, on a busy machine, the emulator takes minutes.
@pytest.mark.timeout(420)
def test_the_store_keeps_the_contract(emulators):
    assert PROGRAM.exists(), f"{PROGRAM} is missing: script/test aws builds it"
    host, port = emulators.dynamodb
    environment = {"PATH": os.environ["PATH"], "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                   "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_DYNAMODB": f"http://{host}:{port}"}
    run = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, timeout=400)
    output = run.stdout + run.stderr
    passed = re.search(r"\[  PASSED  \] (\d+) test", output)
    assert run.returncode == 0 and passed and int(passed.group(1)) >= 16, output[-4000:]
