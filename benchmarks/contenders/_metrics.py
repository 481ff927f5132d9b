"""The work of the metrics, in numbers: features, images and weights that need nothing but NumPy.

The peers must run where jaxgan is not installed, and all of them see the same features and images.
"""

import math
from collections.abc import Sequence
from typing import Any

SIDE = 299
"""The height and width of the images that Inception takes."""


def features(samples: int, size: int) -> tuple[Any, Any]:
    """Makes two sets of features f32[samples, size] with correlated columns, some much wider than others.

    >>> real, fake = features(50, 3)
    >>> real.shape, fake.dtype.name
    ((50, 3), 'float32')
    """
    import numpy as np

    generator = np.random.default_rng(0)
    widths = np.geomspace(1, 0.01, size, dtype=np.float32)
    mixing = generator.standard_normal((size, size), np.float32) * widths[:, None] / math.sqrt(size)
    real, fake = (generator.standard_normal((samples, size), np.float32) @ mixing for _ in range(2))
    return real, np.float32(1.1) * fake + np.float32(0.05)


def pixels(count: int) -> Any:
    """Makes random images uint8[count, 299, 299, 3]."""
    import numpy as np

    return np.random.default_rng(0).integers(256, size=(count, SIDE, SIDE, 3), dtype=np.uint8)


def weight(generator: Any, shape: Sequence[int], fan_in: int | None = None) -> Any:
    """Draws a kernel that keeps the size of activations before a ReLU, or without ``fan_in`` a small bias.

    So no activation falls to where arithmetic is slow, or grows to where it ends.
    """
    import numpy as np

    scale = math.sqrt(2 / fan_in) if fan_in else 0.1
    return generator.standard_normal(tuple(shape), np.float32) * np.float32(scale)


def check_features(found: Any, count: int) -> None:
    """Refuses features of Inception whose time would say nothing: too few, not finite, or next to nothing.

    >>> import numpy as np
    >>> check_features(np.zeros((2, 2048)), 2)
    Traceback (most recent call last):
    ...
    ValueError: the features are (2, 2048), from 0 to 0; the work asks for (2, 2048), finite and not all small
    """
    import numpy as np

    most = np.abs(found).max()
    if found.shape != (count, 2048) or not 1e-3 < most < math.inf:
        raise ValueError(
            f"the features are {found.shape}, from {found.min():g} to {found.max():g}; "
            f"the work asks for ({count}, 2048), finite and not all small"
        )
