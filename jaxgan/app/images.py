"""The images of a session: fetched from the data and the runs, and turned into what a page can hold."""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.app.judging import Picture, Trial

Source = Callable[[np.ndarray], np.ndarray]
"""``int64[n] -> uint8[n, H, W, C]``: the images with these numbers."""
SIDE = 336
"""Images smaller than this, in pixels of a page, are enlarged by whole factors."""


class Shown(NamedTuple):
    """An image as a page shows it.

    Attributes:
        url: the image itself.
        height: in pixels of the page.
        width: in pixels of the page.
        enlarged: whether each pixel of the image is several of the page.
    """

    url: str
    height: int
    width: int
    enlarged: bool


def fetch(trials: Iterable[Trial], sources: Mapping[str, Source]) -> dict[Picture, np.ndarray]:
    """Gets all images of the trials, those of one source at once.

    Args:
        trials: the trials.
        sources: how to get images, by the names of the sources.

    Returns:
        uint8[H, W, C] for each picture.

    >>> double = lambda numbers: np.full((1, 2, 2, 1), 2 * numbers[0], np.uint8)
    >>> fetch([Trial((Picture("a", 3),), "fake")], {"a": double})[Picture("a", 3)].max()
    np.uint8(6)
    """
    shown = sorted({picture for trial in trials for picture in trial.pictures})
    found: dict[Picture, np.ndarray] = {}
    for name, source in sources.items():
        wanted = [picture for picture in shown if picture.source == name]
        if wanted:
            found |= zip(wanted, source(np.array([picture.number for picture in wanted])), strict=True)
    return found


def data_url(pixels: np.ndarray) -> str:
    """Writes an image as a URL that holds it as PNG.

    It is not compressed, so that all images of one shape are equally long: a drawn image is often harder to
    compress than a real one.

    Args:
        pixels: uint8[H, W, C], C 1 or 3.

    >>> len(data_url(np.zeros((4, 4, 1), np.uint8))) == len(data_url(np.eye(4, dtype=np.uint8)[..., None]))
    True
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(file, format="PNG", compress_level=0)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def shown(images: Sequence[np.ndarray]) -> list[Shown]:
    """Lays out the images of one page, all equally high.

    Args:
        images: uint8[H, W, C] each.

    >>> [(image.height, image.width) for image in shown([np.zeros((28, 28, 1), np.uint8)])]
    [(336, 336)]
    >>> few, many = np.zeros((8, 8, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)
    >>> [(image.height, image.width) for image in shown([few, many])]
    [(336, 336), (336, 672)]
    """
    height = max(image.shape[0] * max(1, SIDE // max(image.shape[:2])) for image in images)
    return [
        Shown(
            data_url(image),
            height,
            round(height * image.shape[1] / image.shape[0]),
            height >= 2 * image.shape[0],
        )
        for image in images
    ]
