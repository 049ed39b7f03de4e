"""The pages agree with the code, and their links lead somewhere."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SPILLWAY_PROGRAM", ROOT / "build" / "spillway"))
PAGES = [ROOT / name for name in subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()]


def source(pattern="src/**/*.[ch]"):
    return {path: path.read_text() for path in sorted(ROOT.glob(pattern)) if "_test" not in path.name}


def page(name):
    return (ROOT / "docs" / name).read_text()


def named(text):
    """What a page names in code style."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.fixture(scope="module", autouse=True)
def program():
    """The program is built where it is missing: this part of the suite may be run first."""
    if not PROGRAM.exists():
        subprocess.run(["make"], cwd=ROOT, check=True)


def test_generated_pages_are_up_to_date():
    result = subprocess.run([sys.executable, ROOT / "script/make-docs", "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr + "script/make-docs mends this"


def test_every_setting_is_in_the_settings_page():
    text = (ROOT / "src/cli/serve_settings.c").read_text() + (ROOT / "src/settings/common_options.h").read_text()
    names = set(re.findall(r'\.name = "([a-z-]+)"', text)) | {f"SERVICE{name}" for name in re.findall(r'\.name = lower "(-[a-z-]+)"', text)}
    assert len(names) > 30
    flags = {flag.split()[0][2:] for flag in named(page("settings.md")) if flag.startswith("--")}
    assert names <= flags, names - flags


def test_every_metric_is_in_the_operations_page_and_no_other():
    texts = source("src/port/telemetry.h") | source("src/platform/local/metrics.c")
    metrics = set(re.findall(r'"(spillway_[a-z_]+)"', "\n".join(texts.values())))
    assert len(metrics) > 15
    told = set(re.findall(r"\bspillway_[a-z_]+", page("operations.md")))
    told = {re.sub(r"_bucket$", "", name) for name in told}
    assert told - {"spillway_queue_", "spillway_"} == metrics, told ^ metrics


def test_every_log_event_is_in_the_operations_page():
    events = {"panic"}
    for path, text in source().items():
        for call in re.findall(r"\b(?:log_event|log_served)\((.*?)\);", text, flags=re.S):
            events |= set(re.findall(r'"([a-z]+_[a-z_]+|listening|stopping|stopped)"', call))
        if path.name == "serve.c" and path.parent.name == "cli":
            events |= set(re.findall(r'"(order_[a-z]+)"', text))
    events -= {"retry_in_ms"}
    assert len(events) > 12
    assert events <= named(page("operations.md")), events - named(page("operations.md"))


def test_every_problem_code_is_in_the_api_page():
    problems = re.findall(r'\{(\d{3}), "([a-z-]+)"', (ROOT / "src/wire/problem.c").read_text())
    assert len(problems) > 20
    rows = set(re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", page("api.md"), flags=re.M))
    assert rows == set(problems), rows ^ set(problems)


def test_every_scope_and_command_is_told():
    scopes = set(re.findall(r'"(orders:\w+)"', (ROOT / "src/gateway/auth.c").read_text()))
    assert scopes == {scope for scope in named(page("api.md")) if scope.startswith("orders:")}
    commands = set(re.findall(r'= \{"(\w+)", STEP_', (ROOT / "src/order/step.c").read_text()))
    assert len(commands) == 6
    for command in commands:
        assert f"`POST /{command}`" in page("services.md"), command


def anchors(path):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{path.name} links to {target}"
        assert found.is_relative_to(ROOT), f"{path.name} links out of the project: {target}"
        if anchor:
            assert anchor in anchors(found), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shell_blocks_are_shell(path):
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(), flags=re.S):
        result = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert result.returncode == 0, f"{path.name}: {result.stderr}\n{block}"
        for command in re.findall(r"(?:^|[\s(|])(?:build/)?spillway (\w+)", block):
            assert subprocess.run([PROGRAM, command, "--help"], capture_output=True).returncode == 0, f"{path.name}: spillway {command}"


def test_alert_rules_are_prometheus_rules(tmp_path):
    promtool = shutil.which("promtool") or next(iter((ROOT / ".cache").glob("tools/**/promtool")), None)
    if not promtool:
        pytest.skip("promtool is not installed")
    rules = tmp_path / "rules.yml"
    rules.write_text(re.search(r"```yaml\n(groups:.*?)```", page("operations.md"), flags=re.S).group(1))
    result = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
