"""Each function may do what it needs and no more."""

import json
import re

import pytest

import resolved
from resolved import CALL_QUEUES, CHANNELS, SERVICES, of_type

TABLE_ALL = {"BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"}
TABLE_CALL = {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"}
READ_STREAM = {"DescribeStream", "GetRecords", "GetShardIterator"}
RECEIVE = {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}
READ_SECRET = {"ssm": "ssm:GetParameter", "secretsmanager": "secretsmanager:GetSecretValue"}
# The only statements on every resource, and why.
ON_EVERYTHING = {
    ("TracingPolicy", "xray:PutTelemetryRecords"): "X-Ray has no resources to name",
    ("TracingPolicy", "xray:PutTraceSegments"): "X-Ray has no resources to name",
    ("AlarmKey", "kms:*"): "in a key's policy this is the key itself",
    ("AlarmKey", "kms:Decrypt"): "in a key's policy this is the key itself",
    ("AlarmKey", "kms:GenerateDataKey"): "in a key's policy this is the key itself",
}


def statements(resources):
    """Each statement of each policy: whose, the statement."""
    def walk(owner, value):
        if isinstance(value, list):
            for item in value:
                yield from walk(owner, item)
        elif isinstance(value, dict):
            if "Effect" in value:
                yield owner, value
            for item in value.values():
                yield from walk(owner, item)
    for name, resource in resources.items():
        yield from walk(name, resource)


def listed(value):
    return value if isinstance(value, list) else [value]


def test_no_statement_is_on_everything(resources):
    seen = 0
    for owner, statement in statements(resources):
        if statement["Effect"] == "Deny" or "Resource" not in statement:  # a role's trust has none
            continue
        for action in listed(statement["Action"]):
            seen += 1
            for resource in listed(statement["Resource"]):
                if resource == "*":
                    assert (owner, action) in ON_EVERYTHING, (owner, action)
                    continue
                assert resource.count("*") == 0 or re.fullmatch(r"<Table\.Arn>/stream/\*", resource), (owner, action, resource)
            assert action.count("*") == 0 or (owner, action) in ON_EVERYTHING, (owner, action)
    assert seen > 60


def test_no_exception_is_out_of_date(template):
    resources = resolved.Resolver(template, resolved.MOST | {"KmsKeyArn": ""}).resources()
    found = {(owner, action) for owner, statement in statements(resources) if statement.get("Resource") == "*" for action in listed(statement["Action"])}
    assert found == set(ON_EVERYTHING)


def rights(resources, role):
    """{(action, resource)} of a role's own policy."""
    policy, = resources[role]["Properties"]["Policies"]
    return {(action, resource) for statement in policy["PolicyDocument"]["Statement"] for action in listed(statement["Action"]) for resource in listed(statement["Resource"])}


def on(names, service, *arns):
    return {(f"{service}:{name}", arn) for name in names for arn in arns}


def secret(parameters, name):
    store = parameters.get("SecretStore", "ssm")
    arn = f"arn:aws:ssm:eu-west-1:111122223333:parameter{name}" if store == "ssm" else f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}-??????"
    return {(READ_SECRET[store], arn)}


def expected(parameters):
    """The plan: who may do what."""
    six, dead = [f"<{name}.Arn>" for name in CALL_QUEUES], [f"<{name.replace('Queue', 'Dead')}.Arn>" for name in CALL_QUEUES]
    table, stream, intake, failures = "<Table.Arn>", "<Table.StreamArn>", "<IntakeQueue.Arn>", "<RelayFailures.Arn>"
    id_secret = secret(parameters, parameters["IdSecretName"])
    roles = {
        "ApiRole": on(TABLE_ALL, "dynamodb", table) | on(["Query"], "dynamodb", f"{table}/index/by_customer") | on(["SendMessage"], "sqs", intake) | id_secret
        | (secret(parameters, parameters["JwtSecretName"]) if parameters.get("JwtSecretName") else set()),
        "AdmitRole": on(TABLE_ALL, "dynamodb", table) | on(RECEIVE, "sqs", intake, "<IntakeDead.Arn>") | id_secret,
        "RelayRole": on(["PutItem", "UpdateItem"], "dynamodb", table) | on(READ_STREAM, "dynamodb", stream)
        | on(["ListStreams"], "dynamodb", f"{table}/stream/*") | on(["SendMessage"], "sqs", *six, failures),
        "SweepRole": on(TABLE_CALL | {"Scan"}, "dynamodb", table) | on(READ_STREAM, "dynamodb", stream) | on(RECEIVE, "sqs", *dead, failures) | on(["SendMessage"], "sqs", *six),
    }
    for service in SERVICES:
        # Its own queues, its own service, its own token.
        own = [f"<{service}{channel}Queue.Arn>" for channel in CHANNELS]
        role = on(TABLE_CALL, "dynamodb", table) | on(RECEIVE | {"SendMessage"}, "sqs", *own) | id_secret
        if arn := parameters.get(f"{service}Arn"):
            role |= {("lambda:InvokeFunction", arn), ("sqs:SendMessage", arn)}
        if token := parameters.get(f"{service}TokenName"):
            role |= secret(parameters, token)
        roles[f"Call{service}Role"] = role
    for name in roles:
        log = name.replace("Role", "Log")
        roles[name] |= {("logs:CreateLogStream", f"<{log}.Arn>"), ("logs:PutLogEvents", f"<{log}.Arn>")}
        if key := parameters.get("KmsKeyArn"):
            roles[name] |= {("kms:Decrypt", key)}
    return roles


@pytest.mark.parametrize("variant", list(resolved.VARIANTS))
def test_rights_are_those_of_the_plan(template, variant):
    parameters = resolved.VARIANTS[variant]
    resources = resolved.Resolver(template, parameters).resources()
    wanted = expected(parameters)
    assert set(of_type(resources, "AWS::IAM::Role")) == set(wanted)
    for role, plan in wanted.items():
        found = rights(resources, role)
        assert found == plan, (role, "more than planned", found - plan, "missing", plan - found)


def test_each_function_has_its_own_role(resources, functions):
    assert sorted(function["Role"] for function in functions.values()) == sorted(f"<{name}.Arn>" for name in of_type(resources, "AWS::IAM::Role"))
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        statement, = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}, name
        assert role.get("ManagedPolicyArns", ["<TracingPolicy>"]) == ["<TracingPolicy>"], "nobody else's policies"


def test_only_this_api_may_invoke_the_api(resources):
    permission, = of_type(resources, "AWS::Lambda::Permission").values()
    assert permission["SourceArn"] == "arn:aws:execute-api:eu-west-1:111122223333:<Api>/*"
    assert permission["SourceAccount"] == "111122223333"


def test_the_alarms_topic_is_encrypted_and_lets_cloudwatch_in(template):
    for parameters, key in ((resolved.LEAST, "<AlarmKey>"), (resolved.MOST, resolved.MOST["KmsKeyArn"])):
        resources = resolved.Resolver(template, parameters).resources()
        assert resources["AlarmTopic"]["Properties"]["KmsMasterKeyId"] == key
        assert ("AlarmKey" in resources) is (key == "<AlarmKey>")
    policy = json.dumps(resources["AlarmTopicPolicy"])
    assert "cloudwatch.amazonaws.com" in policy and "aws:SecureTransport" in policy


def test_every_operation_that_the_program_calls_is_somebodys_right(template):
    """By the names of operations in its source; a transaction's rights are those of its parts."""
    text = "\n".join(path.read_text() for folder in ("src/platform/aws", "src/bootstrap") for path in sorted((resolved.ROOT / folder).glob("*.c")))
    called = set(re.findall(r'AWS_(DYNAMODB|SQS|SSM|SECRETS_MANAGER), "(\w+)"', text)) | {("DYNAMODB", name) for name in re.findall(r'ask\(ports, "(\w+)"', text)}
    assert len(called) > 8
    services = {"DYNAMODB": "dynamodb", "SQS": "sqs", "SSM": "ssm", "SECRETS_MANAGER": "secretsmanager"}
    actions = {f"{services[service]}:{name.removesuffix('Batch')}" for service, name in called} - {"dynamodb:TransactWriteItems"}
    granted = set()
    for parameters in resolved.VARIANTS.values():
        resources = resolved.Resolver(template, parameters).resources()
        granted |= {action for role in of_type(resources, "AWS::IAM::Role") for action, _ in rights(resources, role)}
    assert actions <= granted, actions - granted
