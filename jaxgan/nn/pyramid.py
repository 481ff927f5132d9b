"""The settings that the networks of many GANs share: an image, and the smaller maps that it is made of."""

import dataclasses
from typing import ClassVar, Literal, get_args

import flax.linen as linen

from jaxgan.typing import Array
from jaxgan.validation import require

Normalized = Literal["none", "discriminator", "both"]
"""Whose kernels are spectrally normalised."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pyramid:
    """A generator that doubles a map until it is an image, and a discriminator that halves the image.

    Attributes:
        image_size: (height, width), multiples of 4, each at least 8.
        channels: the channels of an image, 1 or 3.
        latent_size: the length of a latent, >= 1.
        features: the channels next to the image, >= 1.
        max_features: the limit of the channels, >= 1, where each halving doubles them.
        num_classes: K >= 2, where both networks are told labels in 0 ... K - 1; None without labels.
        spectral_norm: whose kernels are divided by their largest singular value: ``"none"``,
            ``"discriminator"`` or ``"both"`` (see `jaxgan.nn.spectral`).
    """

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    smallest_side: ClassVar[int] = 7
    """The side down to which maps are halved."""

    image_size: tuple[int, int] = (28, 28)
    channels: int = 1
    latent_size: int = 128
    features: int = 64
    max_features: int = 512
    num_classes: int | None = None
    spectral_norm: Normalized = "none"

    def __post_init__(self) -> None:
        sides = self.image_size
        fits = all(side >= 8 and side % 4 == 0 for side in sides)
        require(fits, "image_size", sides, "two multiples of 4, each at least 8")
        require(self.channels in (1, 3), "channels", self.channels, "1 or 3")
        for name in ("latent_size", "features", "max_features"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        require(self.num_classes is None or self.num_classes >= 2, "num_classes", self.num_classes, ">= 2")
        known = get_args(Normalized)
        allowed = "one of " + ", ".join(map(repr, known))
        require(self.spectral_norm in known, "spectral_norm", self.spectral_norm, allowed)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)

    @property
    def stages(self) -> int:
        """How often the side of an image is halved: at least twice, and until it is ``smallest_side``.

        >>> [Pyramid(image_size=(side, side)).stages for side in (12, 28, 32, 64)]
        [2, 2, 3, 4]
        """
        stages = 2
        while max(self.image_size) > self.smallest_side * 2**stages and all(
            side % 2 ** (stages + 1) == 0 for side in self.image_size
        ):
            stages += 1
        return stages

    @property
    def smallest_size(self) -> tuple[int, int]:
        """(height, width) of the smallest map.

        >>> Pyramid(image_size=(64, 32)).smallest_size
        (4, 2)
        """
        height, width = (side // 2**self.stages for side in self.image_size)
        return height, width

    def width(self, stage: int) -> int:
        """The channels ``stage`` halvings away from the image, where each doubles them.

        >>> [Pyramid(features=64, max_features=200).width(stage) for stage in range(3)]
        [64, 128, 200]
        """
        return min(self.features * 2**stage, self.max_features)

    def normalizes(self, player: Literal["generator", "discriminator"]) -> bool:
        """Tells whether a player's kernels are spectrally normalised.

        >>> Pyramid(spectral_norm="discriminator").normalizes("generator")
        False
        """
        return self.spectral_norm in ("both", player)

    def players(
        self, generator: linen.Module, discriminator: linen.Module
    ) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
        """Names both networks, each with the shape of one input, labels aside."""
        return {
            "generator": (generator, (self.latent_size,)),
            "discriminator": (discriminator, self.image_shape),
        }


def spread(x: Array, size: tuple[int, int]) -> Array:
    """Makes maps f[N, *size, C] of vectors f[N, size[0] * size[1] * C]."""
    return x.reshape(x.shape[0], *size, -1)
