"""The house rules that a program can check: layers, banned calls, sizes, formatting (CONTRIBUTING.md)."""

import json
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = [path for path in sorted(ROOT.glob("src/**/*.[ch]"))]
TRACKED = [ROOT / name for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n") if name]

# Each folder of src/ with the folders it may include from, besides its own.
LAYERS = {
    "base": (),
    "settings": ("base",),
    "wire": ("base",),
    "order": ("base", "wire"),
    "port": ("base", "order"),
    "retail": ("base", "wire", "order"),
    "function": ("base", "wire", "order", "port"),
    "gateway": ("base", "wire", "order", "port", "function"),
    "platform/net": ("base", "wire", "order", "port"),
    "platform/local": ("base", "wire", "order", "port", "function", "gateway", "platform/net"),
    "platform/aws": ("base", "settings", "wire", "order", "port", "function", "gateway", "platform/net"),
    "platform/sim": ("base", "order", "port"),
    "simulator": ("base", "wire", "order", "port", "retail", "function", "gateway", "platform/sim"),
    "bootstrap": ("base", "settings", "wire", "order", "port", "function", "gateway", "platform/net", "platform/aws"),
    "cli": ("base", "settings", "wire", "order", "port", "retail", "function", "gateway", "platform/net", "platform/local"),
}
# The commands' files that may name a concrete platform: those that put one together.
NAMES_A_PLATFORM = re.compile(r"^src/cli/(serve\w*|version|sandbox\w*|client\w*)\.[ch]$")

# What the pure layers must not do: read clocks, files, sockets, randomness; start threads.
PURE = ("base", "wire", "order", "port", "function")
IMPURE = re.compile(r"\b(clock_gettime|gettimeofday|time|fopen|open|socket|connect|getrandom|rand|random|pthread_create|getenv|sleep|usleep|nanosleep)\s*\(")
PURE_EXCEPTIONS = {"src/base/log.c"}  # a log line carries the time and goes to standard error

BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|scanf|sscanf|system|popen|alloca|strncpy|gmtime|localtime|asctime|ctime)\s*\(")
BANNED_EXCEPTIONS = {("src/retail/retail_file.c", "popen")}  # reads .xz files through the xz program, no user text in the command

FILE_LINES, FUNCTION_LINES = 500, 70


def layer_of(path):
    relative = path.relative_to(ROOT / "src").as_posix()
    return next(layer for layer in sorted(LAYERS, key=len, reverse=True) if relative.startswith(layer + "/"))


def code_of(path):
    """The text without comments and strings."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group(0).count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def includes_of(path):
    return re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.M)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_source(path):
    relative, layer, code = path.relative_to(ROOT).as_posix(), layer_of(path), code_of(path)
    is_test = "_test" in path.name
    for include in includes_of(path):
        if is_test and include.startswith("fake/"):  # tests/fake
            continue
        owner = next((other for other in sorted(LAYERS, key=len, reverse=True) if include.startswith(other + "/")), None)
        assert owner, f"{relative} includes {include}: name it from src/"
        if is_test:
            continue
        assert owner == layer or owner in LAYERS[layer], f"{relative}: {layer} must not know {owner} ({include})"
        if layer == "cli" and owner.startswith("platform"):
            assert NAMES_A_PLATFORM.match(relative), f"{relative} names a platform ({include})"
    if not is_test:
        for name in BANNED.findall(code):
            assert (relative, name) in BANNED_EXCEPTIONS, f"{relative} calls {name}"
        if layer in PURE and relative not in PURE_EXCEPTIONS:
            assert not IMPURE.findall(code), f"{relative} calls {IMPURE.findall(code)}: {layer} is pure"
    lines = path.read_text().count("\n")
    assert lines <= FILE_LINES or is_test, f"{relative} has {lines} lines, more than {FILE_LINES}"
    for name, size in function_sizes(code):
        assert size <= FUNCTION_LINES, f"{relative}: {name} has {size} lines, more than {FUNCTION_LINES}"


def function_sizes(code):
    start, name = None, None
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"^[A-Za-z_].*\(", line) and not line.rstrip().endswith(";"):
            name = line.split("(")[0].split()[-1]
            candidate = number
        if line.rstrip().endswith("{") and name and start is None and not line.startswith(("struct", "enum", "static const", "const")):
            start = candidate
        if line.startswith("}"):
            if start is not None and name:
                yield name, number - start + 1
            start, name = None, None


def test_headers_have_guards_and_a_promise():
    for path in SOURCES:
        if path.suffix != ".h":
            continue
        text = path.read_text()
        guard = re.sub(r"[^A-Z0-9]", "_", path.relative_to(ROOT / "src").as_posix().upper())
        assert f"#ifndef {guard}\n#define {guard}" in text, f"{path}: the guard should be {guard}"
        assert text.startswith("/*"), f"{path}: a header begins with what the module promises"


def test_no_file_is_large_or_binary():
    for path in TRACKED:
        data = path.read_bytes()
        assert len(data) < 1_000_000, f"{path} has {len(data)} bytes"
        assert b"\0" not in data, f"{path} is binary"


def test_scripts_are_executable_and_well_formed():
    for path in TRACKED:
        if path.parent.name == "script" or path == ROOT / ".ci" / "run":
            assert path.stat().st_mode & 0o111, f"{path} is not executable"
            if path.read_text().startswith("#!/usr/bin/env bash"):
                subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("bugs", ["tests/mutation/mutants.json", "tests/planted/planted.json"])
def test_a_bug_to_plant_has_one_place(bugs):
    """An edit whose text is gone would only be noticed when somebody runs them all."""
    edits = [edit for bug in json.loads((ROOT / bugs).read_text()) for edit in bug["edits"]]
    assert edits and [edit for edit in edits if (ROOT / edit["file"]).read_text().count(edit["old"]) != 1] == []


def test_formatting():
    sources = [path for path in TRACKED if path.suffix in (".c", ".h")]
    result = subprocess.run(["clang-format", "--dry-run", "--Werror", *sources], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, "make format mends this:\n" + result.stderr[:2000]
