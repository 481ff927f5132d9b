"""Sweeps: a model trained with many settings at once, all members in one compiled program."""

from jaxgan.sweeps.options import Choice, combine, split
from jaxgan.sweeps.record import Record, Row
from jaxgan.sweeps.training import PICTURE, Swept, open_members, resume, sweep

__all__ = [
    "PICTURE",
    "Choice",
    "Record",
    "Row",
    "Swept",
    "combine",
    "open_members",
    "resume",
    "split",
    "sweep",
]
