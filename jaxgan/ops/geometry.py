"""Windows, strides and paddings: reading what a caller gave, with one clear error for what is off."""

from collections.abc import Sequence
from typing import NamedTuple

Pair = int | tuple[int, int]
Pads = tuple[tuple[int, int], tuple[int, int]]
Padding = str | Sequence[tuple[int, int]]


class Geometry(NamedTuple):
    """What a convolution does along the sides of an image.

    Attributes:
        image: (H, W).
        window: (P, Q), the sides of the kernel.
        strides: the steps between windows.
        pads: the zeros before and after each side; negative ones cut.
        dilations: the distances between the taps of the kernel.
        groups: the number of channel groups.
    """

    image: tuple[int, int]
    window: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: Pads = ((0, 0), (0, 0))
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def output(self) -> tuple[int, int]:
        """(h, w).

        >>> Geometry(image=(5, 4), window=(2, 2), strides=(2, 2)).output
        (2, 2)
        """
        height, width = (
            max(0, (self.image[i] + sum(self.pads[i]) - self.reach(i) - 1) // self.strides[i] + 1)
            for i in (0, 1)
        )
        return height, width

    @property
    def transposed(self) -> "Geometry":
        """What goes back from outputs to an image, with the kernel turned by 180 degrees; for strides of 1.

        >>> Geometry(image=(5, 5), window=(3, 3)).transposed.pads
        ((2, 2), (2, 2))
        """
        before = [self.reach(axis) - self.pads[axis][0] for axis in (0, 1)]
        after = [self.image[i] - self.output[i] + self.reach(i) - before[i] for i in (0, 1)]
        return self._replace(image=self.output, pads=((before[0], after[0]), (before[1], after[1])))

    def reach(self, axis: int) -> int:
        """How far the dilated kernel extends beyond its first tap."""
        return (self.window[axis] - 1) * self.dilations[axis]


def as_pair(name: str, value: Pair) -> tuple[int, int]:
    """Reads one positive number, or one for each of the two sides.

    >>> as_pair("stride", 2)
    (2, 2)
    """
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(side, int) or side < 1 for side in pair):
        raise ValueError(f"{name} is {value!r}; it must be an integer >= 1 or two of them")
    return pair


def as_padding(padding: Padding) -> str | Pads:
    """Reads ``"SAME"``, ``"VALID"`` or explicit ``((top, bottom), (left, right))``.

    >>> as_padding("same")
    'SAME'
    """
    if isinstance(padding, str):
        if padding.upper() not in ("SAME", "VALID"):
            raise ValueError(f"padding is {padding!r}; it must be 'SAME', 'VALID' or two pairs")
        return padding.upper()
    pairs = tuple(tuple(side) for side in padding)
    if len(pairs) != 2 or any(len(side) != 2 for side in pairs):
        raise ValueError(f"padding is {padding!r}; it must be 'SAME', 'VALID' or two pairs")
    return pairs  # type: ignore[return-value]


def require_images(x_shape: tuple[int, ...], name: str = "x") -> None:
    """Raises ValueError unless the shape is that of a batch of images, [N, H, W, C]."""
    if len(x_shape) != 4:
        raise ValueError(f"{name} has shape {x_shape}; images are [N, H, W, C]")
