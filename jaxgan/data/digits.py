"""The embedded data set: 1,797 handwritten digits of 8x8 pixels, from scikit-learn."""

import numpy as np

from jaxgan.data.dataset import Dataset, Shape, in_memory, is_held_out


def load(split: str, shape: Shape) -> Dataset:
    """Loads the digits: 1,438 train and 359 test images.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    chosen = is_held_out(len(pixels)) == (split == "test")
    classes = [str(name) for name in found.target_names]
    return in_memory("digits", split, shape, pixels[chosen], found.target[chosen], classes)
