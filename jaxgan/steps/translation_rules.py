"""The rules of translation: its settings, and what is fixed throughout it."""

import dataclasses
import functools
import math
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import optax

from jaxgan import losses
from jaxgan.steps.average import check_decay
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.rules import DTYPES, LossName
from jaxgan.steps.state import NetState, apply_network
from jaxgan.typing import Array, Batch, PyTree
from jaxgan.validation import require

DIRECTIONS = ("a_to_b", "b_to_a")
ADAM = Adam(learning_rate=2e-4, b1=0.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translation:
    """How generators from image to image play against their discriminators.

    Attributes:
        loss: a name in `jaxgan.losses.LOSSES`, as in `Adversarial`; it is a mean over patches.
        adversarial_weight: the factor of the generators' adversarial losses, >= 0.
        discriminator_weight: that of the discriminators' losses, >= 0; with Adam it changes little.
        ema_decay: the decay of moving averages of the generators' params, in [0, 1), which then translate
            (see `jaxgan.steps.average`); None for no average.
        compute_dtype: what the networks compute in, ``"float32"`` or ``"bfloat16"``; params, images, logits
            and losses are float32.
        generator: the generators' optimiser.
        discriminator: the discriminators' optimiser.
    """

    loss: LossName = "non_saturating"
    adversarial_weight: float = 1.0
    discriminator_weight: float = 0.5
    ema_decay: float | None = None
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    generator: Adam = ADAM
    discriminator: Adam = ADAM

    def __post_init__(self) -> None:
        losses.get(self.loss)
        for name in ("adversarial_weight", "discriminator_weight"):
            require_weight(name, getattr(self, name))
        check_decay(self.ema_decay)
        known = ", ".join(DTYPES)
        require(self.compute_dtype in DTYPES, "compute_dtype", self.compute_dtype, f"one of {known}")

    def falling(self, steps: int) -> "Translation":
        """The same with learning rates as in the papers: constant for half of the steps, then down to 0.

        >>> Translation().falling(200).generator.hold
        100
        """

        def fall(adam: Adam) -> Adam:
            return dataclasses.replace(adam, schedule="linear", hold=steps // 2, schedule_steps=steps)

        return dataclasses.replace(
            self, generator=fall(self.generator), discriminator=fall(self.discriminator)
        )


def require_weight(name: str, value: float) -> None:
    """Refuses a factor of a loss that is negative or not finite.

    Raises:
        InputError: it is.
    """
    require(0 <= value < math.inf, name, value, ">= 0 and finite")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What is fixed throughout a training: see `jaxgan.steps.translator`, whose arguments these are."""

    generator: nn.Module
    discriminator: nn.Module
    directions: tuple[str, ...]
    image_shape: tuple[int, int, int]
    config: Translation
    conditional: bool
    terms: tuple[str, ...]
    factors: dict[str, float]
    pool_size: int

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        """The shape of what a discriminator sees."""
        height, width, channels = self.image_shape
        return height, width, channels * (2 if self.conditional else 1)

    @functools.cached_property
    def txs(self) -> dict[str, optax.GradientTransformation]:
        """The optimisers, by player."""
        return {player: getattr(self.config, player).build() for player in ("generator", "discriminator")}

    def read(self, batch: Batch) -> dict[str, tuple[Array, Array]]:
        """Gives the sources and the targets of each direction."""
        for name in ("image", "target"):
            if name not in batch:
                raise ValueError(
                    f"the batch has no {name!r}; a translator is trained on images of two domains"
                )
        images, targets = batch["image"], batch["target"]
        if images.ndim != 4 or images.shape[1:] != self.image_shape or targets.shape != images.shape:
            raise ValueError(
                f"batch['image'] has shape {images.shape} and batch['target'] {targets.shape}; "
                f"the model takes [N, {str(self.image_shape)[1:-1]}] twice"
            )
        return {d: (images, targets) if d == DIRECTIONS[0] else (targets, images) for d in self.directions}

    def generate(self, params: PyTree, net: NetState, key: Array, images: Array) -> tuple[Array, PyTree]:
        """Translates images in training, with params in place of the network's own."""
        images = images.astype(DTYPES[self.config.compute_dtype])
        fakes, model_state = apply_network(self.generator, params, net.model_state, key, images)
        return fakes.astype(jnp.float32), model_state

    def show(self, sources: Array, images: Array) -> Array:
        """What a discriminator sees of images."""
        return jnp.concatenate([sources, images], axis=-1) if self.conditional else images

    def judge(self, params: PyTree, net: NetState, key: Array, seen: Array) -> tuple[Array, PyTree]:
        """Logits f32[N, h, w], and the discriminator's new model state."""
        seen = seen.astype(DTYPES[self.config.compute_dtype])
        logits, model_state = apply_network(self.discriminator, params, net.model_state, key, seen)
        return logits.astype(jnp.float32), model_state
