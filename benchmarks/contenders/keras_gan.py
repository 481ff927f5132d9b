"""The DCGAN of the Keras and TensorFlow tutorials, trained on images and sampled: Keras 3 on TensorFlow.

Networks and update are those that ``keras_tensorflow`` times: one ``tf.function``, no moving average of the
weights. The images come shuffled anew in each pass over them, as jaxgan's do.

Options of a case: ``images``, an archive with uint8[N, 28, 28, 1] under that name; ``steps``; ``seed``;
``samples``, how many images are drawn in the end, and ``to``, the archive that they are written to as
f32[N, 28, 28, 1] in [-1, 1], under the name ``images``.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .keras_tensorflow import PACKAGES, start, update_of

__all__ = ["PACKAGES", "WORKS", "batches", "prepare"]

WORKS = ("dcgan",)
DRAWN = 250
"""The images that are drawn at once."""


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the networks; the one step that `benchmarks.worker` then times is the whole training."""
    begin = time.perf_counter()
    from . import _keras as on_keras
    from . import _work as work

    options = case["options"]
    start(case, work, seed=options["seed"])
    import numpy as np
    import tensorflow as tf

    with np.load(options["images"], allow_pickle=False) as archive:
        images = archive["images"]
    players = on_keras.players(work, work.sizes(case))
    update = tf.function(update_of(players, case["batch_size"], work, on_keras))
    stream = batches(images, case["batch_size"], options["seed"])
    seconds = []

    def train() -> None:
        for _ in range(options["steps"]):
            began = time.perf_counter()
            update({"image": tf.constant(next(stream))})
            tf.test.experimental.sync_devices()
            seconds.append(time.perf_counter() - began)

    def sample() -> dict[str, float]:
        np.savez(options["to"], images=_draw(players["generator"], options["samples"], work))
        return {"step_seconds": statistics.median(seconds)}

    return {
        "step": train,
        "after": sample,
        "images": options["steps"] * case["batch_size"],
        "phases": {"load": time.perf_counter() - begin},
        "versions": work.versions("tensorflow", "keras"),
    }


def batches(images: Any, batch_size: int, seed: int) -> Iterator[Any]:
    """Gives batches without end: each image once in each pass, and a batch may lie in two passes.

    Args:
        images: uint8[N, H, W, C].
        batch_size: n, at most N.
        seed: of the order.

    Yields:
        f32[n, H, W, C] in [-1, 1].
    """
    import numpy as np

    random = np.random.default_rng(seed)
    left = np.empty(0, np.int64)
    while True:
        if len(left) < batch_size:
            left = np.concatenate([left, random.permutation(len(images))])
        chosen, left = left[:batch_size], left[batch_size:]
        yield images[chosen].astype(np.float32) / 127.5 - 1


def _draw(generator: Any, count: int, work: Any) -> Any:
    """Draws images as a generator does that is no longer trained: f32[N, 28, 28, 1]."""
    import numpy as np
    import tensorflow as tf

    draw = tf.function(lambda latents: generator(latents, training=False))
    latents = np.random.default_rng(0).standard_normal((-(-count // DRAWN) * DRAWN, work.LATENT_SIZE))
    parts = np.split(latents.astype(np.float32), len(latents) // DRAWN)
    return np.concatenate([draw(tf.constant(part)).numpy() for part in parts])[:count]
