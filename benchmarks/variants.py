"""Ways to train, by name: each is what stands after ``jaxgan train``, in a small file of TOML.

.. code-block:: toml

    [base]
    dcgan = "--model.slope 0.3"

    [variants]
    baseline = "dcgan"
    ema = "dcgan --model.game.ema-decay 0.999"

The options of ``[base]`` come before those of every variant of that model, and where both name one, the
variant's holds.
"""

import contextlib
import dataclasses
import difflib
import io
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import tyro

from jaxgan import zoo
from jaxgan.cli import options
from jaxgan.settings import Settings, defaults
from jaxgan.validation import InputError

S = TypeVar("S")
SECTIONS = ("base", "variants")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Flags(Generic[S]):
    settings: Annotated[S, tyro.conf.arg(name="")]


class Variant(NamedTuple):
    """A way to train.

    Attributes:
        name: what it is called.
        model: the model of the zoo.
        options: those of ``jaxgan train MODEL`` that make it, the base's among them.
    """

    name: str
    model: str
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What stands after ``jaxgan train``.

        >>> Variant("ema", "dcgan", ("--model.game.ema-decay", "0.999")).command
        'dcgan --model.game.ema-decay 0.999'
        """
        return shlex.join([self.model, *self.options])


def read_table(path: Path) -> dict[str, Variant]:
    """Reads the variants of a file, in their order.

    Raises:
        InputError: no such file, not TOML, or something else than the two sections of texts.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    return parse_table(found, str(path))


def parse_table(found: Mapping[str, Any], source: str) -> dict[str, Variant]:
    """Makes the variants of what a file holds.

    Args:
        found: the sections ``base`` and ``variants``, each of texts by names.
        source: where it is from, for the error.

    Raises:
        InputError: something else. Models and options are looked at when a variant is used.

    >>> parse_table({"base": {"dcgan": "--seed 1"}, "variants": {"two": "dcgan --seed 2"}}, "a.toml")
    {'two': Variant(name='two', model='dcgan', options=('--seed', '1', '--seed', '2'))}
    """
    parts = [found.get(name, {}) for name in SECTIONS]
    texts = all(
        isinstance(part, dict) and all(isinstance(text, str) for text in part.values()) for part in parts
    )
    if not texts or not parts[1] or set(found) - set(SECTIONS):
        raise InputError(
            f"{source} must hold [variants], each a text of what stands after jaxgan train, and perhaps "
            "[base], options by the names of models"
        )
    base, variants = ({name: _split(text, source) for name, text in part.items()} for part in parts)
    return {
        name: Variant(name, words[0], (*base.get(words[0], ()), *words[1:]))
        for name, words in ((name, words or ("",)) for name, words in variants.items())
    }


def _split(text: str, source: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InputError(f"{source}: {text!r} cannot be divided into words: {error}") from None


def choose(table: Mapping[str, Variant], names: Sequence[str]) -> list[Variant]:
    """Gives the variants that were named, each once; all of them where none was.

    Args:
        table: from `read_table`.
        names: single ones or several with commas between them.

    Raises:
        InputError: one that the table does not have.
    """
    wanted = [name.strip() for each in names for name in each.split(",") if name.strip()]
    for name in wanted:
        if name not in table:
            close = difflib.get_close_matches(name, table, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"variant is {name!r}; it must be one of {', '.join(table)}{hint}")
    return [table[name] for name in dict.fromkeys(wanted or table)]


def complete(variant: Variant, given: Mapping[str, Any]) -> tuple[Variant, Settings]:
    """Adds options, which hold where the variant names them too, and reads all as ``jaxgan train`` does.

    Args:
        variant: the variant.
        given: more options by their names, without dashes.

    Returns:
        The variant with all its options, and its settings.

    Raises:
        InputError: there is no such model, or it does not have such options.

    >>> complete(Variant("a", "dcgan"), {"batch-size": 8})[1].batch_size
    8
    """
    more = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    whole = variant._replace(options=(*variant.options, *more))
    return whole, settings_of(whole)


def settings_of(variant: Variant) -> Settings:
    """Reads the options as ``jaxgan train`` does.

    Raises:
        InputError: there is no such model, or it does not have such options.
    """
    model = zoo.get(variant.model)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            flags: _Flags[Settings] = options.parse(
                _Flags, model, list(variant.options), defaults(model), prog="jaxgan train", description=None
            )
    except SystemExit:
        lines = [line.strip("│| ") for line in said.getvalue().splitlines()]
        reason = next((line for line in lines if ": " in line), "these are not its options")
        raise InputError(f"variant {variant.name}: jaxgan train {variant.command}: {reason}") from None
    return flags.settings
