"""Health: what the numbers of a run say when it goes wrong, as arithmetic over what it logs and draws."""

from jaxgan.health.metrics import BEGINNING, Lines, examine_lines, most_lines
from jaxgan.health.records import ADVICE, KINDS, Finding, Health, parse_kinds
from jaxgan.health.samples import (
    FEWEST,
    Shares,
    Spread,
    examine_shares,
    examine_spreads,
    shares,
    spread,
)

__all__ = [
    "ADVICE",
    "BEGINNING",
    "FEWEST",
    "KINDS",
    "Finding",
    "Health",
    "Lines",
    "Shares",
    "Spread",
    "examine_lines",
    "examine_shares",
    "examine_spreads",
    "most_lines",
    "parse_kinds",
    "shares",
    "spread",
]
