"""From the published tensors of Inception to the params of our network, which has no batch normalisation."""

import functools
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jaxgan.classifiers import inception
from jaxgan.validation import InputError

Tensors = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]
EPSILON = 1e-3
"""What the batch normalisations of the published network add to the variance."""


def fold(source: Path, tensors: Tensors) -> dict[str, np.ndarray]:
    r"""Folds each batch normalisation into the convolution before it, in double precision.

    .. math:: k' = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} \, k, \qquad
              b' = \beta - \frac{\gamma \, \mu}{\sqrt{\sigma^2 + \epsilon}}

    Args:
        source: the file, for messages.
        tensors: the published ones, by name; kernels are [O, C, P, Q].

    Returns:
        The params of `inception.Network`, flat, by names with dots.

    Raises:
        InputError: what `check` refuses, or values that are not finite.
    """
    shapes = params_shapes()
    layers = dict.fromkeys(name.rpartition(".")[0] for name in shapes)
    wanted: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        wanted |= _published_shapes(layer, shapes[f"{layer}.kernel"])
    used = {name: value for name, value in tensors.items() if not name.endswith(".num_batches_tracked")}
    check(source, used, wanted)
    folded: dict[str, np.ndarray] = {}
    for layer in layers:
        part = {name: np.asarray(used[name], np.float64) for name in wanted if name.startswith(f"{layer}.")}
        folded |= _fold_layer(layer, part)
    for name, value in folded.items():
        if not np.isfinite(value).all():
            raise InputError(f"{source} gives values of {name} that are not finite")
    return folded


def _fold_layer(layer: str, tensors: Tensors) -> dict[str, np.ndarray]:
    if f"{layer}.weight" in tensors:  # the dense layer
        kernel, bias = tensors[f"{layer}.weight"].T, tensors[f"{layer}.bias"]
    else:
        scale, shift, mean, variance = (
            tensors[f"{layer}.bn.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
        )
        with np.errstate(all="ignore"):  # what is not finite is refused
            factor = scale / np.sqrt(variance + EPSILON)
        kernel = tensors[f"{layer}.conv.weight"].transpose(2, 3, 1, 0) * factor
        bias = shift - mean * factor
    values = {"kernel": kernel, "bias": bias}
    return {f"{layer}.{name}": np.ascontiguousarray(value, np.float32) for name, value in values.items()}


def _published_shapes(layer: str, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Names the tensors of a layer, as they are published, with their shapes."""
    *window, channels, features = kernel
    if not window:
        return {f"{layer}.weight": (features, channels), f"{layer}.bias": (features,)}
    normalised = {
        f"{layer}.bn.{name}": (features,) for name in ("weight", "bias", "running_mean", "running_var")
    }
    return {f"{layer}.conv.weight": (features, channels, *window), **normalised}


@functools.cache
def params_shapes() -> dict[str, tuple[int, ...]]:
    """Names the params of the network, with dots, and gives their shapes."""
    (network, shape) = inception.networks()["network"]
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda key, image: network.init(key, image, train=False), key, image)
    return {name: leaf.shape for name, leaf in flatten_dict(variables["params"], sep=".").items()}


def check(source: Path, tensors: Tensors, shapes: Shapes) -> None:
    """Compares names and shapes.

    Raises:
        InputError: a tensor that is missing, has another shape or kind, or is one too many.
    """
    for name, shape in shapes.items():
        if name not in tensors:
            raise InputError(f"{source} has no {name}, which this network needs")
        check_tensor(source, name, tensors[name], shape)
    for name in tensors:
        if name not in shapes:
            raise InputError(f"{source} has {name}, which this network lacks")


def check_tensor(source: Path, name: str, tensor: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses a tensor of another shape or kind.

    Raises:
        InputError: it is one.
    """
    if tensor.shape != shape or tensor.dtype.kind != "f":
        found = f"{tensor.dtype} of shape {list(tensor.shape)}"
        raise InputError(f"{name} in {source} is {found}; it must be floats of shape {list(shape)}")
