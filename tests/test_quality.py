"""The code's own rules, checked by their tools."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=" ".join,
)
def test_a_tool_finds_nothing(command):
    found = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


def names_used(path):
    """The names a file imports from jax, or reaches through it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax."):
            yield from (name.name for name in node.names)


def test_only_parallel_names_the_ways_of_running_on_devices():
    ways = {"jit", "pmap", "shard_map", "Mesh", "NamedSharding"}
    users = {path.name for path in ROOT.glob("jaxgan/**/*.py") if ways & {*names_used(path)}}
    assert users == {"parallel.py"}


@pytest.mark.smoke
def test_importing_costs_little_and_changes_nothing():
    heavy = [
        "tensorflow",
        "matplotlib",
        "sklearn",
        "torch",
        "orbax",
        "tensorflow_datasets",
        "grain",
        "scipy.ndimage",
    ]
    program = f"""
import os, sys
before = dict(os.environ)
import jaxgan, jaxgan.gans.dcgan, jaxgan.classifiers.cnn, jaxgan.steps, jaxgan.cli
heavy = [name for name in {heavy!r} if name in sys.modules]
assert not heavy, heavy
assert dict(os.environ) == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.smoke
def test_the_help_is_answered_without_loading_jax():
    program = (
        "import sys, jaxgan.cli; assert jaxgan.cli.main(['--help']) == 0; assert 'jax' not in sys.modules"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "train" in found.stdout
