"""An epoch of a classifier by the loop of the command line: data, steps, metrics and checkpoints."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import data, parallel
from jaxgan.data.dataset import Shape, in_memory
from jaxgan.loop import fit
from jaxgan.run_folder import RunFolder
from jaxgan.typing import Trainable

ALONE = 200
"""The steps that are timed by themselves, on one batch that stays on the device."""


def prepare(case: dict[str, Any], model: Any, config: Any, phases: dict[str, Any]) -> dict[str, Any]:
    """Compiles the step and takes the first one.

    Args:
        case: with the option ``images``, those of an epoch.
        model: the `jaxgan.zoo.Model`.
        config: its settings.
        phases: seconds so far, by name.

    Returns:
        What `benchmarks.worker` needs to time epochs. Among the figures, ``step_seconds`` is the median time
        of a step alone.
    """
    import jax

    images, batch_size = int(case["options"]["images"]), case["batch_size"]
    dataset = random_images(config, images)
    trainable = model.build(config)

    def epoch(steps: int = images // batch_size) -> None:
        batches = data.batches(dataset, batch_size=batch_size, seed=0, value_range=config.value_range)
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder(Path(folder))
            outcome = fit(trainable, batches, key=jax.random.key(0), steps=steps, folder=run)
        jax.block_until_ready(outcome.state)

    began = time.perf_counter()
    epoch(steps=1)
    phases["first"] = time.perf_counter() - began
    arrays = dataset.read(np.arange(batch_size))
    arrays["image"] = data.to_range(arrays["image"], config.value_range)
    figures = {"step_seconds": _time_alone(trainable, arrays)}
    return {"step": epoch, "images": images, "phases": phases, "figures": figures}


def random_images(config: Any, count: int) -> data.Dataset:
    """Makes labelled images of the shape that a classifier takes, in memory as bytes."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(256, size=(count, *config.image_shape), dtype=np.uint8)
    labels = generator.integers(config.num_classes, size=count)
    classes = [str(number) for number in range(config.num_classes)]
    shape = Shape(image_size=config.image_size, channels=config.channels)
    return in_memory("random", "train", shape, pixels, labels, classes)


def _time_alone(trainable: Trainable, arrays: dict[str, np.ndarray]) -> float:
    """Gives the median seconds of the compiled step, without data, metrics and checkpoints."""
    import jax

    layout = parallel.layout()
    step, key = layout.compile(trainable.step), layout.put_state(jax.random.key(0))
    state = layout.put_state(parallel.compile_once(trainable.init)(key))
    batch = layout.put_batch(arrays)
    seconds = []
    for _ in range(ALONE):
        began = time.perf_counter()
        state, metrics = step(state, batch, key)
        jax.block_until_ready((state, metrics))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))
