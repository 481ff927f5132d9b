"""SNGAN: a discriminator whose every layer is held to a slope of one by its largest singular value.

Miyato et al., arXiv:1802.05957, with the networks that the paper calls standard (table 3). Departures: the
last of the discriminator's updates and the generator's start from the same weights and images.
"""

import dataclasses
import functools
import math

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import GAN, Adam, Adversarial, Recipe, adversarial_of
from jaxgan.typing import Array

ADAM = Adam(learning_rate=2e-4, b1=0.0, b2=0.9)
SLOPE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(nn.Pyramid):
    """The two networks and their game.

    Attributes:
        game: the loss, the discriminator's updates and the optimisers.
    """

    spectral_norm: nn.Normalized = "discriminator"
    game: Adversarial = Adversarial(loss="hinge", discriminator_steps=5, generator=ADAM, discriminator=ADAM)


CIFAR10 = Config(image_size=(32, 32), channels=3)
DIGITS = Config(features=24, game=dataclasses.replace(CIFAR10.game, discriminator_steps=1, ema_decay=0.99))
LARGEST_SIDE = 48
"""The images that it was made for have sides up to this, as of STL-10 in the paper."""
RECIPE = Recipe(DIGITS, batch_size=32, steps=2000, score=23.5)
"""5 minutes on one core of an Intel Xeon; then FID 23.5 by the CNN trained on digits (10,000 samples)."""


class Generator(linen.Module):
    """Maps latents f32[N, L], and labels int32[N] if there are classes, to images f32[N, H, W, C]."""

    config: Config

    @linen.compact
    def __call__(self, latents: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, L] to f32[N, H, W, C] in [-1, 1]."""
        config, on = self.config, self.config.normalizes("generator")
        spectral = functools.partial(nn.spectral, train=train, when=on)
        features = math.prod(config.smallest_size) * config.width(config.stages)
        x = nn.spread(spectral(nn.Dense(features))(latents), config.smallest_size)
        for stage in reversed(range(config.stages)):
            layer = nn.ConvTranspose2D(config.width(stage), window=4, stride=2, use_bias=False)
            x = spectral(layer)(x)
            x = ops.relu(nn.normalize(x, *labels, num_classes=config.num_classes, train=train))
        return ops.tanh(spectral(nn.Conv2D(config.channels, window=3))(x))


class Discriminator(linen.Module):
    """Maps images f32[N, H, W, C], and labels int32[N] if there are classes, to logits f32[N]."""

    config: Config

    @linen.compact
    def __call__(self, images: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, H, W, C] to f32[N]; a positive logit means real."""
        config, on = self.config, self.config.normalizes("discriminator")
        spectral = functools.partial(nn.spectral, train=train, when=on)

        def convolve(x: Array, stage: int, window: int, stride: int) -> Array:
            layer = nn.Conv2D(config.width(stage), window=window, stride=stride)
            return ops.leaky_relu(spectral(layer)(x), slope=SLOPE)

        x = images
        for stage in range(config.stages):
            x = convolve(convolve(x, stage, window=3, stride=1), stage, window=4, stride=2)
        x = convolve(x, config.stages, window=3, stride=1)
        x = x.reshape(x.shape[0], -1)
        return nn.judge(x, *labels, num_classes=config.num_classes, train=train, spectral_norm=on)


def build(config: Config = CIFAR10) -> GAN:
    """Makes the GAN.

    >>> import jax
    >>> gan = build(Config(features=4))
    >>> state = jax.eval_shape(gan.init, jax.random.key(0))
    >>> jax.eval_shape(lambda state, key: gan.sample(state, key, 2), state, jax.random.key(1)).shape
    (2, 28, 28, 1)
    """
    return adversarial_of(networks(config), config.game, num_classes=config.num_classes)


def networks(config: Config = CIFAR10) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input, labels aside.

    >>> [shape for _, shape in networks().values()]
    [(128,), (32, 32, 3)]
    """
    return config.players(Generator(config), Discriminator(config))
