"""What the functions are told is what the program understands, and all that it needs."""

import re

import pytest

import resolved
from resolved import CHANNELS, ROOT, SERVICES, of_type

KNOWN, COMMON_ROWS = ROOT / "src/platform/aws/settings.c", ROOT / "src/settings/common_options.h"
TABLE = {"SPILLWAY_TABLE", "SPILLWAY_LOG_LEVEL", "SPILLWAY_CALL_TIME"}
RULES = {f"SPILLWAY_{service.upper()}_{rule}" for service in SERVICES for rule in ("IDEMPOTENCY", "DEADLINE")}
QUEUES = {f"SPILLWAY_{service.upper()}_{channel.upper()}_QUEUE_URL" for service in SERVICES for channel in CHANNELS}
INTAKE, ID = {"SPILLWAY_INTAKE_QUEUE_URL"}, {"SPILLWAY_ID_SECRET_FILE"}


def call(service, *more):
    return TABLE | RULES | QUEUES | ID | {"SPILLWAY_PUBLIC_URL", "SPILLWAY_RETRY_FIRST", "SPILLWAY_RETRY_MAX"} | {
        f"SPILLWAY_{service.upper()}_{name}" for name in ("URL", "TIMEOUT", "RATE", "RETAIL_CONCURRENCY", "WHOLESALE_CONCURRENCY", *more)}


# By set of parameters: what each function is told, and nothing else.
COMMON = {"AdmitFunction": TABLE | RULES | INTAKE | ID, "RelayFunction": TABLE | QUEUES, "SweepFunction": TABLE | RULES | QUEUES,
          **{f"Call{service}Function": call(service) for service in SERVICES}}
API = TABLE | RULES | INTAKE | ID | {"SPILLWAY_SPILL_AFTER"}
EXPECTED = {
    "least": COMMON | {"ApiFunction": API | {"SPILLWAY_AUTHORIZER"}},
    "most": COMMON | {"ApiFunction": API | {"SPILLWAY_AUTHORIZER", "SPILLWAY_RECEIPT_JWKS", "SPILLWAY_CORS_ORIGINS"}, "CallFulfilmentFunction": call("Fulfilment", "TOKEN_FILE")},
    "program": COMMON | {"ApiFunction": API | {"SPILLWAY_JWT_SECRET_FILE"}},
}


def environments(template, parameters):
    functions = of_type(resolved.Resolver(template, parameters).resources(), "AWS::Serverless::Function")
    return {name: function["Environment"]["Variables"] for name, function in functions.items()}


@pytest.mark.parametrize("variant", list(resolved.VARIANTS))
def test_functions_are_told_what_the_plan_says(template, variant):
    found = environments(template, resolved.VARIANTS[variant])
    assert set(found) == set(EXPECTED[variant])
    for name, variables in found.items():
        wanted = EXPECTED[variant][name]
        assert set(variables) == wanted, (name, set(variables) ^ wanted)
        assert all(str(value) for value in variables.values()), "an empty setting is refused or means unset"


def test_every_function_that_decides_decides_by_the_same_rules(template):
    rules = [{key: value for key, value in variables.items() if key in RULES} for variables in environments(template, resolved.MOST).values()]
    told = [rule for rule in rules if rule]
    assert len(told) == 6 and all(rule == told[0] for rule in told)


def test_every_function_knows_how_long_an_attempt_may_last(template, functions):
    """Longer than a call function may run, whichever clock is asked; and the longest call of a service fits into it."""
    longest = max(function["Timeout"] for name, function in functions.items() if function["Handler"] == "call")
    for variant in resolved.VARIANTS.values():
        for variables in environments(template, variant).values():
            assert variables["SPILLWAY_CALL_TIME"] == f"{longest + 5}s"
    for service in SERVICES:
        pattern = re.compile(template["Parameters"][f"{service}Timeout"]["AllowedPattern"])
        assert all(pattern.fullmatch(text) for text in ("10s", "49s", "250ms", "49999ms"))
        assert not any(pattern.fullmatch(text) for text in (f"{longest}s", f"{longest}000ms", "100000ms", "10m"))


def test_queue_variables_name_their_queues(template):
    for variables in environments(template, resolved.LEAST).values():
        for service in SERVICES:
            for channel in CHANNELS:
                name = f"SPILLWAY_{service.upper()}_{channel.upper()}_QUEUE_URL"
                assert variables.get(name, f"<{service}{channel}Queue>") == f"<{service}{channel}Queue>"
        assert variables.get("SPILLWAY_INTAKE_QUEUE_URL", "<IntakeQueue>") == "<IntakeQueue>"


def test_secrets_are_named_and_never_told(template):
    for parameters, store in ((resolved.PROGRAM, "ssm"), (resolved.MOST, "secretsmanager")):
        for name, variables in environments(template, parameters).items():
            for variable, value in variables.items():
                if variable.endswith("_FILE"):
                    assert re.fullmatch(rf"{store}:/[\w./-]+", value), (name, variable, value)
                else:
                    assert not re.search(r"SECRET|TOKEN|PASSWORD", variable), variable


def test_callbacks_come_back_to_where_the_api_is(template):
    for parameters, url in ((resolved.LEAST, "<Api.ApiEndpoint>"), (resolved.MOST, "https://orders.example")):
        found = environments(template, parameters)
        for service in SERVICES:
            assert found[f"Call{service}Function"]["SPILLWAY_PUBLIC_URL"] == url


def known_to_the_program():
    """SPILLWAY_… of each row in the program's table of settings, those that macros make for each service as well."""
    rows = dict(re.findall(r'#define (OPTION_\w+)\(.*?(\.name = (?:lower )?"[a-z-]+")', COMMON_ROWS.read_text(), flags=re.S))
    text = re.sub(r"\bOPTION_[A-Z_]+(?=\()", lambda use: rows[use[0]], KNOWN.read_text())
    names = set(re.findall(r'\.name = "([a-z-]+)"', text))
    suffixes = set(re.findall(r'\.name = lower "(-[a-z-]+)"', text))
    if re.search(r'\.name = lower "-" channel_name "-queue-url"', text):
        suffixes |= {f"-{channel}-concurrency" for channel in re.findall(r'CONCURRENCY_OPTION\(lower, index, "(\w+)"', text)}
        suffixes |= {f"-{channel}-queue-url" for channel in re.findall(r'QUEUE_OPTION\(lower, index, "(\w+)"', text)}
    names |= {service.lower() + suffix for service in SERVICES for suffix in suffixes}
    return {"SPILLWAY_" + name.upper().replace("-", "_") for name in names}


def test_every_variable_is_known_to_the_program():
    named = set(re.findall(r"^ +(SPILLWAY_[A-Z_]+):", resolved.TEMPLATE.read_text(), flags=re.M))
    assert len(named) > 30
    assert named <= known_to_the_program(), named - known_to_the_program()


def test_every_setting_of_the_program_can_be_given(template):
    """By some parameter: else it is of no use on AWS."""
    told = set().union(*(variables for name in resolved.VARIANTS for variables in EXPECTED[name].values()))
    given = set(re.findall(r"^ +(SPILLWAY_[A-Z_]+):", resolved.TEMPLATE.read_text(), flags=re.M))
    assert told <= given
    assert known_to_the_program() == given, known_to_the_program() ^ given


def test_every_handler_is_told_what_it_cannot_do_without(template):
    needs = {"NEEDS_TABLE": {"SPILLWAY_TABLE"}, "NEEDS_INTAKE": INTAKE, "NEEDS_QUEUES": QUEUES, "NEEDS_ID_SECRET": ID, "NEEDS_PUBLIC_URL": {"SPILLWAY_PUBLIC_URL"}}
    functions = of_type(resolved.Resolver(template, resolved.LEAST).resources(), "AWS::Serverless::Function")
    for name, function in functions.items():
        text = (ROOT / f"src/bootstrap/handler_{function['Handler']}.c").read_text()
        named = set(re.findall(r"\bNEEDS_[A-Z_]+", re.search(r"ports_open\((.*?)\)", text, flags=re.S)[1]))
        assert named and named <= set(needs), name
        assert set().union(*(needs[one] for one in named)) <= set(function["Environment"]["Variables"]), name
