"""What a compiled program does, read from the text of its HLO: collectives and custom calls."""

import dataclasses
import math
import re
from collections.abc import Iterator

KINDS = (
    "all-gather",
    "all-reduce",
    "all-to-all",
    "collective-broadcast",
    "collective-permute",
    "ragged-all-to-all",
    "reduce-scatter",
)
"""The operations by which devices exchange arrays."""

_INSTRUCTION = re.compile(
    r"^\s*(?:ROOT )?%?(?P<name>[\w.-]+) = (?P<shape>.+?) (?P<operation>[a-z][\w-]*)\((?P<rest>.*)$"
)
_ATTRIBUTES = re.compile(r"\), [a-z_]+=")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True)
class Traffic:
    """The collectives of one kind in a program.

    Attributes:
        count: how many there are.
        bytes: what one device hands to them, without the padding that a device's layout may add.
    """

    count: int
    bytes: int


def count_collectives(hlo: str) -> dict[str, Traffic]:
    """Counts the collectives of a program by kind.

    The body of a loop counts once, and so does every branch of a conditional. A collective that is
    started and awaited in two instructions counts where it is started.

    Args:
        hlo: the text, as from ``compiled.as_text()``.

    Returns:
        The kinds that occur, in the order of `KINDS`.

    >>> count_collectives('''
    ...   %sum = f32[4,8]{1,0} add(%a, %b)
    ...   %all-reduce.1 = f32[4,8]{1,0} all-reduce(%sum), replica_groups={}, to_apply=%add
    ... ''')
    {'all-reduce': Traffic(count=1, bytes=128)}
    """
    sizes: dict[str, int] = {}
    found: list[tuple[str, list[str]]] = []
    for instruction in _instructions(hlo):
        sizes[instruction["name"]] = _bytes(instruction["shape"])
        kind = instruction["operation"].removesuffix("-start")
        if kind in KINDS:
            operands = _ATTRIBUTES.split(instruction["rest"], maxsplit=1)[0]
            found.append((kind, re.findall(r"%([\w.-]+)", operands)))
    return {
        kind: Traffic(
            count=sum(other == kind for other, _ in found),
            bytes=sum(sizes[name] for other, names in found if other == kind for name in names),
        )
        for kind in KINDS
        if any(other == kind for other, _ in found)
    }


def count_custom_calls(hlo: str) -> int:
    """Counts the custom calls of a program: what the compiler does not look into.

    >>> count_custom_calls('%c = f32[8]{0} custom-call(%a, %b), custom_call_target="ConcatBitcast"')
    1
    """
    return sum(instruction["operation"] == "custom-call" for instruction in _instructions(hlo))


def _instructions(hlo: str) -> Iterator[re.Match[str]]:
    return (match for line in hlo.splitlines() if (match := _INSTRUCTION.match(line)))


def _bytes(shape: str) -> int:
    """The size of an array or of a tuple of arrays: ``bf16[2,3]{1,0}`` takes 12 bytes."""
    total = 0
    for dtype, sides in _ARRAY.findall(shape):
        width = re.search(r"\d+", dtype)
        bits = 8 if dtype == "pred" else int(width[0]) if width else 0  # a token has no size
        total += math.ceil(bits * math.prod(int(side) for side in sides.split(",") if side) / 8)
    return total
