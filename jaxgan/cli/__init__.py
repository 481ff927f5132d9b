"""The command line. This file answers ``jaxgan --help`` without loading JAX; each command has a file."""

import difflib
import importlib
import os
import sys

COMMANDS = {
    "train": "train a model on images, or go on with a run",
    "sweep": "train a model with many settings at once, in one program",
    "sample": "draw images from a trained GAN",
    "translate": "translate images by a trained pix2pix or CycleGAN",
    "evaluate": "measure a trained model on the test images",
    "explain": "draw what the networks of a trained model see",
    "judge": "show images to a person, on a local page: which are real?",
    "stylize": "make the content of one picture in the style of another",
    "weights": "fetch or convert the weights of a trained network",
    "recommend": "name the models that fit data, a device and hours",
    "models": "list the models with their sizes and costs",
    "benchmark": "time steps, ops, data sources and peers",
}

COMPILING = (
    "train",
    "sweep",
    "sample",
    "translate",
    "evaluate",
    "explain",
    "judge",
    "stylize",
    "recommend",
)
"""The commands that run programs on a device."""

USAGE = """usage: jaxgan COMMAND [OPTION ...]

Generative adversarial networks in JAX.

commands:
{commands}

`jaxgan COMMAND --help` says more. To begin: jaxgan train dcgan
"""


def console() -> int:
    """Runs the command of this process, with the compiler set up for it; see `jaxgan.xla`.

    Returns:
        What `main` does.
    """
    if sys.argv[1:2] and sys.argv[1] in COMPILING and "--help" not in sys.argv:
        from jaxgan import xla

        xla.keep_memory()
        xla.configure()
        xla.cache_programs()
    return main()


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: what stands after ``jaxgan``; the process's own arguments by default.

    Returns:
        The exit status: 0, 1 for a run that diverged or stopped on a failure (``--stop-on``), 2 for bad
        input, 128 + N after signal N.
    """
    try:
        status = _main(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has gone, as in `jaxgan models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        commands = "\n".join(f"  {name:<11}{text}" for name, text in COMMANDS.items())
        print(USAGE.format(commands=commands), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    if name == "--version":
        from jaxgan import __version__

        print(f"jaxgan {__version__}")
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        print(
            f"jaxgan: error: no command {name!r}; the commands are {', '.join(COMMANDS)}{hint}",
            file=sys.stderr,
        )
        return 2
    return run_module(f"jaxgan.cli.{name}", rest, prog=f"jaxgan {name}")


def run_module(module: str, arguments: list[str], *, prog: str) -> int:
    """Runs the file of a command; bad input is one sentence, and an interrupt is no traceback.

    Args:
        module: the full name of the file, which has ``run(arguments) -> status``.
        arguments: what it is given.
        prog: how the user called it.

    Returns:
        The exit status: what the file gives, 2 for bad input, 130 after Ctrl-C.
    """
    from jaxgan.validation import InputError

    try:
        status: int = importlib.import_module(module).run(arguments)
    except InputError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return 130
    return status
