"""The process behind ``estimate``: a job as JSON on standard input, the answer as JSON on the last line.

The job: ``{"task": "look_up" or "compile_step", "arguments": {...}}``, with the arguments of the function of
that name in `ahead_of_time`. The answer holds a ``status`` and a ``message``; the status ``"refused"`` means
that the job cannot be done as it was given.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PACKAGE = "jaxgan_benchmarks"
"""What this folder is called in this process, wherever it is: its files import one another."""


def main() -> None:
    """Does the job."""
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != FOLDER]  # its files hide packages
    job = json.load(sys.stdin)
    load_package()
    print(json.dumps(answer(job)), flush=True)


def load_package() -> None:
    """Makes this folder a package."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[PACKAGE] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Does the job, and says of an error what it means."""
    from jaxgan.validation import InputError

    worker = importlib.import_module(f"{PACKAGE}.worker")
    module = importlib.import_module(f"{PACKAGE}.ahead_of_time")
    try:
        return {"status": "ok", "message": None, **getattr(module, job["task"])(**job["arguments"])}
    except InputError as error:
        return {"status": "refused", "message": str(error)}
    except Exception as error:  # whatever the compiler raises
        text = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
        return {"status": "out_of_memory" if worker.is_out_of_memory(text) else "error", "message": text}


if __name__ == "__main__":
    main()
