"""What this device reaches: a few convolutions by default, a model's own step where asked for."""

import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import ops, parallel, zoo
from jaxgan.cost import forward_flops
from jaxgan.recommend import devices
from jaxgan.recommend.candidates import Fitted
from jaxgan.recommend.rules import Device
from jaxgan.typing import Array

REPEATS = 7
LONGEST = 5.0
"""The seconds after which no more runs are timed."""
BATCH, SIZES = 64, ((28, 28), (14, 14))
CHANNELS = (64, 128)


def here() -> Device:
    """Measures this device, in a few seconds.

    What is timed is the gradient of two strided 4x4 convolutions, as the discriminator of the DCGAN has them.
    A GPU is taken to need as long for its smallest step as the H100.
    """
    first = jax.devices()[0]
    images = jnp.ones((BATCH, 28, 28, CHANNELS[0]))
    kernels = [jnp.full((4, 4, CHANNELS[0], CHANNELS[1]), 0.01), jnp.full((4, 4, *CHANNELS[::-1]), 0.01)]
    work = jax.value_and_grad(_convolve, argnums=(0, 1))
    program = parallel.compile_function(work)
    seconds = median_seconds(lambda: program(images, kernels))
    reached = forward_flops(work, images, kernels) / seconds
    name = first.device_kind if first.platform != "cpu" else f"this machine's CPU, {_cores()} cores"
    least = devices.BASES["h100"].least_seconds if first.platform == "gpu" else 0.0
    source = f"measured: {reached / 1e9:,.0f} GFLOP/s in two convolutions and their gradients"
    return Device(name, reached, least, _memory(first), source)


def _convolve(images: Array, kernels: list[Array]) -> Array:
    for kernel in kernels:
        images = ops.leaky_relu(ops.conv2d(images, kernel, stride=2), slope=0.2)
    return images.mean()


def time_step(fitted: Fitted) -> float:
    """Times the step of a model on this device: the median of a few, after one that does not count."""
    trainable = fitted.model.build(fitted.config)
    layout = parallel.layout("jit", jax.devices()[:1])
    key = layout.put_state(jax.random.key(0))
    state = layout.put_state(parallel.compile_once(trainable.init)(jax.random.key(0)))
    batch = layout.put_batch(_random_batch(fitted))
    step = layout.compile(trainable.step)

    def once() -> Any:
        nonlocal state
        state, metrics = step(state, batch, key)
        return metrics

    return median_seconds(once)


def median_seconds(run: Callable[[], Any]) -> float:
    """The median time of a few runs, after one that does not count.

    >>> median_seconds(lambda: None) < 1
    True
    """
    jax.block_until_ready(run())
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONGEST:
        began = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _random_batch(fitted: Fitted) -> dict[str, np.ndarray]:
    random, (low, high) = np.random.default_rng(0), fitted.config.value_range
    classes = getattr(fitted.config, "num_classes", None) or 1
    return {
        name: random.integers(0, classes, leaf.shape).astype(np.int32)
        if name == "label"
        else random.uniform(low, high, leaf.shape).astype(np.float32)
        for name, leaf in zoo.abstract_batch(fitted.config, fitted.candidate.batch_size).items()
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory(device: Any) -> int | None:
    """The bytes of a device, or of the machine; None where nothing says."""
    if device.platform == "cpu":
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):
            return None
    found = device.memory_stats() or {}
    return found.get("bytes_limit")
