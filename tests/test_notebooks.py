"""The notebooks run from top to bottom, in a small size."""

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted(Path(__file__).parents[1].glob("notebooks/*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGAN_NOTEBOOK_STEPS", "4")
    monkeypatch.setenv("MPLBACKEND", "agg")
    copy = tmp_path / path.name  # what a notebook writes lands beside the copy
    copy.write_bytes(path.read_bytes())
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--nbmake", "--nbmake-timeout=300", "-q"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, "-c", "/dev/null", copy]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    assert '"outputs": []' in path.read_text("utf-8")
    assert '"output_type"' not in path.read_text("utf-8")
