"""The analytic work of a training step, or of Inception: counted from jaxgan's own, whoever does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import cost, zoo
from jaxgan.classifiers import inception

from .contenders import jaxgan as ours
from .records import Case


def of_sample(case: Case) -> float:
    """Counts the FLOPs of one sample of a case: of all its steps and members together.

    The conventions are those of `jaxgan.cost.forward_flops`, in float32, and as the CPU's forms of the ops
    have it, so that the count is the same for every device.

    Raises:
        InputError: an unknown model, or an option or batch that it does not take.

    >>> of_sample(Case(suite="step", contender="jaxgan", work="cnn", batch_size=1)) > 1e6
    True
    """
    model, config = ours.configuration(case.work, case.options)
    trainable = model.build(config)
    batch = zoo.abstract_batch(config, case.batch_size)
    with _off_the_devices():
        key: Any = jax.eval_shape(lambda: jax.random.key(0))
        state = jax.eval_shape(trainable.init, key)
        single = cost.forward_flops(trainable.step, state, batch, key)
    return float(single * ours.repetitions(case.options))


def of_inception(images: int) -> float:
    """Counts the FLOPs of the features of Inception of so many images of its own size.

    >>> f"{of_inception(1) / 2:.3g} multiply-adds"  # 5.7 billion, as of Inception v3 elsewhere
    '5.71e+09 multiply-adds'
    """
    network, shape = inception.networks()["network"]
    batch = jax.ShapeDtypeStruct((images, *shape), jnp.float32)

    def features(variables: Any, x: Any) -> Any:
        found: Any = network.apply(variables, x, train=False)
        return found["pool3"]

    with _off_the_devices():
        key: Any = jax.eval_shape(lambda: jax.random.key(0))
        variables = jax.eval_shape(lambda key, x: network.init(key, x, train=False), key, batch)
        return float(cost.forward_flops(features, variables, batch))


@contextmanager
def _off_the_devices() -> Iterator[None]:
    """Keeps this process from opening a device, which on a TPU would keep it from those that measure."""
    before = jax.config.jax_platforms  # type: ignore[attr-defined]
    jax.config.update("jax_platforms", "cpu")
    try:
        yield
    finally:
        jax.config.update("jax_platforms", before)
