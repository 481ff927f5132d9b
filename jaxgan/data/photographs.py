"""The embedded photographs: two of 427 x 640 pixels, from scikit-learn."""

import numpy as np

from jaxgan.data.images import fit, proportional, to_picture

NAMES = ("china.jpg", "flower.jpg")


def load(name: str, *, longest: int) -> np.ndarray:
    """Loads a photograph: uint8[H, W, 3].

    Args:
        name: one of `NAMES`: a pavilion above a lake, and an orange flower.
        longest: what its longer side, the width, becomes.

    >>> load("china.jpg", longest=64).shape
    (43, 64, 3)
    """
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image(name)
    return fit(to_picture(pixels), proportional(pixels.shape[:2], longest), 3, crop=False)
