"""One way to refuse what a user gave: name it, say what was found and what is allowed."""

from typing import Any


class InputError(ValueError):
    """Something given from outside cannot be used: a setting, a file, a folder.

    The message names it, says what was found and what is allowed, and reads well on its own: the
    command line prints nothing else.
    """


def require(holds: bool, name: str, value: Any, allowed: str) -> None:
    """Raises InputError unless the condition holds.

    >>> require(False, "batch_size", 0, ">= 1")
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: batch_size is 0; it must be >= 1
    """
    if not holds:
        raise InputError(f"{name} is {value!r}; it must be {allowed}")
