"""What the tools of others say of the template, and that each exception has its reason."""

import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

from resolved import FOLDER, ROOT, TEMPLATE

BIN = pathlib.Path(sys.executable).parent
CHECKOV = pathlib.Path(os.environ.get("SPILLWAY_CHECKOV", ROOT / ".cache/venv-checkov/bin/checkov"))


def run(*command, cwd=FOLDER):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=100)


def test_sam_finds_it_valid():
    result = run(BIN / "sam", "validate", "--lint", "--template", TEMPLATE)
    assert result.returncode == 0, result.stdout + result.stderr
    for stage in ("staging", "production"):
        result = run(BIN / "sam", "validate", "--config-env", stage)
        assert result.returncode == 0, result.stdout + result.stderr


def test_cfn_lint_finds_nothing():
    result = run(BIN / "cfn-lint", "--non-zero-exit-code", "informational", TEMPLATE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_checkov_finds_only_what_has_a_reason(tmp_path):
    result = run(CHECKOV, "--file", TEMPLATE, "--framework", "cloudformation", "--skip-download", "--output", "json", cwd=tmp_path)
    report = json.loads(result.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50, "it has looked at nearly nothing"
    failed = {}
    for check in report["results"]["failed_checks"]:
        failed.setdefault(check["check_id"], []).append(check["resource"])
    excepted = set(yaml.safe_load((FOLDER / ".checkov.yaml").read_text())["skip-check"])
    assert set(failed) == excepted, {check: failed.get(check, "no longer fails") for check in set(failed) ^ excepted}


def test_each_exception_has_its_reason():
    checkov = (FOLDER / ".checkov.yaml").read_text()
    entries = re.findall(r"^ +- (CKV\S+)(.*)$", checkov, flags=re.M)
    assert len(entries) == len(yaml.safe_load(checkov)["skip-check"])
    template = TEMPLATE.read_text()
    assert "checkov:" not in template, "exceptions of checkov stand in .checkov.yaml"
    lines = re.findall(r"^ +- ([EWI]\d{4})\b(.*)$", template, flags=re.M)
    assert len(lines) == len(re.findall(r"\b[EWI]\d{4}\b", template)), "an exception of cfn-lint stands on a line of its own"
    for check, reason in entries + lines:
        assert re.match(r" # \S+ \S+ \S+", reason), f"{check} has no reason beside it"
    # cfn-lint takes settings from a file as well: there is none.
    assert not list(FOLDER.glob(".cfnlintrc*")) and not list(ROOT.glob(".cfnlintrc*"))


def test_the_page_tells_every_parameter_and_its_default(template):
    page = (ROOT / "docs/aws.md").read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    rows = {name: default.strip("`") for name, default in re.findall(r"^\| `((?:<Service>)?[A-Z]\w+)` \| ([^|]*?) \| ", page, flags=re.M)}
    wanted = {}
    for name, parameter in template["Parameters"].items():
        short = re.sub(r"^(Inventory|Accounting|Fulfilment)", "<Service>", name)
        wanted.setdefault(short, str(parameter.get("Default", "required")))
        assert wanted[short] == str(parameter.get("Default", "required")), f"{name}: services have the same defaults"
    assert rows == wanted, set(rows.items()) ^ set(wanted.items())


def test_the_page_tells_every_alarm(template):
    page = (ROOT / "docs/aws.md").read_text()
    told = set(re.findall(r"`([\w<>]+)`", "\n".join(line for line in page.splitlines() if line.startswith("| `"))))
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert name in told or re.sub("Inventory|Accounting|Fulfilment", "<Service>", name) in told, name
