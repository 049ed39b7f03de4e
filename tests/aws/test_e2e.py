"""The scenarios of tests/e2e, unchanged, against the stack on AWS (conftest.py puts it in the server's place).

What does not apply is in NOT_HERE, by name and with its reason; everything else runs."""

import importlib
import inspect

import pytest

from conftest import SCENARIOS

ALONE = "looks at documents or a command alone, at no server"
CONNECTIONS = "connections are API Gateway's"
START = "settings are checked when a function starts: src/bootstrap's tests"

NOT_HERE = {
    "test_openapi": {
        "test_the_document_is_openapi_3_1": ALONE, "test_the_documents_are_what_the_script_writes": ALONE,
        "test_every_example_is_valid_and_no_body_lacks_one": ALONE, "test_requests_are_strict": ALONE,
        "test_every_route_is_described_and_no_other": ALONE, "test_security_and_bodies_are_those_of_the_routes": ALONE,
        "test_every_problem_is_described_and_no_other": ALONE, "test_every_scope_is_described_and_no_other": ALONE,
        "test_the_version_is_the_programs": ALONE,
        "test_answers_have_no_member_and_no_header_that_is_not_described": "wants every problem code, and headers-too-large is API Gateway's: see test_stack.py",
        "test_schemathesis_as_an_operator_of_an_order_that_waits": "reads /metrics to know what was reached: see test_stack.py",
    },
    "test_operate": {
        "test_cancel_from_attention": "a message may be delivered to two at once, so a cancel that comes before the other must have ended has the service asked once more; test_stack.py waits",
        "test_a_service_that_nobody_vouches_for_is_told_nothing": "attempts are not stored, so a cancel waits until the service can be asked: see test_stack.py",
        "test_circuit_opens_and_closes": "each environment has a circuit of its own, and counts for itself: see test_stack.py",
    },
    "test_races": {},
    "test_create": {},
    "test_life": {},
    "test_http": {
        "test_head_goes_where_get_goes": "what Content-Length an answer to HEAD has is API Gateway's affair; test_stack.py sends a HEAD",
        "test_admin_listener": "listeners are one machine's",
        "test_rate_limit_per_customer": "the limit is API Gateway's throttling; functions share no memory",
        "test_ambiguous_framing_is_refused_and_closed": CONNECTIONS, "test_pipelined_requests_are_answered_in_order": CONNECTIONS,
        "test_huge_header": CONNECTIONS, "test_slow_and_silent_clients_are_cut_off": CONNECTIONS, "test_tls": CONNECTIONS,
    },
    "test_commands": {
        "test_help_of_every_command": ALONE, "test_wrong_use_is_one_line_and_exit_2": ALONE, "test_version": ALONE, "test_token": ALONE,
        "test_sandbox_stock_and_keys": ALONE,
        "test_a_surge_of_real_orders_and_its_audit": "test_surge.py does this, with faults of every kind",
        "test_the_audit_finds_what_is_wrong": "the audit is the same program, and is tested there",
    },
}

modules = {name: importlib.import_module(name) for name in SCENARIOS}
FIXTURES = ("keys", "jwks_file")  # of test_http


def scenarios(module):
    return {name: value for name, value in vars(module).items() if name.startswith("test_") and inspect.isfunction(value) and value.__module__ == module.__name__}


here = [(name, value) for module in modules.values() for name, value in scenarios(module).items() if name not in NOT_HERE[module.__name__]]
assert len({name for name, _ in here}) == len(here), "two scenarios have one name"
globals().update(here)
globals().update({name: getattr(modules["test_http"], name) for name in FIXTURES})


@pytest.mark.parametrize("module", SCENARIOS)
def test_the_table_has_no_stale_entries(module):
    assert set(NOT_HERE[module]) <= set(scenarios(modules[module])), "NOT_HERE names what is no scenario any more"
    assert all(NOT_HERE[module].values())


def test_most_scenarios_run_here():
    left_out = [reason for table in NOT_HERE.values() for reason in table.values() if reason != ALONE]
    assert len(here) > 4 * len(left_out)
