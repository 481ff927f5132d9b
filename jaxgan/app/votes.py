"""The file of votes: one JSON object in each line, only ever added to, for any number of sessions."""

import json
from pathlib import Path
from typing import Any

from jaxgan.run_folder import append_line
from jaxgan.validation import InputError

KINDS = {"session": str, "trial": int, "answer": str}
HEAD = '{"session": "'
"""How each line begins; so a line that a killed program left unfinished is known for what it is."""


def append(path: Path, *, session: str, trial: int, answer: str, **more: Any) -> None:
    """Adds a vote; when this returns, the vote is on the disk.

    Args:
        path: the file; it is made when it is not there.
        session: the session.
        trial: the number of the trial, from 1.
        answer: the answer.
        more: what else is to be known of the vote, as JSON can hold it.

    Raises:
        OSError: it cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "votes.jsonl"
    >>> append(path, session="abc", trial=1, answer="real", truth="fake")
    >>> read(path)
    [{'session': 'abc', 'trial': 1, 'answer': 'real', 'truth': 'fake'}]
    """
    append_line(path, {"session": session, "trial": trial, "answer": answer, **more})


def read(path: Path) -> list[dict[str, Any]]:
    """Reads the votes in their order; a file that is not there holds none.

    Lines that a killed program left unfinished are left out.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"--votes {path} is a folder or a device; it must be a file")
    try:
        lines = path.read_text("utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"--votes {path} cannot be read: {error.strerror}") from None
    votes = []
    for number, line in enumerate(lines, start=1):
        vote = _parse(line)
        if vote is not None:
            votes.append(vote)
        elif not HEAD.startswith(line.strip(" \0\r")[: len(HEAD)]):
            raise InputError(f"--votes {path} is no file of votes: its line {number} is {line[:40]!r}")
    return votes


def check_writable(path: Path) -> None:
    """Refuses a file that votes cannot be added to.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise InputError(f"--votes {path} cannot be written: {error.strerror}") from None


def _parse(line: str) -> dict[str, Any] | None:
    try:
        vote = json.loads(line)
    except ValueError:
        return None
    fits = isinstance(vote, dict) and all(type(vote.get(name)) is kind for name, kind in KINDS.items())
    return vote if fits else None
