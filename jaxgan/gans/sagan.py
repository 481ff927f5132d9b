"""SAGAN: residual networks in which distant places of a map attend to each other.

Zhang et al., arXiv:1805.08318: spectral normalisation in both networks, the hinge loss, two time scales. The
widths double with each halving, as in the paper, which knows the class of each image; here that is optional.
Departure: both players' updates start from the same weights and images.
"""

import dataclasses
import functools
import math

import flax.linen as linen

from jaxgan import nn, ops
from jaxgan.steps import GAN, Adam, Adversarial, Recipe, adversarial_of
from jaxgan.typing import Array
from jaxgan.validation import require

GENERATOR = Adam(learning_rate=1e-4, b1=0.0, b2=0.9)
DISCRIMINATOR = Adam(learning_rate=4e-4, b1=0.0, b2=0.9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(nn.Pyramid):
    """The two networks and their game.

    Attributes:
        attention_stage: how many halvings away from the image both networks attend, 1 ... ``stages``; 1 is
            32x32 for images of 64x64.
        game: the loss and the optimisers.
    """

    spectral_norm: nn.Normalized = "both"
    attention_stage: int = 1
    game: Adversarial = Adversarial(loss="hinge", generator=GENERATOR, discriminator=DISCRIMINATOR)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = 1 <= self.attention_stage <= self.stages
        require(fits, "attention_stage", self.attention_stage, f"in 1 ... {self.stages}")


CIFAR10 = Config(image_size=(32, 32), channels=3)
DIGITS = Config(
    features=12,
    game=dataclasses.replace(
        CIFAR10.game,
        ema_decay=0.99,
        generator=dataclasses.replace(GENERATOR, learning_rate=4e-4),
        discriminator=dataclasses.replace(DISCRIMINATOR, learning_rate=1e-3),
    ),
)
LARGEST_SIDE = 128
"""The images that it was made for have sides up to this, as of ImageNet in the paper."""
RECIPE = Recipe(DIGITS, batch_size=32, steps=1200, score=33.0)
"""3 minutes on one core of an Intel Xeon; then FID 33.0 by the CNN trained on digits (10,000 samples)."""


class Generator(linen.Module):
    """Maps latents f32[N, L], and labels int32[N] if there are classes, to images f32[N, H, W, C]."""

    config: Config

    @linen.compact
    def __call__(self, latents: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, L] to f32[N, H, W, C] in [-1, 1]."""
        config, on = self.config, self.config.normalizes("generator")
        spectral = functools.partial(nn.spectral, train=train, when=on)
        block = functools.partial(
            nn.ResidualBlock, batch_norm=True, num_classes=config.num_classes, spectral_norm=on
        )
        features = math.prod(config.smallest_size) * config.width(config.stages)
        x = nn.spread(spectral(nn.Dense(features))(latents), config.smallest_size)
        for stage in reversed(range(config.stages)):
            if stage + 1 == config.attention_stage:
                x = nn.SelfAttention(spectral_norm=on)(x, train=train)
            x = block(config.width(stage), "up")(x, *labels, train=train)
        x = ops.relu(nn.normalize(x, *labels, num_classes=config.num_classes, train=train))
        return ops.tanh(spectral(nn.Conv2D(config.channels, window=3))(x))


class Discriminator(linen.Module):
    """Maps images f32[N, H, W, C], and labels int32[N] if there are classes, to logits f32[N]."""

    config: Config

    @linen.compact
    def __call__(self, images: Array, *labels: Array, train: bool) -> Array:
        """Maps f32[N, H, W, C] to f32[N]; a positive logit means real."""
        config, on = self.config, self.config.normalizes("discriminator")
        x = images
        for stage in range(config.stages):
            block = nn.ResidualBlock(config.width(stage), "down", spectral_norm=on, image=stage == 0)
            x = block(x, train=train)
            if stage + 1 == config.attention_stage:
                x = nn.SelfAttention(spectral_norm=on)(x, train=train)
        x = nn.ResidualBlock(config.width(config.stages), spectral_norm=on)(x, train=train)
        x = ops.relu(x).sum((1, 2))
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
