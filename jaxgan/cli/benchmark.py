"""``jaxgan benchmark NAME``: the benchmarks, from the installed package or from the checkout."""

import importlib
import importlib.util
import sys
from pathlib import Path

import jaxgan
from jaxgan.validation import InputError

PACKAGE = "jaxgan.benchmarks"


def run(arguments: list[str]) -> int:
    """Runs a benchmark."""
    _find(Path(jaxgan.__file__).resolve().parents[1] / "benchmarks")
    commands = importlib.import_module(f"{PACKAGE}.commands")
    status: int = commands.main(arguments, prog="jaxgan benchmark")
    return status


def _find(folder: Path) -> None:
    """Makes the package importable: an installation has it, and in a checkout it stands beside jaxgan.

    Raises:
        InputError: it is in neither place.
    """
    if PACKAGE in sys.modules or importlib.util.find_spec(PACKAGE) is not None:
        return
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "commands.py").exists():
        raise InputError(f"there are no benchmarks: neither {PACKAGE} nor the folder {folder} exists")
    sys.modules[PACKAGE] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
