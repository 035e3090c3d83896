"""What pyproject.toml promises: bounded dependencies, data, one version, licences, one command."""

from __future__ import annotations

import ast
import importlib
import os
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import graphc

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIRED = {Requirement(text).name: Requirement(text) for text in PROJECT["dependencies"]}
OPTIONAL = {
    Requirement(text).name: Requirement(text)
    for texts in PROJECT["optional-dependencies"].values()
    for text in texts
}

# Parts of a required or optional package that are imported under a name of their own.
BROUGHT_BY = {"llvmlite": "numba", "IPython": "ipykernel"}


def third_party_imports(folder: str) -> set[str]:
    """First words of all imports in a folder's modules, of packages that Python does not bring."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"graphc"}


@pytest.mark.parametrize("requirement", [*REQUIRED.values(), *OPTIONAL.values()], ids=str)
def test_every_dependency_is_bounded_on_both_sides(requirement: Requirement) -> None:
    """A release that nobody has tried is not installed by surprise, nor one that is too old."""
    operators = sorted(part.operator for part in requirement.specifier)
    assert operators == ["<", ">="]


@pytest.mark.parametrize("name", REQUIRED)
def test_the_bounds_hold_what_the_tests_run_with(name: str) -> None:
    """The versions in this environment are ones that the bounds allow."""
    assert REQUIRED[name].specifier.contains(version(name))


def test_every_import_is_declared() -> None:
    """All that graphc imports is a dependency or an extra; only the benchmarks look for more."""
    bench = third_party_imports("graphc/bench")
    imported = {BROUGHT_BY.get(name, name) for name in third_party_imports("graphc")}
    assert imported - REQUIRED.keys() - OPTIONAL.keys() <= bench
    assert {"numpy", "safetensors"} <= imported
    assert imported >= REQUIRED.keys(), "a dependency that nothing imports"


def test_every_import_of_the_tests_is_declared() -> None:
    """The `test` extra is enough to run the tests."""
    extra = {Requirement(text).name for text in PROJECT["optional-dependencies"]["test"]}
    brought = {"packaging", "_pytest", "llvmlite"}  # by pytest and Numba
    assert third_party_imports("tests") <= extra | REQUIRED.keys() | brought | {"tests"}


def test_the_version_is_one() -> None:
    """pyproject.toml and the package agree."""
    assert graphc.__version__ == PROJECT["version"]


def test_the_package_holds_its_data() -> None:
    """The marker of typed packages and the digits lie inside the package."""
    assert files("graphc").joinpath("py.typed").is_file()
    assert files("graphc").joinpath("train", "digits.npz").is_file()


def test_the_command_exists() -> None:
    """The `graphc` command leads to a function."""
    module, _, function = PROJECT["scripts"]["graphc"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_licences_are_stated() -> None:
    """The licence of the code, and the attribution that the digits' licence asks for."""
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")
    readme = (ROOT / PROJECT["readme"]).read_text("utf-8")
    for words in ("MIT", "CC BY 4.0", "Alpaydin", "Kaynak", "Optical Recognition of Handwritten"):
        assert words in readme


def test_ci_runs_the_readme_command() -> None:
    """The README's second command and what `.ci/run` runs are the same text."""
    command = 'pip install ".[test]" && pytest -n auto'
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert f"bash -c '{command}'" in script.read_text("utf-8")
    assert f". .venv/bin/activate && {command}\n" in (ROOT / "README.md").read_text("utf-8")
