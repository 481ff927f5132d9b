"""The subcommands. This file answers ``--help`` without loading JAX; each of them has a file."""

import difflib
import sys

from jaxgan.cli import run_module

COMMANDS = {
    "step": "time the training step of any model",
    "ops": "time every op and its derivatives, in each form",
    "loops": "time work inside lax.cond and lax.scan against the same outside",
    "lazy": "time a penalty at every k-th step against every step and none",
    "sweep": "time many members in one program against as many separate runs",
    "data": "images per second of every data source",
    "metrics": "time FID, Inception and the scores of a generator, also in torch-fidelity",
    "scaling": "time a step on 1 to N devices",
    "peers": "time the same work in other libraries",
    "quality": "train GANs in several ways, also in Keras, and judge their images",
    "stacked": "count the modes that GANs reach in as many minutes",
    "estimate": "compile a step for a TPU that is not there",
    "tune": "find the XLA flags that pay on this device",
    "compare": "compare two reports",
    "report": "make tables and plots of reports",
}

USAGE = """usage: {prog} NAME [OPTION ...]

Benchmarks of jaxgan, each case in fresh processes; the results are one JSON file.

benchmarks:
{commands}

`{prog} NAME --help` says more. To begin: {prog} step
"""


def main(arguments: list[str] | None = None, *, prog: str = "python -m benchmarks") -> int:
    """Runs a benchmark.

    Args:
        arguments: what stands after ``benchmarks``; the process's own arguments by default.
        prog: how the user called it.

    Returns:
        The exit status: 0, 1 for a run that found nothing or a comparison that fails, 2 for bad input.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        commands = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
        print(USAGE.format(prog=prog, commands=commands), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        names = ", ".join(COMMANDS)
        print(f"{prog}: error: no benchmark {name!r}; the benchmarks are {names}{hint}", file=sys.stderr)
        return 2
    return run_module(f"{__package__}.{name}", rest, prog=f"{prog} {name}")
