"""Fixtures of the security tests: those of tests/e2e, whose helpers they use too."""

import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E = ROOT / "tests" / "e2e"
sys.path.insert(1, str(E2E))
pytest.register_assert_rewrite("outside", "test_create")

specification = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
e2e = importlib.util.module_from_spec(specification)
specification.loader.exec_module(e2e)
program, folder, secret_file, services, sandbox, server, backend, ada, key = (
    getattr(e2e, name) for name in ("program", "folder", "secret_file", "services", "sandbox", "server", "backend", "ada", "key"))
