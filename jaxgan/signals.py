"""Signals that ask a program to stop, noticed where it suits the program."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collects the numbers of SIGINT and SIGTERM meanwhile; a second one does what it always does."""
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)

    def catch(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are somebody else's
            before.update((number, signal.getsignal(number)) for number in numbers)
            for number in numbers:
                signal.signal(number, catch)
        yield caught
    finally:
        restore()
