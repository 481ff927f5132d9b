"""pix2pix: a U-Net that translates images as pairs show it, against a discriminator of patches.

Isola et al., arXiv:1611.07004: the discriminator sees the source beside what it judges, the generator is also
held to the truth by its L1 distance, and dropout in the first layers of its way up is the only noise.
Departures: instance normalisation, which at the paper's batch size of one is its batch normalisation; both
players' updates start from the same weights; translations are made without noise unless a key is given. The
default networks are for images of 32 pixels, the preset facades has the paper's for 256.
"""

import dataclasses
from typing import ClassVar

import flax.linen as linen

from jaxgan import nn
from jaxgan.steps import Recipe, Translation, Translator, translator
from jaxgan.validation import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The two networks and their game.

    Attributes:
        image_size: (height, width), multiples of 2 ** ``depth``, each at least the side of a patch.
        channels: the channels of an image, 1 or 3.
        depth: how often the U-Net halves an image, >= 2.
        features: the generator's channels after the first halving, >= 1; each later one doubles them.
        max_features: the limit of the channels in both networks, >= 1.
        dropout: the rate of dropout in the generator, in [0, 1).
        dropout_stages: after how many of its doublings, from the smallest map on, there is dropout, >= 0.
        patch_features: the discriminator's channels after its first convolution, >= 1.
        patch_halvings: how often it halves an image, >= 1: with 1, 2 or 3 it sees patches of 16, 34 or 70.
        l1_weight: the factor of the L1 distance to the truth, >= 0.
        game: the adversarial loss and the optimisers.
    """

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    domains: ClassVar[str] = "paired"

    image_size: tuple[int, int] = (32, 32)
    channels: int = 1
    depth: int = 3
    features: int = 32
    max_features: int = 512
    dropout: float = 0.5
    dropout_stages: int = 1
    patch_features: int = 32
    patch_halvings: int = 1
    l1_weight: float = 100.0
    game: Translation = Translation()

    def __post_init__(self) -> None:
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        require(self.depth >= 2, "depth", self.depth, ">= 2")
        for name in ("features", "max_features", "patch_features", "patch_halvings"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        require(self.dropout_stages >= 0, "dropout_stages", self.dropout_stages, ">= 0")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        nn.require_sides(self.image_size, 2**self.depth, f"2 ** depth, {2**self.depth}")
        nn.require_patches(self.image_size, self.patch_halvings)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)


FACADES = Recipe(
    Config(
        image_size=(256, 256),
        channels=3,
        depth=8,
        features=64,
        dropout_stages=3,
        patch_features=64,
        patch_halvings=3,
        game=Translation().falling(80_000),
    ),
    batch_size=1,
    steps=80_000,
    data="pairs:facades",
    images=400,
)
"""The paper's networks and its 200 passes over 400 pairs; for a GPU, with ``--data pairs:FOLDER``."""
DIGITS = Config(game=Translation().falling(1500))
LARGEST_SIDE = 256
"""The images that it was made for have sides up to this, as in the paper."""
RECIPE = Recipe(DIGITS, batch_size=16, steps=1500, data="edges:digits")
"""A minute on two cores of an Intel Xeon; then held-out digits are made of their edges with an L1 of
0.036, as a share of the range from black to white, where the edges themselves have 0.312."""


def build(config: Config = DIGITS) -> Translator:
    """Makes the translator.

    >>> import jax, jax.numpy as jnp
    >>> model = build(Config(features=2, patch_features=2))
    >>> state = model.init(jax.random.key(0))
    >>> model.translate(state, jnp.zeros((2, 32, 32, 1))).shape
    (2, 32, 32, 1)
    """
    (generator, _), (discriminator, _) = networks(config).values()
    return translator(
        generator,
        discriminator,
        directions=("a_to_b",),
        image_shape=config.image_shape,
        config=config.game,
        conditional=True,
        weights={"l1_weight": config.l1_weight},
    )


def networks(config: Config = DIGITS) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input.

    >>> [shape for _, shape in networks().values()]
    [(32, 32, 1), (32, 32, 2)]
    """
    generator = nn.UNet(
        channels=config.channels,
        depth=config.depth,
        features=config.features,
        max_features=config.max_features,
        dropout=config.dropout,
        dropout_stages=config.dropout_stages,
    )
    discriminator = nn.PatchDiscriminator(config.patch_features, config.patch_halvings, config.max_features)
    height, width, channels = config.image_shape
    return {
        "generator": (generator, config.image_shape),
        "discriminator": (discriminator, (height, width, 2 * channels)),
    }
