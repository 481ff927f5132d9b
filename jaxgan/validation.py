"""One way to refuse a setting: name it, say what was found and what is allowed."""

from typing import Any


def require(holds: bool, name: str, value: Any, allowed: str) -> None:
    """Raises ValueError unless the condition holds.

    >>> require(False, "batch_size", 0, ">= 1")
    Traceback (most recent call last):
    ...
    ValueError: batch_size is 0; it must be >= 1
    """
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {allowed}")
