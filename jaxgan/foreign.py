"""The weights of VGG and ResNet under the names that torchvision and timm give them, and as their arrays lie.

Their convolutions are [O, C, P, Q] and their dense layers [O, C]; a dense layer after maps takes these
channel by channel, ours place by place.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jaxgan import folding
from jaxgan.classifiers import resnet, vgg
from jaxgan.folding import Tensors
from jaxgan.validation import InputError

LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "mean": "running_mean",
    "variance": "running_var",
}
UNUSED = "num_batches_tracked"


def vgg_layers(config: vgg.Config) -> dict[str, tuple[str, ...]]:
    """Names each layer of a VGG as torchvision does, and as timm does where that differs.

    >>> import dataclasses
    >>> names = vgg_layers(dataclasses.replace(vgg.IMAGENET, depth=11))
    >>> names["conv2_1"], names["fc6"]
    (('features.3',), ('classifier.0', 'pre_logits.fc1'))
    """
    found: dict[str, tuple[str, ...]] = {}
    place = 0
    for stack, count in enumerate(vgg.STACKS[config.depth], start=1):
        for number in range(1, count + 1):
            found[f"conv{stack}_{number}"] = (f"features.{place}",)
            if config.batch_norm:
                found[f"bn{stack}_{number}"] = (f"features.{place + 1}",)
            place += 3 if config.batch_norm else 2
        place += 1
    return {
        **found,
        "fc6": ("classifier.0", "pre_logits.fc1"),
        "fc7": ("classifier.3", "pre_logits.fc2"),
        "fc8": ("classifier.6", "head.fc"),
    }


def resnet_layer(name: str) -> tuple[str, ...]:
    """Names a layer of a ResNet as both do.

    >>> resnet_layer("layer1_0.downsample_bn")
    ('layer1.0.downsample.1',)
    """
    named = name.replace("downsample_conv", "downsample.0").replace("downsample_bn", "downsample.1")
    return (named.replace("_", "."),)


def shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    """Names the variables of a network, with dots, and gives their shapes."""
    module = vgg if isinstance(config, vgg.Config) else resnet
    network, shape = module.networks(config)["network"]
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    found = jax.eval_shape(lambda key, image: network.init(key, image, train=False), key, image)
    return {name: leaf.shape for name, leaf in flatten_dict(dict(found), sep=".").items()}


def convert(config: Any, source: Path, tensors: Tensors) -> dict[str, np.ndarray]:
    """Makes the variables of a network from the tensors of a file.

    Args:
        config: a `vgg.Config` or `resnet.Config`.
        source: the file, for messages.
        tensors: by the names of torchvision or timm.

    Returns:
        The variables by names with dots, which begin with ``params`` or ``batch_stats``.

    Raises:
        InputError: a tensor that is missing, has another shape, or is one too many.
    """
    layers: Callable[[str], tuple[str, ...]] = resnet_layer
    if isinstance(config, vgg.Config):
        layers = vgg_layers(config).__getitem__
    left = {name: value for name, value in tensors.items() if not name.endswith(UNUSED)}
    found: dict[str, np.ndarray] = {}
    for name, shape in shapes_of(config).items():
        _, _, path = name.partition(".")
        layer, _, leaf = path.rpartition(".")
        names = [f"{each}.{LEAVES[leaf]}" for each in layers(layer)]
        theirs = next((each for each in names if each in left), None)
        if theirs is None:
            raise InputError(f"{source} has no {' or '.join(names)}, which this network needs")
        found[name] = _arrange(source, theirs, left.pop(theirs), shape)
    if left:
        raise InputError(f"{source} has {next(iter(left))}, which this network lacks")
    return found


def _arrange(source: Path, name: str, value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Brings an array to our order of axes."""
    wanted: tuple[int, ...] = shape[::-1] if len(shape) == 2 else (*shape[:1:-1], *shape[:2])
    if len(shape) == 2 and value.ndim == 4:  # timm's dense layers
        value = value.reshape(value.shape[0], -1)
    folding.check_tensor(source, name, value, shape if len(shape) == 1 else wanted)
    if len(shape) == 1:
        return value.astype(np.float32)
    if len(shape) == 4:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0), np.float32)
    height, width = vgg.GRID
    if "classifier.0" in name or "fc1" in name:
        value = value.reshape(value.shape[0], -1, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(value.reshape(value.shape[0], -1).T, np.float32)
