"""``sweep.json``: which members a sweep has, what varies among them, and how they ended."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgan.files import whole
from jaxgan.sweeps.options import Number
from jaxgan.validation import InputError

FILE = "sweep.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One member.

    Attributes:
        name: the name of its folder in that of the sweep.
        values: the values of the options that vary.
        diverged: when and how its numbers were no longer finite, or None.
        step: the step of its scores, or None before.
        scores: its scores by their names, or the last metrics where it was not scored; {} before.
    """

    name: str
    values: dict[str, Number]
    diverged: str | None = None
    step: int | None = None
    scores: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """A sweep.

    Attributes:
        model: the name of its model.
        steps: the steps of each member.
        members: the members.
        protocol: all that decides the scores; {} without any.
    """

    model: str
    steps: int
    members: Sequence[Row]
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)


def write(path: Path, record: Record) -> None:
    """Writes the file into the folder of a sweep, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with whole(path / FILE) as partial:
            partial.write_text(json.dumps(dataclasses.asdict(record), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{path / FILE} cannot be written: {error.strerror}") from None


def read(path: Path) -> Record:
    """Reads the file in the folder of a sweep.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not (path / FILE).is_file():
        found = f"is no sweep: it has no {FILE}" if path.exists() else "does not exist"
        raise InputError(f"{path} {found}; it must be a folder that `jaxgan sweep` made")
    try:
        found = json.loads((path / FILE).read_text("utf-8"))
        rows = [Row(**row) for row in found.pop("members")]
        record = Record(members=rows, **found)
        if not rows or any(Path(row.name).name != row.name for row in rows):
            raise ValueError("its members are no names of folders")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path / FILE} cannot be read: {error}") from None
    return record
