import os

import pytest

import resolved

# sam reports home otherwise, and looks for a region.
os.environ |= {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}


@pytest.fixture(scope="session")
def template():
    return resolved.read()


@pytest.fixture(scope="session", params=list(resolved.VARIANTS))
def resources(request, template):
    return resolved.Resolver(template, resolved.VARIANTS[request.param]).resources()


@pytest.fixture(scope="session")
def functions(resources):
    return resolved.of_type(resources, "AWS::Serverless::Function")
