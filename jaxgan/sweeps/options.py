"""Which settings a sweep varies: options with several values, read off the arguments of a command."""

import dataclasses
import itertools
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxgan import penalties
from jaxgan.settings import Settings
from jaxgan.validation import InputError

Number = int | float

MOST = 4096
"""More members than this are a slip of the finger."""
PENALTIES = "penalties"
ALLOWED = "numbers with commas between them, or a range of whole numbers such as 0-3"
NOTHING_VARIES = (
    "a sweep needs an option with several values, such as --seed 0-3 or --learning-rate 1e-4,2e-4"
)


class Choice(NamedTuple):
    """An option with several values.

    Attributes:
        option: its name, as it was given: ``learning-rate``, say.
        fields: the settings that it stands for, by their dotted names.
        texts: the values as they were given.
        values: the values.
    """

    option: str
    fields: tuple[str, ...]
    texts: tuple[str, ...]
    values: tuple[Number, ...]


class Variant(NamedTuple):
    """One combination of values.

    Attributes:
        name: the name of its folder, such as ``seed-0_learning-rate-1e-4``.
        values: the values by the options.
        settings: the settings with these values.
    """

    name: str
    values: dict[str, Number]
    settings: Settings


def numbers(settings: Any, prefix: str = "") -> dict[str, type]:
    """Lists the settings that take one number, by their dotted names, each with int or float.

    The weight of a penalty is one of them, whether the game has that penalty or not.

    >>> from jaxgan import zoo
    >>> from jaxgan.settings import defaults
    >>> found = numbers(defaults(zoo.get("cnn")))
    >>> found["seed"], found["model.optimizer.learning-rate"]
    (<class 'int'>, <class 'float'>)
    """
    found: dict[str, type] = {}
    hints = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        name, value = f"{prefix}{field.name.replace('_', '-')}", getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            found |= numbers(value, f"{name}.")
            continue
        if field.name == PENALTIES:
            found |= {f"{name}.{penalty.replace('_', '-')}": float for penalty in penalties.PENALTIES}
            continue
        hint = hints[field.name]
        kinds = set(hint.__args__ if isinstance(hint, types.UnionType) else (hint,)) - {types.NoneType}
        if kinds in ({int}, {float}):
            found[name] = kinds.pop()
    return found


def split(arguments: Sequence[str], settings: Settings) -> tuple[list[Choice], list[str]]:
    """Takes the options with several values out of the arguments of a command.

    An option may leave out its path: ``--learning-rate`` stands for that of every optimiser. A penalty with
    several weights, as in ``--penalties r1:0.1,1:4``, is an option with the name of the penalty.

    Args:
        arguments: what stands after the name of the model.
        settings: settings of the model, for the names.

    Returns:
        The options with several values, and the other arguments, in which no path is left out.

    Raises:
        InputError: several values that are no numbers, or an option given twice.

    >>> from jaxgan import zoo
    >>> from jaxgan.settings import defaults
    >>> choices, rest = split(["--seed", "0-2", "--learning-rate=0.1"], defaults(zoo.get("cnn")))
    >>> choices[0].values, rest
    ((0, 1, 2), ['--model.optimizer.learning-rate', '0.1'])
    """
    known = numbers(settings)
    choices: list[Choice] = []
    rest: list[str] = []
    given: list[str] = []
    for argument, text, used in _pairs(list(_name_weights(arguments, known))):
        option = argument.removeprefix("--").replace("_", "-")
        fields = (option,) if option in known else tuple(n for n in known if n.endswith(f".{option}"))
        if text is None or not fields:
            rest += used
            continue
        if twice := [field for field in fields if field in given]:
            raise InputError(f"--{option}: {twice[0]} is given twice; give it once, with all its values")
        given += fields
        if _is_number(text):
            rest += [part for field in fields for part in (f"--{field}", text)]
        else:
            choices.append(Choice(option, fields, *_read(option, text, {known[field] for field in fields})))
    return choices, rest


def _name_weights(arguments: Sequence[str], known: Iterable[str]) -> Iterator[str]:
    """Spells out the option of penalties; those with several weights keep the first, all follow by name.

    >>> known = ["model.game.penalties.r1"]
    >>> list(_name_weights(["--penalties", "r1:0.1,1:4"], known))
    ['--model.game.penalties', 'r1:0.1:4', '--r1', '0.1,1']
    """
    settings = {name.rpartition(".")[0] for name in known if f".{PENALTIES}." in name}
    inside, weights = False, list[str]()
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not argument.startswith("--"):
            text = argument
        elif spelt := [each for each in settings if f".{each}".endswith(f".{name[2:]}")]:
            inside = True
            yield f"--{spelt[0]}"
            if not equals:
                continue
        else:
            inside, text = False, argument
        penalty, *numbers_of = text.split(":")
        if inside and penalty in penalties.PENALTIES and numbers_of and "," in numbers_of[0]:
            weights += [f"--{penalty}", numbers_of[0]]
            text = ":".join([penalty, numbers_of[0].split(",")[0], *numbers_of[1:]])
        yield text
    yield from weights


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str | None, list[str]]]:
    """Gives each option with its value, if it has one, and the arguments that both are."""
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        name, equals, text = argument.partition("=")
        following = arguments[place + 1 : place + 2]
        if not argument.startswith("--") or argument == "--":
            yield "", None, [argument]
        elif equals:
            yield name, text, [argument]
        elif following and not following[0].startswith("--"):
            yield name, following[0], [argument, *following]
            place += 1
        else:
            yield name, None, [argument]
        place += 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() == "none"
    return True


def _read(option: str, text: str, kinds: set[type]) -> tuple[tuple[str, ...], tuple[Number, ...]]:
    texts: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if (found := re.fullmatch(r"(\d{1,10})-(\d{1,10})", part)) and kinds == {int}:
            first, last = int(found[1]), int(found[2])
            if last - first >= MOST:
                raise InputError(f"--{option} is {text!r}; a sweep has at most {MOST} members")
            texts += [str(number) for number in range(first, last + 1)]
        elif _is_number(part) and part.lower() != "none":
            texts.append(part)
        else:
            whole = "" if kinds == {int} else "; only whole numbers have ranges" if found else ""
            raise InputError(f"--{option} is {text!r}; it must be {ALLOWED}{whole}")
    try:
        values = tuple(int(text) if kinds == {int} else float(text) for text in texts)
    except ValueError:
        raise InputError(f"--{option} is {text!r}; it must be whole numbers") from None
    return tuple(texts), values


def combine(settings: Settings, choices: Sequence[Choice]) -> list[Variant]:
    """Makes the product of all values.

    Args:
        settings: those that all variants share.
        choices: the options with several values.

    Raises:
        InputError: no variant, too many, two that are the same, or a value that is not allowed.

    >>> from jaxgan import zoo
    >>> from jaxgan.settings import defaults
    >>> settings = defaults(zoo.get("cnn"))
    >>> choices, _ = split(["--seed", "0-1", "--learning-rate", "1e-3,2e-3"], settings)
    >>> [variant.name for variant in combine(settings, choices)][:2]
    ['seed-0_learning-rate-1e-3', 'seed-0_learning-rate-2e-3']
    """
    if not choices:
        raise InputError(NOTHING_VARIES)
    for choice in choices:
        if not choice.values:
            raise InputError(f"--{choice.option} has no value, which makes a sweep of zero members")
    count = math.prod(len(choice.values) for choice in choices)
    if count > MOST:
        raise InputError(f"the values make {count} members; a sweep has at most {MOST}")
    found: dict[tuple[Number, ...], str] = {}
    variants = []
    for picked in itertools.product(*(zip(c.texts, c.values, strict=True) for c in choices)):
        values = tuple(value for _, value in picked)
        pairs = zip(choices, picked, strict=True)
        name = "_".join(f"{c.option.removeprefix('model.')}-{text}" for c, (text, _) in pairs)
        if values in found:
            raise InputError(f"the members {found[values]} and {name} are the same; give each value once")
        found[values] = name
        chosen = dict(zip([choice.option for choice in choices], values, strict=True))
        variants.append(Variant(name, chosen, _changed(settings, choices, values)))
    return variants


def _changed(settings: Settings, choices: Sequence[Choice], values: Sequence[Number]) -> Settings:
    for choice, value in zip(choices, values, strict=True):
        for field in choice.fields:
            settings = _set(settings, field.replace("-", "_").split("."), value)
    return settings


def _set(settings: Any, path: Sequence[str], value: Number) -> Any:
    first, *others = path
    if isinstance(settings, tuple):
        return penalties.reweight(settings, first, value)
    new = _set(getattr(settings, first), others, value) if others else value
    return dataclasses.replace(settings, **{first: new})
