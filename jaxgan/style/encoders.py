"""What sees the pictures of a style transfer: VGG, with weights of others or with random ones."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import interpret
from jaxgan.classifiers import vgg
from jaxgan.typing import Array, PyTree
from jaxgan.validation import require

SMALLEST_SIDE = 32
"""The least side of a picture, which the five stacks halve to a single place."""
RANDOM = "random"
TRAINED = tuple(f"vgg{depth}" for depth in vgg.STACKS)
"""The networks whose weights, trained on ImageNet, others publish; see `jaxgan.published`."""


class Encoder(NamedTuple):
    """A VGG that gives its maps.

    Attributes:
        name: what it is called.
        config: its settings; the head is not used.
        variables: its weights.
    """

    name: str
    config: vgg.Config
    variables: PyTree

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that a style transfer may use, in their order."""
        return vgg.layer_names(self.config)

    def check(self, name: str, layers: Sequence[str]) -> None:
        """Refuses layers that there are not.

        Args:
            name: what the layers are for.
            layers: their names.

        Raises:
            InputError: there are none, or one that the network does not have.
        """
        require(len(layers) > 0, name, tuple(layers), "at least one layer")
        for layer in layers:
            require(layer in self.layers, name, layer, "one of " + ", ".join(self.layers))

    def see(self, images: Array, layers: Sequence[str]) -> dict[str, Array]:
        """Gives the maps of some layers.

        Args:
            images: f32[N, H, W, 3] in [0, 1], of at least `SMALLEST_SIDE` on each side.
            layers: the names, each of `layers`.

        Returns:
            f32[N, H', W', C] by name.
        """
        last = max(layers, key=self.layers.index)
        found = interpret.activations(vgg.Network(self.config), self.variables, images, until=last)
        return {layer: found[layer] for layer in layers}


def cut(variables: PyTree, config: vgg.Config, until: str) -> PyTree:
    """Keeps of the variables of a VGG those that lead to one of its layers.

    >>> config = random_config(features=2)
    >>> list(cut(random(jax.random.key(0), config), config, "relu2_1")["params"])
    ['conv1_1', 'conv1_2', 'conv2_1']
    """
    names = vgg.layer_names(config)
    params = variables["params"]
    return {"params": {name: params[name] for name in names[: names.index(until)] if name in params}}


class Trunk(linen.Module):
    """A VGG up to one of its layers, which is what an encoder costs.

    Attributes:
        config: its settings.
        until: the name of the layer.
    """

    config: vgg.Config
    until: str

    @linen.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Maps f32[N, H, W, 3] to f32[N, H', W', C]."""
        maps: Array = vgg.Network(self.config, name="vgg")(images, train=train, until=self.until)
        return maps


def configure(weights: str, *, depth: int, features: int, pooling: vgg.Pooling) -> vgg.Config:
    """The settings of what sees the pictures: of a random VGG, or of one that is trained, whatever its size.

    Args:
        weights: ``"random"``, or one of `TRAINED`, which decides the depth and the features.
        depth: the layers of a random one: 11, 13, 16 or 19.
        features: the channels of its first stack, >= 1.
        pooling: what follows a stack of either.

    Raises:
        InputError: other weights, or what `jaxgan.classifiers.vgg.Config` does not take.

    >>> configure("vgg19", depth=11, features=8, pooling="average").depth
    19
    """
    require(weights in (RANDOM, *TRAINED), "weights", weights, "one of " + ", ".join((RANDOM, *TRAINED)))
    if weights == RANDOM:
        return random_config(depth=depth, features=features, pooling=pooling)
    return dataclasses.replace(vgg.IMAGENET, depth=int(weights.removeprefix("vgg")), pooling=pooling)


def random_config(*, depth: int = 16, features: int = 32, pooling: vgg.Pooling = "average") -> vgg.Config:
    """The settings of a VGG that has random weights.

    Args:
        depth: 11, 13, 16 or 19.
        features: the channels of the first stack.
        pooling: what follows a stack.
    """
    return vgg.Config(depth=depth, batch_norm=False, pooling=pooling, features=features, standardize=True)


def random(key: Array, config: vgg.Config, *, until: str | None = None) -> PyTree:
    """Draws weights for what is before the head: orthogonal kernels, and no biases.

    They have to be fetched from nowhere. What such maps have in common over a picture is enough for textures
    and colours; they know no objects.

    Args:
        key: the key.
        config: the settings.
        until: the last layer that is wanted; that before the head by default.

    >>> config = random_config(features=2)
    >>> encoder = Encoder("random", config, random(jax.random.key(0), config))
    >>> encoder.see(jnp.zeros((1, 32, 40, 3)), ["relu2_1"])["relu2_1"].shape
    (1, 16, 20, 4)

    Source: Ustyuzhaninov et al., arXiv:1606.00021, and He et al., arXiv:1606.04801, on networks with random
    weights; Saxe et al., arXiv:1312.6120, on orthogonal ones.
    """
    network, last = vgg.Network(config), until or vgg.layer_names(config)[-1]
    image = jnp.zeros((1, *config.image_shape))
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), image, train=False, until=last))
    init = linen.initializers.orthogonal(2**0.5)
    leaves, structure = jax.tree.flatten(shapes)
    values = [
        init(key, leaf.shape) if len(leaf.shape) > 1 else jnp.zeros(leaf.shape)
        for key, leaf in zip(jax.random.split(key, len(leaves)), leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, values)
