"""The other commands: orders, token, surge, audit, sandbox, help (contract section 3)."""

import json
import subprocess
import time

import httpx
import jwt
import pytest

from harness import Client, PLAIN, clean_environment, order, wait_until

COMMANDS = ("serve", "sandbox", "surge", "audit", "orders", "token", "version")
SAMPLE = "examples/online_retail_sample.csv"


def test_help_of_every_command(program):
    overview = program.run("--help")
    assert overview.returncode == 0
    for command in COMMANDS:
        assert command in overview.stdout
        text = program.run(command, "--help")
        assert text.returncode == 0 and text.stderr == "", command
        assert text.stdout.startswith("NAME") and "SYNOPSIS" in text.stdout and "EXIT STATUS" in text.stdout, command


def test_wrong_use_is_one_line_and_exit_2(program):
    for arguments in (["fly"], [], ["token"], ["serve", "--nonsense"], ["surge"], ["audit"], ["orders", "fly"]):
        result = program.run(*arguments)
        assert result.returncode == 2 and result.stdout == "", arguments
        assert all(line.startswith("spillway") for line in result.stderr.strip().splitlines()), result.stderr


def test_version(program):
    result = program.run("version")
    assert result.returncode == 0 and result.stdout.startswith("spillway 0.")


def test_token(program, secret_file):
    result = program.run("token", "--secret-file", secret_file, "--customer", "zoe", "--scope", "orders:read", "--ttl", "5m")
    claims = jwt.decode(result.stdout.strip(), secret_file.read_text().strip(), algorithms=["HS256"])
    assert claims["sub"] == "zoe" and claims["scope"] == "orders:read" and 290 <= claims["exp"] - time.time() <= 301


def test_orders(program, backend, ada, services, secret_file):
    def run(*arguments):
        return program.run("orders", *arguments, "--url", backend.url, "--secret-file", secret_file)

    services.answers["record"] = {"status": 400, "body": {"detail": "no account"}}
    id = ada.created()
    ada.settled(id)
    assert id in run("list").stdout and id in run("list", "--status", "attention", "--customer", "ada").stdout
    assert id not in run("list", "--status", "completed").stdout
    assert json.loads(run("show", id, "--json").stdout)["id"] == id
    shown = run("show", id)
    assert shown.returncode == 0 and "record" in shown.stdout and "attention" in shown.stdout
    waiting = run("attention")
    assert id in waiting.stdout and "no account" in waiting.stdout
    assert run("skip", id, "record", "--reason", "booked by hand", "--applied", "--reference", "b-1").returncode == 0
    assert ada.settled(id)["status"] == "completed"
    late = run("cancel", id)
    assert late.returncode == 1 and len(late.stderr.strip().splitlines()) == 1 and "final" in late.stderr
    assert run("retry", id, "record").returncode == 1
    assert run("show", "ord_" + "0" * 32).returncode == 1


def surge_and_audit(program, backend, box, folder, secret_file, *more):
    ledger = folder / "surge.jsonl"
    surge = program.run("surge", "--url", backend.url, "--secret-file", secret_file, "--ledger", ledger, "--orders", "400",
                        "--base-rate", "200", "--peak-rate", "400", "--orders-file", SAMPLE, *more, cwd=None, timeout=100)
    assert surge.returncode == 0, surge.stderr
    audit = program.run("audit", "--url", backend.url, "--sandbox-url", box.url, "--secret-file", secret_file, "--ledger", ledger, "--wait", "60s",
                        timeout=120)
    return surge, audit


def columns(audit):
    rows = [line for line in audit.stdout.splitlines() if line.startswith("|")]
    names, values = ([cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], rows[-1]))
    return dict(zip(names, values))


def test_a_surge_of_real_orders_and_its_audit(program, server, sandbox, folder, secret_file, monkeypatch):
    monkeypatch.chdir(__import__("conftest").ROOT)
    box = sandbox("--fail-rate", "0.1", "--lost-rate", "0.05", "--pending-rate", "0.1", "--callback-delay", "100ms", "--refuse-rate", "0.05")
    backend = server(box)
    surge, audit = surge_and_audit(program, backend, box, folder, secret_file)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    row = columns(audit)
    assert list(row) == ["attempted", "acknowledged", "refused (by code)", "unanswered", "lost", "duplicated", "half-finished", "foreign"]
    assert 300 < int(row["attempted"]) <= 400 and int(row["acknowledged"]) > 250  # the rest are cancellations
    assert row["refused (by code)"] != "0"
    assert [row[name] for name in ("unanswered", "lost", "duplicated", "half-finished", "foreign")] == ["0"] * 5
    assert "p99.9" in surge.stdout


def test_the_audit_finds_what_is_wrong(program, server, sandbox, folder, secret_file, monkeypatch):
    monkeypatch.chdir(__import__("conftest").ROOT)
    box = sandbox("--lost-rate", "0.2", "--ignore-keys", "accounting")
    backend = server(box)
    _, audit = surge_and_audit(program, backend, box, folder, secret_file)
    assert audit.returncode == 1 and int(columns(audit)["duplicated"]) > 0
    Client(backend, "stranger").created()
    again = program.run("audit", "--url", backend.url, "--sandbox-url", box.url, "--secret-file", secret_file, "--ledger", folder / "surge.jsonl",
                        "--wait", "20s", timeout=120)
    assert int(columns(again)["foreign"]) == 1


def test_sandbox_stock_and_keys(program, sandbox):
    box = sandbox("--stock", "5")
    post = lambda path, key, **body: httpx.post(box.url + path, json=body, headers={"Idempotency-Key": key}, **PLAIN)
    lines = [{"sku": "A", "quantity": 3, "unit_price": 1}]
    first = post("/inventory/reserve", "o1.reserve", id="o1", lines=lines)
    assert first.status_code == 200 and post("/inventory/reserve", "o1.reserve", id="o1", lines=lines).json() == first.json()
    refused = post("/inventory/reserve", "o2.reserve", id="o2", lines=lines)
    assert refused.status_code == 409 and refused.json()["reason"] == "out_of_stock"
    assert post("/inventory/release", "o1.release", id="o1", lines=lines).status_code == 200
    assert post("/inventory/reserve", "o3.reserve", id="o3", lines=lines).status_code == 200
    assert httpx.get(box.url + "/inventory/commands/o1.reserve", **PLAIN).json()["outcome"] == "done"
    assert httpx.get(box.url + "/inventory/commands/o9.reserve", **PLAIN).status_code == 404
    effects = [json.loads(line) for line in box.ledger().splitlines()]
    assert [effect["command"] for effect in effects] == ["reserve", "release", "reserve"]
