"""``jaxgan train MODEL``."""

import dataclasses
import signal
import sys
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import tyro

from jaxgan import progress, runs, zoo
from jaxgan.cli import options
from jaxgan.loop import NonFiniteError
from jaxgan.settings import Settings, defaults

S = TypeVar("S")

USAGE = """usage: jaxgan train MODEL [OPTION ...]

models:
{models}

`jaxgan train MODEL --help` lists the options of a model.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(Generic[S]):
    """The options.

    Attributes:
        out: the folder of the run; runs/MODEL-N, a new one, by default.
        resume: go on with the run in --out from its newest checkpoint, with its settings.
    """

    settings: Annotated[S, tyro.conf.arg(name="")]
    out: Path | None = None
    resume: bool = False


def run(arguments: list[str]) -> int:
    """Trains a model."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE.format(models=options.list_models()), end="")
        return 0 if arguments else 2
    model = zoo.get(arguments[0])
    flags = _parse(model, arguments[1:], defaults(model))
    if flags.resume and flags.out is not None:
        saved = runs.open_run(flags.out)
        if saved.model.name == model.name:
            flags = _parse(model, arguments[1:], dataclasses.replace(saved.settings, steps=None, epochs=None))
    return _train(model, flags)


def _parse(model: zoo.Model, arguments: list[str], settings: Settings) -> Flags[Settings]:
    flags: Flags[Settings] = options.parse(
        Flags, model, arguments, settings, prog="jaxgan train", description=model.module.__doc__
    )
    return flags


def _train(model: zoo.Model, flags: Flags[Settings]) -> int:
    try:
        folder, outcome = runs.train(
            model, flags.settings, out=flags.out, resume=flags.resume, display=progress.display
        )
    except NonFiniteError as error:
        print(f"jaxgan train: error: {error}", file=sys.stderr)
        return 1
    if outcome.finding is not None:
        where = f"after step {outcome.step}; saved in {folder.path}"
        print(f"jaxgan train: error: stopped {where}: {outcome.finding.sentence}", file=sys.stderr)
        print(f"to go on all the same: jaxgan train {model.name} --resume --out {folder.path}")
        return 1
    if outcome.signal is not None:
        name = signal.Signals(outcome.signal).name
        print(f"stopped by {name} after step {outcome.step}; saved in {folder.path}")
        print(f"to go on: jaxgan train {model.name} --resume --out {folder.path}")
        return 128 + outcome.signal
    print(f"trained {model.name} for {outcome.step} steps; the results are in {folder.path}:")
    for path in (
        max(folder.samples.glob("*.png"), default=None),
        folder.curves,
        folder.score_curves,
        folder.metrics_file,
    ):
        if path is not None and path.exists():
            print(f"  {path}")
    return 0
