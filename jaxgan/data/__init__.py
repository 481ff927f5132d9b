"""Images from files to batches: one function, `load`, behind which every source stands.

>>> images = load("digits", "test", image_size=(28, 28), channels=1)
>>> len(images), images.image_shape, images.classes[3]
(359, (28, 28, 1), '3')
"""

from jaxgan.data.augment import Augment
from jaxgan.data.batches import Batches, batches, in_order, read_scaled, to_range
from jaxgan.data.dataset import Dataset, digest, in_chunks, require_domains, require_labels
from jaxgan.data.domains import swap, union
from jaxgan.data.load import load

__all__ = [
    "Augment",
    "Batches",
    "Dataset",
    "batches",
    "digest",
    "in_chunks",
    "in_order",
    "load",
    "read_scaled",
    "require_domains",
    "require_labels",
    "swap",
    "to_range",
    "union",
]
