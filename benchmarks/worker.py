"""The process of one measurement: a job as JSON on standard input, what was found as JSON on the last line.

It runs as a file under any interpreter, also one that has only the contender's packages, and so imports
nothing but the standard library. The job: ``{"case": {...}, "warmup": int, "repeats": int}``.
"""

import gc
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parent
PACKAGE = "jaxgan_contenders"
OUT_OF_MEMORY = (
    "resource_exhausted",
    "resourceexhausted",
    "out of memory",
    "unable to allocate",
    "bad_alloc",
)
"""What the error of any contender holds when memory was the reason, in lower case."""


def main() -> None:
    """Does the job."""
    started = time.perf_counter()
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != FOLDER]  # its files hide packages
    job = json.load(sys.stdin)
    print(json.dumps(attempt(job, started)), flush=True)


def attempt(job: dict[str, Any], started: float) -> dict[str, Any]:
    """Measures, and says of an error what it means for the case.

    Args:
        job: what to do.
        started: when the process began, by `time.perf_counter`.

    Returns:
        What was found: always a ``status`` and a ``message``; see `measure` for the rest.
    """
    try:
        return {"status": "ok", "message": None, **measure(job, started)}
    except NotImplementedError as error:
        return {"status": "skipped", "message": str(error)}
    except MemoryError as error:
        return {"status": "out_of_memory", "message": str(error) or "no memory is left"}
    except Exception as error:  # whatever the contender's packages raise
        text = f"{type(error).__name__}: {error}"
        status = "out_of_memory" if is_out_of_memory(text) else "error"
        return {"status": status, "message": text.strip().partition("\n")[0][:300]}


def is_out_of_memory(text: str) -> bool:
    """Tells whether an error is one of memory.

    >>> is_out_of_memory("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes")
    True
    """
    return any(words in text.lower() for words in OUT_OF_MEMORY)


def measure(job: dict[str, Any], started: float) -> dict[str, Any]:
    """Prepares the contender and times its steps, each from a call to the end of its work.

    Returns:
        The ``samples`` in seconds, and what the contender says of itself; what it calls ``after`` is done
        after them, and gives more figures. Among the figures, ``cold_start`` is the seconds from the start of
        the process to the end of the first step.

    Raises:
        NotImplementedError: the contender cannot do this here.
    """
    case = job["case"]
    keep_to_cores(case["options"].get("threads"))
    prepared = load(case["contender"], case["work"]).prepare(case)
    cold_start = time.perf_counter() - started
    for _ in range(job["warmup"]):
        prepared["step"]()
    samples = time_steps(prepared["step"], job["repeats"])
    found = prepared["after"]() if "after" in prepared else {}
    told = {name: prepared.get(name) for name in ("images", "compiler_flops", "phases", "memory")}
    figures = {"cold_start": cold_start, **prepared.get("figures", {}), **found}
    return {**told, "samples": samples, "versions": prepared.get("versions", {}), "figures": figures}


def keep_to_cores(count: int | None) -> None:
    """Keeps this process to so many cores, where the system can do that, whoever makes its threads."""
    if count is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def load(contender: str, work: str) -> ModuleType:
    """Loads the file of a contender.

    Raises:
        NotImplementedError: a package is missing, or the contender does other work.
    """
    folder = FOLDER / "contenders"
    if not (folder / f"{contender}.py").exists():
        raise ValueError(f"there is no contender {contender!r}")
    if PACKAGE not in sys.modules:  # under a name of its own, since FOLDER itself may not be importable here
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    module = importlib.import_module(f"{PACKAGE}.{contender}")
    missing = [name for name in module.PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise NotImplementedError(f"not installed in {sys.executable}: {', '.join(missing)}")
    if module.WORKS is not None and work not in module.WORKS:
        raise NotImplementedError(f"{contender} does {', '.join(module.WORKS)}, not {work}")
    return module


def time_steps(step: Callable[[], Any], repeats: int) -> list[float]:
    """Times each of so many steps; the garbage collector waits until they are done.

    >>> len(time_steps(lambda: None, 3))
    3
    """
    samples = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(repeats):
            began = time.perf_counter()
            step()
            samples.append(time.perf_counter() - began)
    finally:
        gc.enable()
    return samples


if __name__ == "__main__":
    main()
