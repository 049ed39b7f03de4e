"""The house rules of deploy/aws/template.yaml, for several sets of parameters."""

import json
import re

import pytest
from samtranslator.translator.transform import transform

import resolved
from resolved import CALL_QUEUES, CHANNELS, SERVICES, of_type

LAST_STATIONS = {"RelayFailures": "it is the stream's dead-letter queue, and sweep empties it"}
TIMEOUT_S = {"api": 10, "admit": 30, "call": 60, "relay": 30, "sweep": 60}


def arn_owner(arn):
    return re.fullmatch(r"<(\w+)\.(?:Arn|StreamArn)>", arn)[1]


def sources(functions, kind):
    """Each event source: function, its name, properties."""
    return [(name, event, source["Properties"]) for name, function in functions.items()
            for event, source in function.get("Events", {}).items() if source["Type"] == kind]


def test_the_functions_are_those_of_the_program(functions):
    assert sorted((name, function["Handler"]) for name, function in functions.items()) == sorted(
        [("ApiFunction", "api"), ("AdmitFunction", "admit"), ("RelayFunction", "relay"), ("SweepFunction", "sweep")]
        + [(f"Call{service}Function", "call") for service in SERVICES])
    for name, function in functions.items():
        assert function["Runtime"] == "provided.al2023" and function["Architectures"] == ["arm64"]
        assert function["MemorySize"] == 128 and function["Timeout"] == TIMEOUT_S[function["Handler"]], name
        assert function["AutoPublishAlias"] == "live"


def test_each_queue_has_a_dead_letter_queue(resources):
    queues = of_type(resources, "AWS::SQS::Queue")
    assert len(queues) == 15
    dead = {}
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True
        if "RedrivePolicy" not in queue:
            continue
        target = arn_owner(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert target not in dead, "one dead-letter queue for two queues"
        dead[target] = name
        assert queue["RedrivePolicy"]["maxReceiveCount"] == (1000 if name == "IntakeQueue" else 100)
        # A message's age goes on counting: with the same retention it would be gone soon after it came.
        assert queue["MessageRetentionPeriod"] < queues[target]["MessageRetentionPeriod"] == 14 * 86400
        allowed, = queues[target]["RedriveAllowPolicy"]["sourceQueueArns"]
        assert allowed == f"arn:aws:sqs:eu-west-1:111122223333:{queue['QueueName']}"
    assert set(queues) == set(dead) | set(dead.values()) | set(LAST_STATIONS)
    assert set(dead.values()) == set(CALL_QUEUES) | {"IntakeQueue"}


def test_queues_outlive_deadlines(template, resources):
    """A command is tried until its deadline: its message must not be gone before. The longest that is documented is 7 days."""
    for name in [*CALL_QUEUES, "IntakeQueue"]:
        assert resources[name]["Properties"]["MessageRetentionPeriod"] > 7 * 86400
    for service in SERVICES:
        assert "168h" in template["Parameters"][f"{service}Deadline"]["Description"]


def test_queues_have_the_names_of_the_plan(resources):
    names = {queue["QueueName"] for queue in of_type(resources, "AWS::SQS::Queue").values()}
    calls = {f"stack-{service.lower()}-{channel.lower()}" for service in SERVICES for channel in CHANNELS}
    assert names == calls | {f"{name}-dead" for name in calls} | {"stack-intake", "stack-intake-dead", "stack-relay-failures"}


def test_queues_are_reached_over_tls_only(resources):
    protected = set()
    for policy in of_type(resources, "AWS::SQS::QueuePolicy").values():
        statement, = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Action"] == "sqs:*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        queue, = policy["Queues"]
        assert statement["Resource"] == f"<{queue.strip('<>')}.Arn>"
        protected.add(queue.strip("<>"))
    assert protected == set(of_type(resources, "AWS::SQS::Queue"))


def test_what_holds_orders_outlives_the_stack(resources):
    for name, resource in resources.items():
        if resource["Type"] in ("AWS::SQS::Queue", "AWS::DynamoDB::Table"):
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate" and resource["UpdateReplacePolicy"] == "Retain", name


def test_messages_stay_hidden_for_six_time_outs(resources, functions):
    queues, used = of_type(resources, "AWS::SQS::Queue"), set()
    for function, event, source in sources(functions, "SQS"):
        queue = arn_owner(source["Queue"])
        assert queue not in used, "two event sources for one queue"
        used.add(queue)
        assert queues[queue]["VisibilityTimeout"] == 6 * functions[function]["Timeout"], queue
    assert used == set(queues), "a queue that nobody reads"


def test_event_sources_report_and_are_bounded(functions):
    queues = sources(functions, "SQS")
    for function, event, source in queues:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert int(source["ScalingConfig"]["MaximumConcurrency"]) >= 2 and source["BatchSize"] == 10, (function, event)
    by_queue = {arn_owner(source["Queue"]): function for function, _, source in queues}
    for service in SERVICES:
        for channel in CHANNELS:
            assert by_queue[f"{service}{channel}Queue"] == f"Call{service}Function"
            assert by_queue[f"{service}{channel}Dead"] == "SweepFunction"
    assert by_queue["IntakeQueue"] == by_queue["IntakeDead"] == "AdmitFunction"
    (function, _, stream), = sources(functions, "DynamoDB")
    assert function == "RelayFunction" and stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True and stream["MaximumRetryAttempts"] == 50
    assert stream["StartingPosition"] == "TRIM_HORIZON" and stream["BatchSize"] == 100 and stream["ParallelizationFactor"] == 4
    assert stream["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": "<RelayFailures.Arn>"}
    pattern, = stream["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"o": {"S": [{"exists": True}]}}}}


def test_reserved_environments_are_enough_for_the_event_sources(functions):
    """Else Lambda would throttle what SQS hands over, and messages would use up their receives."""
    for name, function in functions.items():
        if "ReservedConcurrentExecutions" in function:
            wanted = sum(int(source["ScalingConfig"]["MaximumConcurrency"]) for owner, _, source in sources(functions, "SQS") if owner == name)
            assert int(function["ReservedConcurrentExecutions"]) >= wanted, name


def test_each_log_is_bounded(resources, functions):
    logs = of_type(resources, "AWS::Logs::LogGroup")
    for name, log in logs.items():
        assert int(log["RetentionInDays"]) > 0, name
    owners = [function["LoggingConfig"]["LogGroup"].strip("<>") for function in functions.values()]
    assert sorted(owners + ["AccessLog"]) == sorted(logs)
    for name, function in functions.items():
        config = function["LoggingConfig"]
        assert config["LogFormat"] == "JSON" and config["SystemLogLevel"] == "WARN"
        # Lines without a level, as metrics are, count as INFO: above it they would be dropped.
        assert config["ApplicationLogLevel"] in ("INFO", "DEBUG"), name


def test_the_table_is_the_one_of_the_plan(resources):
    table = resources["Table"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST" and table["DeletionProtectionEnabled"] == "true"
    assert table["KeySchema"] == [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}]
    index, = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_customer" and index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert index["KeySchema"] == [{"AttributeName": "c", "KeyType": "HASH"}, {"AttributeName": "t", "KeyType": "RANGE"}]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    # An index that takes less than its table holds the table back.
    for limit in ("OnDemandThroughput", "WarmThroughput"):
        assert index.get(limit) == table.get(limit)


def test_the_limits_of_the_table_are_set_one_by_one(template):
    for parameters, expected in (({}, None), ({"TableMaxWriteUnits": "9"}, {"MaxWriteRequestUnits": "9"}), ({"TableMaxReadUnits": "7"}, {"MaxReadRequestUnits": "7"})):
        table = resolved.Resolver(template, resolved.LEAST | parameters).resources()["Table"]["Properties"]
        assert table.get("OnDemandThroughput") == expected


def routes(resources):
    return {route["RouteKey"]: route for route in of_type(resources, "AWS::ApiGatewayV2::Route").values()}


def test_only_public_routes_are_open(template):
    public = {"POST /v1/callbacks/{order}/{command}", "OPTIONS /v1/{proxy+}", "ANY /openapi.json", "ANY /healthz", "$default"}
    closed = {"POST /v1/orders", "ANY /v1/{proxy+}"}
    for parameters in (resolved.LEAST, resolved.MOST):
        found = routes(resolved.Resolver(template, parameters).resources())
        assert set(found) == public | closed
        for key, route in found.items():
            assert route["AuthorizationType"] == ("JWT" if key in closed else "NONE"), key
            assert route.get("AuthorizerId") == ("<ApiAuthorizer>" if key in closed else None), key
    program = resolved.Resolver(template, resolved.PROGRAM).resources()
    assert {route["AuthorizationType"] for route in routes(program).values()} == {"NONE"}
    assert "ApiAuthorizer" not in program


def test_each_operation_of_the_api_has_its_route(resources):
    """The most specific route wins, as in the gateway: a whole match, then ANY, then {proxy+}."""
    found = routes(resources)
    paths = json.loads((resolved.ROOT / "docs/openapi.json").read_text())["paths"]
    operations = [(method.upper(), path) for path, item in paths.items() for method in item if method in ("get", "post")]
    assert len(operations) > 10
    for method, path in operations:
        if path in ("/readyz", "/metrics"):  # of one machine; here they are 404
            continue
        candidates = [f"{method} {path}", f"ANY {path}"] + (["ANY /v1/{proxy+}"] if path.startswith("/v1/") else [])
        assert any(key in found for key in candidates), (method, path)


def test_the_api_is_bounded_and_logged(resources):
    api, stage = resources["Api"]["Properties"], resources["ApiStage"]["Properties"]
    assert "*" not in json.dumps(api.get("CorsConfiguration", {}))
    assert int(stage["DefaultRouteSettings"]["ThrottlingRateLimit"]) > 0 and int(stage["DefaultRouteSettings"]["ThrottlingBurstLimit"]) > 0
    found = routes(resources)
    for key, settings in stage["RouteSettings"].items():
        assert key in found, key
        route, = [name for name, one in of_type(resources, "AWS::ApiGatewayV2::Route").items() if one["RouteKey"] == key]
        assert route in resources["ApiStage"]["DependsOn"], "the stage must not come before a route that it names"
        assert int(settings["ThrottlingRateLimit"]) > 0 and int(settings["ThrottlingBurstLimit"]) > 0, "route settings replace the default ones"
    entry = re.sub(r"\$context\.\w+(\.\w+)?", "200", stage["AccessLogSettings"]["Format"])
    fields = json.loads(entry)
    assert {"requestId", "time", "route", "path", "status", "latency", "error"} <= set(fields)
    assert isinstance(fields["status"], int) and isinstance(fields["latency"], int), "the metric filters need numbers"
    filters = of_type(resources, "AWS::Logs::MetricFilter")
    for name, one in filters.items():
        used = set(re.findall(r"\$\.(\w+)", json.dumps(one)))
        assert used and used <= set(fields), name
    assert '"POST /v1/orders"' in filters["AcceptFilter"]["FilterPattern"] and "POST /v1/orders" in found, "the route that the log names"
    own = {(metric["MetricNamespace"], metric["MetricName"]) for one in filters.values() for metric in one["MetricTransformations"]}
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    assert own == {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms if alarm.get("Namespace", "").startswith("Spillway/")}
    # Nothing personal, and no query: a callback's has a token.
    assert not re.search(r"sourceIp|userAgent|claims|queryString", stage["AccessLogSettings"]["Format"])
    integration = resources["ApiIntegration"]["Properties"]
    assert integration["PayloadFormatVersion"] == "2.0" and integration["TimeoutInMillis"] > 1000 * TIMEOUT_S["api"]


def test_the_first_address_is_closed_only_with_a_domain(template):
    for parameters, closed in ((resolved.LEAST, False), (resolved.MOST, True)):
        found = resolved.Resolver(template, parameters).resources()
        assert found["Api"]["Properties"]["DisableExecuteApiEndpoint"] is closed
        assert ("Domain" in found) is ("DomainMapping" in found) is closed


def test_origins_are_named_and_never_all(template):
    pattern = template["Parameters"]["CorsOrigins"]["AllowedPattern"]
    for origins, good in (("", True), ("https://a.example", True), ("https://a.example,https://b.example:8443", True), ("*", False), ("https://*", False), ("http://a.example", False)):
        assert bool(re.search(pattern, origins)) is good, origins


def test_each_alarm_tells_somebody(resources):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == ["<AlarmTopic>"], name
        assert alarm["AlarmDescription"] and alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name
    watched = json.dumps(alarms)
    for name in [*CALL_QUEUES, "IntakeQueue"]:
        assert alarms[name.replace("Queue", "Age")]["MetricName"] == "ApproximateAgeOfOldestMessage"
    for name, queue in of_type(resources, "AWS::SQS::Queue").items():
        assert f"<{name}.QueueName>" in watched, name
    for name in of_type(resources, "AWS::Serverless::Function"):
        assert alarms[name.replace("Function", "Errors")]["MetricName"] == "Errors"
    assert {"ApiServerErrorRate", "AcceptLatency", "FunctionThrottles", "StreamAge", "TableThrottles", "OrdersToAttention"} <= set(alarms)


def test_alarms_watch_what_exists(resources, functions):
    """Dimensions name functions and routes of this stack: a misspelt one would never sound."""
    names = {function["FunctionName"] for function in functions.values()}
    alarms = json.dumps(list(of_type(resources, "AWS::CloudWatch::Alarm").values()))
    for dimension in ("FunctionName", "Function"):
        found = set(re.findall(rf'"Name": "{dimension}", "Value": "([^"]+)"', alarms))
        assert found and found <= names, found - names
    assert set(re.findall(r'"Name": "Resource", "Value": "([^"]+)"', alarms)) == {f"{name}:live" for name in names}
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        ids = {metric["Id"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric}
        for metric in alarm.get("Metrics", []):
            if "Expression" in metric:
                assert set(re.findall(r"\b[a-z]\w*", metric["Expression"])) == ids, name


def test_the_dashboard_is_json(template, resources):
    if "DashboardPage" not in resources:
        pytest.fail("it is on by default")
    board = json.loads(resources["DashboardPage"]["Properties"]["DashboardBody"])
    assert len(board["widgets"]) > 8
    functions = {function["FunctionName"] for function in of_type(resources, "AWS::Serverless::Function").values()}
    queues = {queue["QueueName"] for queue in of_type(resources, "AWS::SQS::Queue").values()}
    assert set(re.findall(r"stack-[a-z-]+", json.dumps(board))) <= functions | queues
    off = resolved.Resolver(template, resolved.LEAST | {"Dashboard": "false"}).resources()
    assert "DashboardPage" not in off


def test_a_deployment_goes_back_by_itself(resources, functions):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    for name, function in functions.items():
        preference = function["DeploymentPreference"]
        assert preference["Type"] == "Canary10Percent5Minutes", name
        listed = [alarm.strip("<>") for alarm in preference["Alarms"]]
        assert name.replace("Function", "Errors") in listed and set(listed) <= set(alarms)
        for alarm in listed:  # five minutes must be enough for it to sound
            assert alarms[alarm]["Period"] * alarms[alarm]["DatapointsToAlarm"] <= 180, alarm


def references(value):
    """Names that a part of a template refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add(item.split(".")[0] if isinstance(item, str) else item[0])
        elif key == "Fn::Sub":
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", item if isinstance(item, str) else item[0])}
            found |= references(item) if isinstance(item, list) else set()
        elif key == "DependsOn":
            found |= {item} if isinstance(item, str) else set(item)
        else:
            found |= references(item)
    return found


@pytest.fixture(scope="module")
def transformed():
    """What CloudFormation makes of the SAM template."""

    class NoPolicies:
        def load(self):
            return {}

    template = resolved.read()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    template["Globals"]["Function"].pop("CodeUri")
    parameters = {name: parameter.get("Default", resolved.LEAST.get(name)) for name, parameter in template["Parameters"].items()}
    return transform(template, parameters | {"AWS::Region": "eu-west-1"}, NoPolicies())


def test_event_sources_and_the_api_use_the_alias(transformed):
    """Else they would run $LATEST, and neither canary nor roll-back would mean anything to them."""
    mappings = of_type(transformed["Resources"], "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == 16
    aliases = set(of_type(transformed["Resources"], "AWS::Lambda::Alias"))
    assert len(aliases) == 7
    for name, mapping in mappings.items():
        assert mapping["FunctionName"]["Ref"] in aliases, name
    for name in ("ApiIntegration", "ApiPermission"):
        properties = transformed["Resources"][name]["Properties"]
        assert (properties.get("IntegrationUri") or properties["FunctionName"])["Ref"] == "ApiFunctionAliaslive"


def test_nothing_waits_for_itself(transformed):
    resources = transformed["Resources"]
    edges = {name: references(resource) & set(resources) - {name} for name, resource in resources.items()}
    for name, resource in resources.items():
        assert name not in references(resource), name
    left = dict(edges)
    while left:
        free = [name for name, needs in left.items() if not needs & set(left)]
        assert free, f"these wait for each other: {sorted(left)}"
        for name in free:
            del left[name]


def test_the_names_of_parameters_and_conditions_are_all_used(template):
    text = json.dumps({key: value for key, value in template.items() if key != "Parameters"})
    for name in template["Parameters"]:
        assert re.search(rf'"Ref": "{name}"|\$\{{{name}\}}', text), name


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_each_stage_is_complete(template, stage):
    parameters = resolved.stages()[stage]
    resolver = resolved.Resolver(template, parameters)
    assert resolver.broken_rules() == []
    for name, text in parameters.items():
        parameter = template["Parameters"][name]
        assert re.search(parameter.get("AllowedPattern", ""), text), name
        assert text in map(str, parameter.get("AllowedValues", [text])), name
    functions = of_type(resolver.resources(), "AWS::Serverless::Function")
    test_reserved_environments_are_enough_for_the_event_sources(functions)
    # An account has 1,000 environments, and 100 of them cannot be reserved.
    assert sum(int(function.get("ReservedConcurrentExecutions", 0)) for function in functions.values()) <= 900


def test_production_asks_before_it_changes_anything():
    import tomllib
    config = tomllib.loads((resolved.FOLDER / "samconfig.toml").read_text())
    assert config["production"]["deploy"]["parameters"]["confirm_changeset"] is True
    assert resolved.stages()["production"].get("DeploymentType", "Canary10Percent5Minutes").startswith("Canary")


def test_rules_refuse_what_cannot_work(template):
    for change in ({"JwtIssuer": ""}, {"JwtSecretName": "/s/jwt"}, {"Authorizer": "program"}, {"DomainName": "orders.example"}):
        assert resolved.Resolver(template, resolved.LEAST | change).broken_rules(), change
    for parameters in resolved.VARIANTS.values():
        assert resolved.Resolver(template, parameters).broken_rules() == []


def parameters_behind(template, value):
    """Every parameter that a value depends on, by way of conditions as well."""
    found = set()
    for name in references(value) | conditions_in(value):
        if name in template["Parameters"]:
            found.add(name)
        elif name in template["Conditions"]:
            found |= parameters_behind(template, template["Conditions"][name])
    return found


def conditions_in(value):
    if isinstance(value, list):
        return set().union(*map(conditions_in, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["Fn::If"][0]} if "Fn::If" in value else {value["Condition"]} if isinstance(value.get("Condition"), str) else set()
    return own.union(*map(conditions_in, value.values())) if value else own


def test_a_changed_parameter_makes_a_new_version(template, transformed):
    """SAM publishes a version only where the template changes: see the comment in it."""
    versioned = ("Environment", "Tracing", "LoggingConfig", "Timeout", "MemorySize", "Handler")
    seen = set()
    for part in [template["Globals"]["Function"]] + list(of_type(template["Resources"], "AWS::Serverless::Function").values()):
        seen |= parameters_behind(template, {key: part[key] for key in versioned if key in part})
    assert len(seen) > 20
    content = template["Resources"]["Configuration"]["Properties"]["Content"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(\w+)\}", content)) == seen
    versions = of_type(transformed["Resources"], "AWS::Lambda::Version")
    assert len(versions) == 7
    for name, version in versions.items():
        assert version["Description"] == {"Fn::Sub": "Configuration ${Configuration}"}, name
    for name, function in of_type(template["Resources"], "AWS::Serverless::Function").items():
        assert "${Configuration}" in function["Description"]["Fn::Sub"], "Lambda publishes no version of what has not changed"


def test_the_program_reports_what_is_watched(resources, functions):
    """Metrics of the program: name, dimensions, and who reports them."""
    text = (resolved.ROOT / "src/platform/aws/telemetry_emf.c").read_text()
    assert '"Namespace", "Spillway"' in text
    told = {name: dimension.strip('"') for name, dimension in re.findall(r'\{METRIC_\w+, [^,]+, "(\w+)", (NULL|"\w+"), (?:true|false)\}', text)}
    assert len(told) > 3
    names = {function["FunctionName"] for function in functions.values()}
    watched = [metric["MetricStat"]["Metric"] for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values() for metric in alarm.get("Metrics", []) if "MetricStat" in metric]
    watched += [alarm for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values() if "Namespace" in alarm]
    watched = [metric for metric in watched if metric["Namespace"] == "Spillway"]
    assert {metric["MetricName"] for metric in watched} == {"OrdersToAttention", "CallRetries"}
    for metric in watched:
        dimensions = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
        dimension = told[metric["MetricName"]]
        assert set(dimensions) == {"Function"} | ({dimension} if dimension != "NULL" else set())
        assert dimensions["Function"] in names and dimensions.get("Service", "inventory") in ("inventory", "accounting", "fulfilment")
    shown = set(re.findall(r'"Spillway", "(\w+)"|"\.", "(Orders\w+|Call\w+)"', resources["DashboardPage"]["Properties"]["DashboardBody"].replace('","', '", "')))
    assert {first or second for first, second in shown} <= set(told)
