"""``jaxgan sweep MODEL``."""

import dataclasses
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import tyro

from jaxgan import progress, sweeps, zoo
from jaxgan.cli import options
from jaxgan.keeper import NonFiniteError
from jaxgan.settings import Settings, defaults
from jaxgan.validation import InputError

S = TypeVar("S")

USAGE = """usage: jaxgan sweep MODEL --OPTION VALUES [--OPTION VALUES ...] [OPTION ...]
       jaxgan sweep --resume --out FOLDER

Trains a model with every combination of the values, all members in one program. VALUES are numbers with
commas between them, or a range of whole numbers: --seed 0-3 --learning-rate 1e-4,2e-4 makes eight members.
What may vary is the seed and the numbers that a model keeps in its state: learning rates and the like, and
the weights of penalties, as in --penalties r1:0.1,1:4.
An option may leave out its path: --learning-rate stands for that of every optimiser.

models:
{models}

`jaxgan sweep MODEL --help` lists the options of a model.
"""
GAP = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(Generic[S]):
    """The options.

    Attributes:
        out: the folder of the sweep; runs/MODEL-sweep-N, a new one, by default.
        resume: go on with the sweep in --out from its newest checkpoints, with its settings.
        no_scores: do not score the members at the end. Otherwise a GAN is scored as --scoring says, and a
            classifier on the test images.
    """

    settings: Annotated[S, tyro.conf.arg(name="")]
    out: Path | None = None
    resume: bool = False
    no_scores: bool = False


def run(arguments: list[str]) -> int:
    """Trains the members."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE.format(models=options.list_models()), end="")
        return 0 if arguments else 2
    named = not arguments[0].startswith("--")
    name, rest = (arguments[0], arguments[1:]) if named else (None, arguments)
    try:
        swept = _resume(name, rest) if "--resume" in rest else _sweep(name, rest)
    except NonFiniteError as error:
        print(f"jaxgan sweep: error: {error}", file=sys.stderr)
        return 1
    return _report(swept)


def _sweep(name: str | None, arguments: list[str]) -> sweeps.Swept:
    if name is None:
        raise InputError("name a model first, as in `jaxgan sweep dcgan --seed 0-3`")
    model = zoo.get(name)
    choices, rest = sweeps.split(arguments, defaults(model))
    flags = _parse(model, rest, defaults(model))
    return sweeps.sweep(
        model, flags.settings, choices, out=flags.out, scores=not flags.no_scores, display=progress.display
    )


def _resume(name: str | None, arguments: list[str]) -> sweeps.Swept:
    out = tyro.cli(_Out, args=[part for part in arguments if part != "--resume"], return_unknown_args=True)[
        0
    ].out
    if out is None:
        raise InputError("--resume needs --out, the folder of the sweep to go on with")
    first = sweeps.open_members(out)[0]
    model = first.model
    if name not in (None, model.name):
        raise InputError(f"--out {out} holds a sweep of {model.name}, not of {name}")
    saved = dataclasses.replace(first.settings, steps=None, epochs=None)
    choices, rest = sweeps.split(arguments, saved)
    if choices:
        raise InputError(f"--{choices[0].option}: a sweep is resumed with the members that it has")
    flags = _parse(model, rest, saved)
    return sweeps.resume(out, model, flags.settings, scores=not flags.no_scores, display=progress.display)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Out:
    out: Path | None = None


def _parse(model: zoo.Model, arguments: list[str], settings: Settings) -> Flags[Settings]:
    description = f"{USAGE.partition('models:')[0]}\n{model.module.__doc__}"
    flags: Flags[Settings] = options.parse(
        Flags, model, arguments, settings, prog="jaxgan sweep", description=description
    )
    return flags


def _report(swept: sweeps.Swept) -> int:
    record, outcome = swept.record, swept.outcome
    if outcome.signal is not None:
        name = signal.Signals(outcome.signal).name
        print(f"stopped by {name} after step {outcome.step}; every member is saved in {swept.path}")
        print(f"to go on: jaxgan sweep --resume --out {swept.path}")
        return 128 + outcome.signal
    print(f"trained {len(record.members)} members of {record.model} for {outcome.step} steps:")
    for line in table(record.members):
        print(line)
    if record.protocol:
        drawn = record.protocol.get("samples")
        print(
            f"scores {'' if drawn is None else f'of {drawn} samples '}against {record.protocol['real']} "
            f"{record.protocol['split']} images of {record.protocol['data']}"
        )
    print(f"each member is a run of its own in {swept.path}:")
    for found in (swept.path / sweeps.PICTURE, swept.path / "sweep.json"):
        if found.exists():
            print(f"  {found}")
    print(f"  such as {swept.path / record.members[0].name}, for jaxgan sample, evaluate, train --resume")
    return 0


def table(rows: Sequence[sweeps.Row]) -> list[str]:
    r"""Puts the scores of all members side by side, a line for each.

    >>> rows = [sweeps.Row(name="seed-0", values={"seed": 0}, scores={"fid_cnn": 12.5, "kid_cnn": 1250.25})]
    >>> rows += [sweeps.Row(name="seed-1", values={"seed": 1}, diverged="at step 3 loss is nan")]
    >>> print(*table(rows), sep="\n")
              fid     kid
      seed    cnn     cnn
         0  12.50  1250.2
         1  diverged: at step 3 loss is nan
    """
    options = list(rows[0].values)
    names = list(dict.fromkeys(name for row in rows for name in row.scores if "_std" not in name))
    heads = [name.replace("_", "-").split("-") for name in (*options, *names)]
    cells = [
        [*(f"{row.values[name]:g}" for name in options), *(_number(row.scores.get(name)) for name in names)]
        for row in rows
    ]
    height = max(map(len, heads))
    heads = [[""] * (height - len(words)) + words for words in heads]
    columns = zip(heads, *cells, strict=True)
    widths = [max(map(len, (*column[0], *column[1:]))) for column in columns]
    lines = [_line([words[place] for words in heads], widths) for place in range(height)]
    for row, line in zip(rows, cells, strict=True):
        own = len(options)
        end = f"  diverged: {row.diverged}"
        lines.append(_line(line[:own], widths[:own]) + end if row.diverged else _line(line, widths))
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{'':{GAP}}{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _number(value: float | None) -> str:
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return format(value, ".1f" if abs(value) >= 100 else "#.4g" if abs(value) >= 1 else ".4f")
