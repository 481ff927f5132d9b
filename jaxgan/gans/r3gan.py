"""R3GAN: residual networks without normalisation, compared in pairs, and flat slopes on both sides.

Huang et al., arXiv:2501.05441: pairs of a real and a generated image are compared, R1 and R2 keep the
discriminator flat at both, and blocks of 1x1, grouped 3x3 and 1x1 convolutions begin as the identity.
Departures: maps are resized between the nearest pixels as `jax.image.resize` does it; Adam's settings, the
learning rate and the weights of the penalties stay where they are, where the paper moves them along cosines;
both players' updates start from the same weights and images.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import nn, ops
from jaxgan.steps import GAN, Adam, Adversarial, Recipe, adversarial_of
from jaxgan.typing import Array
from jaxgan.validation import require

ADAM = Adam(learning_rate=2e-4, b1=0.0, b2=0.99)
SLOPE = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(nn.Pyramid):
    """The two networks and their game.

    Attributes:
        blocks: the residual blocks at each size, >= 1.
        expansion: how many times wider a block is inside, >= 1.
        group_width: the channels of a group of its 3x3 convolution, >= 1, or their largest common divisor
            with the block's.
        game: the loss, the penalties and the optimisers.
    """

    latent_size: int = 64
    blocks: int = 2
    expansion: int = 2
    group_width: int = 16
    game: Adversarial = Adversarial(
        loss="relativistic",
        penalties=("r1:0.1", "r2:0.1"),
        ema_decay=0.999,
        generator=ADAM,
        discriminator=ADAM,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("blocks", "expansion", "group_width"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")

    @property
    def all_blocks(self) -> int:
        """The residual blocks of a network.

        >>> Config(blocks=2).all_blocks
        6
        """
        return self.blocks * (self.stages + 1)


CIFAR10 = Config(image_size=(32, 32), channels=3)
_FAST = dataclasses.replace(ADAM, learning_rate=1e-3)
DIGITS = Config(
    features=16,
    blocks=1,
    game=dataclasses.replace(
        CIFAR10.game, penalties=("r1:5", "r2:5"), ema_decay=0.99, generator=_FAST, discriminator=_FAST
    ),
)
LARGEST_SIDE = 256
"""The images that it was made for have sides up to this, as of FFHQ in the paper."""
RECIPE = Recipe(DIGITS, batch_size=32, steps=1500, score=31.8)
"""11 minutes on one core of an Intel Xeon; then FID 31.8 by the CNN trained on digits (10,000 samples)."""


Spectral = Callable[[linen.Module], Callable[..., Array]]
"""A layer to itself, or to the layer spectrally normalised."""


class _Block(linen.Module):
    """Adds to maps f[N, H, W, C] what three convolutions make of them, which at the beginning is nothing."""

    config: Config

    @linen.compact
    def __call__(self, x: Array, spectral: Spectral) -> Array:
        config = self.config
        inside = x.shape[-1] * config.expansion
        groups = inside // math.gcd(inside, config.group_width)
        # Zhang et al., arXiv:1901.09321: variances fall with the number of blocks, the last kernel is zero.
        init = linen.initializers.variance_scaling(2 * config.all_blocks**-0.5, "fan_in", "normal")
        y = spectral(nn.Conv2D(inside, window=1, kernel_init=init))(x)
        y = ops.leaky_relu(y, slope=SLOPE)
        y = spectral(nn.Conv2D(inside, window=3, groups=groups, kernel_init=init))(y)
        y = ops.leaky_relu(y, slope=SLOPE)
        zeros = linen.initializers.zeros_init()
        return x + nn.Conv2D(x.shape[-1], window=1, use_bias=False, kernel_init=zeros)(y)


class _Resize(linen.Module):
    """Resizes maps and changes their channels, where they are smallest."""

    features: int
    size: tuple[int, int]

    @linen.compact
    def __call__(self, x: Array, spectral: Spectral) -> Array:
        def resize(x: Array) -> Array:
            return jax.image.resize(x, (x.shape[0], *self.size, x.shape[-1]), "bilinear")

        def convolve(x: Array) -> Array:
            if x.shape[-1] == self.features:
                return x
            return spectral(nn.Conv2D(self.features, window=1, use_bias=False))(x)

        return resize(convolve(x)) if self.size > x.shape[1:3] else convolve(resize(x))


class Generator(linen.Module):
    """Maps latents f32[N, L], and labels int32[N] if there are classes, to images f32[N, H, W, C]."""

    config: Config

    @linen.compact
    def __call__(self, latents: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, L] to f32[N, H, W, C]; in [-1, 1] outside training, where it clips."""
        config, on = self.config, self.config.normalizes("generator")
        spectral = functools.partial(nn.spectral, train=train, when=on)
        shape = (*config.smallest_size, config.width(config.stages))
        basis = self.param("basis", linen.initializers.normal(1.0), shape, jnp.float32).astype(latents.dtype)
        if config.num_classes is not None:
            latents = nn.concatenate_labels(latents, *labels, num_classes=config.num_classes)
        strengths = spectral(nn.Dense(shape[-1], use_bias=False))(latents)
        x = basis[None] * strengths[:, None, None, :]
        for stage in reversed(range(config.stages + 1)):
            if stage < config.stages:
                size = (x.shape[1] * 2, x.shape[2] * 2)
                x = _Resize(config.width(stage), size)(x, spectral)
            for _ in range(config.blocks):
                x = _Block(config)(x, spectral)
        x = spectral(nn.Conv2D(config.channels, window=1))(x)
        return x if train else jnp.clip(x, *config.value_range)


class Discriminator(linen.Module):
    """Maps images f32[N, H, W, C], and labels int32[N] if there are classes, to logits f32[N]."""

    config: Config

    @linen.compact
    def __call__(self, images: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, H, W, C] to f32[N], of which only differences count."""
        config, on = self.config, self.config.normalizes("discriminator")
        spectral = functools.partial(nn.spectral, train=train, when=on)
        x = spectral(nn.Conv2D(config.width(0), window=1))(images)
        for stage in range(config.stages + 1):
            if stage:
                size = (x.shape[1] // 2, x.shape[2] // 2)
                x = _Resize(config.width(stage), size)(x, spectral)
            for _ in range(config.blocks):
                x = _Block(config)(x, spectral)
        shape = x.shape[1:]
        init = linen.initializers.variance_scaling(1.0, "fan_in", "normal", in_axis=(0, 1), out_axis=2)
        basis = self.param("basis", init, shape, jnp.float32).astype(x.dtype)
        x = (x * basis[None]).sum((1, 2))
        return nn.judge(x, *labels, num_classes=config.num_classes, train=train, spectral_norm=on)


def build(config: Config = CIFAR10) -> GAN:
    """Makes the GAN.

    >>> gan = build(Config(features=4))
    >>> state = jax.eval_shape(gan.init, jax.random.key(0))
    >>> jax.eval_shape(lambda state, key: gan.sample(state, key, 2), state, jax.random.key(1)).shape
    (2, 28, 28, 1)
    """
    return adversarial_of(networks(config), config.game, num_classes=config.num_classes)


def networks(config: Config = CIFAR10) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input, labels aside.

    >>> [shape for _, shape in networks().values()]
    [(64,), (32, 32, 3)]
    """
    return config.players(Generator(config), Discriminator(config))
