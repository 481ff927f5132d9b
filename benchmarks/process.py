"""Fresh processes: each measurement has one of its own, so that none finds what another has left behind."""

import dataclasses
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jaxgan
from jaxgan.validation import require

from .records import Case, Memory, Phases, Row
from .worker import is_out_of_memory

FOLDER = Path(__file__).resolve().parent
Found = dict[str, Any]


def measure(
    cases: Sequence[Case],
    *,
    rounds: int,
    repeats: int,
    warmup: int,
    timeout: float = 600.0,
    interpreters: Mapping[str, str] = MappingProxyType({}),
    flags: Mapping[str, str] = MappingProxyType({}),
    say: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measures cases in turn: in each round each of them once, in a fresh process.

    Args:
        cases: what to measure.
        rounds: the processes of each case, >= 1.
        repeats: the timed steps of each process, >= 1.
        warmup: the steps before them, after the first, >= 0.
        timeout: the seconds that a process may take, > 0.
        interpreters: the Python of a contender, by its name; this process's own by default.
        flags: the value of ``XLA_FLAGS`` for a contender, by its name; this process's own by default.
        say: told of each process before it begins, ``rounds * len(cases)`` times.

    Returns:
        A row for each case, in their order, without analytic FLOPs. A case that fails has a row that says
        so, and is not tried again; the others go on.

    Raises:
        InputError: a number that is not allowed.
    """
    check_counts(rounds=rounds, repeats=repeats, warmup=warmup, timeout=timeout)
    found: list[list[Found]] = [[] for _ in cases]
    for number in range(rounds):
        for case, results in zip(cases, found, strict=True):
            say(f"{case.label}, process {number + 1} of {rounds}")
            if results and results[-1]["status"] != "ok":
                continue
            job = {"case": dataclasses.asdict(case), "warmup": warmup, "repeats": repeats}
            variables = flag_variables(str(case.options.get("flags", "tuned")))
            if case.contender in flags:
                variables["XLA_FLAGS"] = flags[case.contender]
            own = interpreters.get(case.contender)
            results.append(run("worker.py", job, interpreter=own, variables=variables, timeout=timeout))
    return [_row(case, results) for case, results in zip(cases, found, strict=True)]


def check_counts(*, rounds: int, repeats: int, warmup: int, timeout: float = 600.0) -> None:
    """Refuses counts with which nothing would be measured.

    Raises:
        InputError: one of them is too small.
    """
    require(rounds >= 1, "rounds", rounds, ">= 1")
    require(repeats >= 1, "repeats", repeats, ">= 1")
    require(warmup >= 0, "warmup", warmup, ">= 0")
    require(timeout > 0, "timeout", timeout, "> 0")


def run(
    script: str,
    job: Any,
    *,
    interpreter: str | None = None,
    variables: Mapping[str, str] | None = None,
    timeout: float = 600.0,
) -> Found:
    """Runs a file of this folder in a process of its own.

    Args:
        script: the name of the file; its last line is a JSON object with ``status`` and ``message``.
        job: what it reads, as JSON, on standard input.
        interpreter: the Python; this process's own by default.
        variables: environment variables to set.
        timeout: the seconds that it may take.

    Returns:
        What it printed; or, if it ended without that, a status and a message that says how it ended.
    """
    command = [interpreter or sys.executable, str(FOLDER / script)]
    paths = {} if interpreter else _python_path()
    try:
        ended = subprocess.run(
            command,
            input=json.dumps(job),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            env={**os.environ, **paths, **(variables or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failure("error", f"no result after {timeout:g} s")
    except OSError as error:
        return _failure("skipped", f"{command[0]} cannot be run: {error.strerror}")
    return _last_object(ended.stdout) or _explain(ended.returncode, ended.stderr)


def flag_variables(flags: str) -> dict[str, str]:
    """Names the environment variables with which a process gets flags; those that are set already stay.

    Args:
        flags: XLA flags, or ``"tuned"`` or ``"default"``, which need none.

    >>> flag_variables("--xla_tpu_a=1")["LIBTPU_INIT_ARGS"]
    '--xla_tpu_a=1'
    """
    found: dict[str, str] = {}
    for word in () if flags in ("tuned", "default") else flags.split():
        name = "LIBTPU_INIT_ARGS" if word.startswith("--xla_tpu_") else "XLA_FLAGS"
        found[name] = f"{found.get(name, os.environ.get(name, ''))} {word}".strip()
    return found


def _python_path() -> dict[str, str]:
    """Lets a process find the jaxgan that this one uses, installed or not."""
    root = Path(jaxgan.__file__).resolve().parents[1]
    if root == Path(sysconfig.get_path("purelib")).resolve():
        return {}
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{others}" if others else str(root)}


def _last_object(output: str) -> Found | None:
    try:
        found = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) and "status" in found else None


def _explain(returncode: int, errors: str) -> Found:
    """Says how a process ended that found nothing.

    >>> _explain(-9, "")
    {'status': 'out_of_memory', 'message': 'killed by the system, most likely for want of memory'}
    """
    if returncode in (-9, 137):
        return _failure("out_of_memory", "killed by the system, most likely for want of memory")
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "unknown flag" in line.lower()]
    message = f"ended with status {returncode}: {(telling or lines or ['no message'])[-1][:300]}"
    return _failure("out_of_memory" if is_out_of_memory(errors) else "error", message)


def _failure(status: str, message: str) -> Found:
    return {"status": status, "message": message}


def _row(case: Case, results: Sequence[Found]) -> Row:
    """Puts the results of a case's processes together; what is not timed is that of the first of them."""
    failed = next((found for found in results if found["status"] != "ok"), None)
    if failed is not None:
        return Row(case=case, status=failed["status"], message=failed["message"])
    first = results[0]
    return Row(
        case=case,
        samples=[found["samples"] for found in results],
        images=first["images"],
        compiler_flops=first["compiler_flops"],
        phases=Phases(**first["phases"]) if first["phases"] else None,
        memory=Memory(**first["memory"]) if first["memory"] else None,
        versions=first["versions"],
        figures=first["figures"],
    )
