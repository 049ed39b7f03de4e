"""`sam build` makes a package of each function, without a network, and of nothing but its own folder."""

import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from resolved import FOLDER, ROOT, TEMPLATE, of_type, read
from samcli.yamlhelper import yaml_parse

FUNCTIONS = sorted(of_type(read()["Resources"], "AWS::Serverless::Function"))


def test_sam_build_makes_each_package(tmp_path):
    binary = tmp_path / "bootstrap"
    binary.write_bytes(b"\x7fELF stands in for the program\n")
    out, before = tmp_path / "out", sorted(FOLDER.rglob("*"))
    # Without an interface but lo: whatever wants the network fails.
    offline = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    result = subprocess.run([*offline, pathlib.Path(sys.executable).parent / "sam", "build", "--template", TEMPLATE, "--build-dir", out], cwd=tmp_path,
                            capture_output=True, text=True, timeout=100, env=os.environ | {"SPILLWAY_BOOTSTRAP": str(binary)})
    assert result.returncode == 0, result.stdout + result.stderr
    for name in FUNCTIONS:
        assert [path.name for path in (out / name).iterdir()] == ["bootstrap"], name
        assert (out / name / "bootstrap").read_bytes() == binary.read_bytes()
        assert (out / name / "bootstrap").stat().st_mode & 0o111
    built = yaml_parse((out / "template.yaml").read_text())
    assert {resource["Properties"]["CodeUri"] for resource in built["Resources"].values() if resource["Type"] == "AWS::Serverless::Function"} == set(FUNCTIONS)
    assert sorted(FOLDER.rglob("*")) == before, "it leaves something beside the template"


def test_the_folder_that_sam_copies_is_small():
    folder = FOLDER / read()["Globals"]["Function"]["CodeUri"]
    assert [path.name for path in folder.iterdir()] == ["Makefile"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_repository_knows_how_to_build_it(name, tmp_path):
    result = subprocess.run(["make", "--dry-run", "-C", ROOT, f"build-{name}", f"ARTIFACTS_DIR={tmp_path}"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_checks_would_see_yaml_that_is_wrong():
    """Keys given twice: YAML takes the last one and says nothing."""
    class Strict(yaml.SafeLoader):
        pass

    def no_duplicates(loader, node):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: given twice: {sorted(key for key in keys if keys.count(key) > 1)}"
        return {loader.construct_object(key): loader.construct_object(value, deep=True) for key, value in node.value}

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, no_duplicates)
    Strict.add_multi_constructor("!", lambda loader, tag, node: None)
    yaml.load(TEMPLATE.read_text(), Strict)
