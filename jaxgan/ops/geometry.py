"""Windows, strides and paddings: reading what a caller gave, with one clear error for what is off."""

from collections.abc import Sequence

Pair = int | tuple[int, int]
Padding = str | Sequence[tuple[int, int]]


def as_pair(name: str, value: Pair) -> tuple[int, int]:
    """Reads one positive number, or one for each of the two sides.

    >>> as_pair("stride", 2)
    (2, 2)
    """
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(side, int) or side < 1 for side in pair):
        raise ValueError(f"{name} is {value!r}; it must be an integer >= 1 or two of them")
    return pair


def as_padding(padding: Padding) -> str | tuple[tuple[int, int], tuple[int, int]]:
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
