"""Settings as plain data: frozen dataclasses to JSON and back, and where two of them differ."""

import functools
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import cattrs
import cattrs.v

from jaxgan.validation import InputError

T = TypeVar("T")
_PLAIN = (int, float, str, bool)


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Path, str)
    for kind in _PLAIN:
        converter.register_structure_hook(kind, _keep)
    converter.register_structure_hook_func(_is_plain_union, _keep)
    return converter


def _is_plain_union(kind: Any) -> bool:
    allowed = {*_PLAIN, Path, types.NoneType}
    return isinstance(kind, types.UnionType) and allowed.issuperset(kind.__args__)


def _members(kind: Any) -> tuple[Any, ...]:
    return kind.__args__ if isinstance(kind, types.UnionType) else (kind,)


def _keep(value: Any, kind: Any) -> Any:
    """Keeps a plain value as it is; a whole number may stand for a float, and a string for a path."""
    allowed = _members(kind)
    if type(value) is int and int not in allowed and float in allowed:
        return float(value)
    if type(value) is str and Path in allowed:
        return Path(value)
    if type(value) not in allowed:
        raise TypeError(f"{value!r} is not {kind}")
    return value


def to_dict(settings: Any) -> dict[str, Any]:
    """Turns a dataclass of settings into data that JSON can hold.

    >>> from jaxgan.steps import Adam
    >>> to_dict(Adam())["b1"]
    0.9
    """
    data: dict[str, Any] = _converter().unstructure(settings)
    return data


def from_dict(kind: type[T], data: dict[str, Any], source: str) -> T:
    """Turns such data back into settings.

    Args:
        kind: the dataclass.
        data: what `to_dict` made, perhaps read from a file.
        source: where it comes from, for the error.

    Raises:
        InputError: an unknown or missing name, or a value of the wrong type.

    >>> from jaxgan.steps import Adam
    >>> from_dict(Adam, to_dict(Adam(b1=0.5)), "config.json") == Adam(b1=0.5)
    True
    """
    try:
        return _converter().structure(data, kind)
    except Exception as error:  # cattrs raises groups of whatever the values raise
        reasons = "; ".join(cattrs.transform_error(error, format_exception=_reason))
        raise InputError(
            f"{source} does not hold the settings of this version of jaxgan: {reasons}"
        ) from None


def _reason(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, InputError) else cattrs.v.format_exception(error, kind)


def differences(first: Any, second: Any) -> list[str]:
    """Lists the settings that differ, by their dotted names, with both values.

    >>> from jaxgan.steps import Adam
    >>> differences(to_dict(Adam(b1=0.5)), to_dict(Adam()))
    ['b1 (0.5, not 0.9)']
    """
    return list(_differences(first, second, ""))


def _differences(first: Any, second: Any, prefix: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in {**first, **second}:
            yield from _differences(first.get(name), second.get(name), f"{prefix}.{name}" if prefix else name)
    elif first != second:
        yield f"{prefix} ({first!r}, not {second!r})"
