"""A run of ``jaxgan train``: the one step that `benchmarks.worker` times is the whole command.

Options of a case: ``arguments``, what stands after ``jaxgan train``, as a shell would write it; ``steps``;
``to``, the folder of the run.
"""

import contextlib
import io
import statistics
import time
from typing import Any

from ._ours import peak, start_jax, versions

PACKAGES = ("jaxgan",)
WORKS = None
"""Any model that can be trained."""


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Loads the command; see `benchmarks.worker` for what is returned."""
    import shlex

    began = time.perf_counter()
    options = case["options"]
    start_jax(case)
    from jaxgan.cli import train as command
    from jaxgan.run_folder import open_run

    arguments = [*shlex.split(options["arguments"]), "--out", options["to"]]

    def train() -> None:
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = command.run(arguments)
        if status == 1:
            raise FloatingPointError(errors.getvalue().strip().rpartition("\n")[2])
        if status:
            raise InterruptedError(f"stopped before its end, with status {status}")

    def look() -> dict[str, float]:
        found = step_seconds(open_run(_path(options["to"])).read_metrics(), case["batch_size"])
        return {} if found is None else {"step_seconds": found}

    return {
        "step": train,
        "after": look,
        "images": options["steps"] * case["batch_size"],
        "phases": {"load": time.perf_counter() - began},
        "memory": {"peak": peak()},
        "versions": versions(),
    }


def step_seconds(lines: list[dict[str, Any]], batch_size: int) -> float | None:
    """Finds the median time of a step in the metrics of a run; None where fewer than two lines say it.

    >>> step_seconds([{"images_per_second": rate} for rate in (None, 20.0, 40.0, 40.0)], 4)
    0.1
    """
    rates = [line["images_per_second"] for line in lines if line.get("images_per_second")]
    return batch_size / statistics.median(rates) if rates else None


def _path(text: str) -> Any:
    from pathlib import Path

    return Path(text)
