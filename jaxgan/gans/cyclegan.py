"""CycleGAN: two residual networks that translate between domains of which no pairs are known.

Zhu et al., arXiv:1703.10593: what is translated there and back should be what it was, and what belongs to the
target domain already should stay. Half the time, each discriminator of patches is shown translations of
earlier steps. Departures: instance normalisation has a scale and a bias. The default networks are for images
of 36 pixels, the preset horses has the paper's for 256.
"""

import dataclasses
from typing import ClassVar

import flax.linen as linen

from jaxgan import nn
from jaxgan.steps import Recipe, Translation, Translator, translator
from jaxgan.validation import require

LEAST_SQUARES = Translation(loss="least_squares", adversarial_weight=2.0, discriminator_weight=1.0)
"""The paper's, whose squares have no half in the generator's loss, and one half in the discriminator's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The two pairs of networks and their game.

    Attributes:
        image_size: (height, width), multiples of 2 ** ``halvings`` and at least twice that, each at least the
            side of a patch.
        channels: the channels of an image, 1 or 3.
        features: the generators' channels after the first convolution, >= 1; each halving doubles them.
        halvings: how often the generators halve an image, >= 0.
        blocks: their residual blocks, >= 1.
        patch_features: the discriminators' channels after their first convolution, >= 1.
        patch_halvings: how often they halve an image, >= 1: with 1, 2 or 3 they see patches of 16, 34 or 70.
        cycle_weight: the factor of the L1 distance between an image and itself there and back, >= 0.
        identity_weight: that between an image and its translation into the domain that it belongs to, >= 0.
        pool_size: the earlier translations that each discriminator may be shown, >= 0.
        game: the adversarial loss and the optimisers.
    """

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    domains: ClassVar[str] = "any"

    image_size: tuple[int, int] = (36, 36)
    channels: int = 1
    features: int = 16
    halvings: int = 2
    blocks: int = 2
    patch_features: int = 32
    patch_halvings: int = 2
    cycle_weight: float = 10.0
    identity_weight: float = 5.0
    pool_size: int = 50
    game: Translation = LEAST_SQUARES

    def __post_init__(self) -> None:
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        for name in ("features", "blocks", "patch_features", "patch_halvings"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        for name in ("halvings", "pool_size"):
            require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        factor = 2**self.halvings
        nn.require_sides(self.image_size, factor, f"2 ** halvings, {factor}")
        fits = min(self.image_size) >= max(2 * factor, 4)
        require(fits, "image_size", self.image_size, f"at least {max(2 * factor, 4)} on each side")
        nn.require_patches(self.image_size, self.patch_halvings)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)


HORSES = Recipe(
    Config(
        image_size=(256, 256),
        channels=3,
        features=64,
        blocks=9,
        patch_features=64,
        patch_halvings=3,
        game=LEAST_SQUARES.falling(267_000),
    ),
    batch_size=1,
    steps=267_000,
    data="domains:horses,zebras",
    images=1_334,
)
"""The paper's networks and its 200 passes over some 1,335 images; for a GPU, with ``--data domains:A,B``."""
DIGITS = Config(patch_features=24, identity_weight=0.0, game=LEAST_SQUARES.falling(800))
"""To be inverted is not to stay, and only patches of the whole digit tell it from its ground."""
LARGEST_SIDE = 256
"""The images that it was made for have sides up to this, as in the paper."""
RECIPE = Recipe(DIGITS, batch_size=8, steps=800, data="textured:digits")
"""3 minutes on two cores of an Intel Xeon; then a classifier sees all translations of held-out digits in
the other domain, and the same digit in 97.8 % of those from A to B and in 95.5 % of those from B to A."""


def build(config: Config = DIGITS) -> Translator:
    """Makes the translator.

    >>> import jax, jax.numpy as jnp
    >>> model = build(Config(features=2, patch_features=2, blocks=1))
    >>> state = model.init(jax.random.key(0))
    >>> model.translate(state, jnp.zeros((2, 36, 36, 1)), direction="b_to_a").shape
    (2, 36, 36, 1)
    """
    found = networks(config)
    return translator(
        found["a_to_b"][0],
        found["discriminator_b"][0],
        directions=("a_to_b", "b_to_a"),
        image_shape=config.image_shape,
        config=config.game,
        conditional=False,
        weights={"cycle_weight": config.cycle_weight, "identity_weight": config.identity_weight},
        pool_size=config.pool_size,
    )


def networks(config: Config = DIGITS) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input.

    >>> list(networks())
    ['a_to_b', 'b_to_a', 'discriminator_b', 'discriminator_a']
    """
    generator = nn.ResNetTranslator(config.channels, config.features, config.halvings, config.blocks)
    discriminator = nn.PatchDiscriminator(config.patch_features, config.patch_halvings)
    shape = config.image_shape
    return {
        "a_to_b": (generator, shape),
        "b_to_a": (generator, shape),
        "discriminator_b": (discriminator, shape),
        "discriminator_a": (discriminator, shape),
    }
