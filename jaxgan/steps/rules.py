"""The rules of a game: its settings, and what is fixed throughout it."""

import dataclasses
import functools
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
import optax

from jaxgan import losses, penalties
from jaxgan.augment import method as augmentation
from jaxgan.steps.average import check_decay
from jaxgan.steps.optimizer import Adam
from jaxgan.validation import require

LossName = Literal[
    "non_saturating",
    "minimax",
    "least_squares",
    "wasserstein",
    "hinge",
    "relativistic",
    "relativistic_average",
]
"""The names in `jaxgan.losses.LOSSES`."""
DTYPES: dict[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversarial:
    """How the game is played.

    Attributes:
        loss: a name in `jaxgan.losses.LOSSES`: ``"minimax"`` is the value function itself,
            ``"non_saturating"`` gives the generator a gradient where the discriminator wins;
            ``"least_squares"``, ``"hinge"`` and ``"wasserstein"`` judge without probabilities;
            ``"relativistic"`` compares pairs of a real and a generated image, ``"relativistic_average"`` each
            image with the mean of the others.
        updates: ``"simultaneous"`` computes both gradients at the same point, from one forward pass;
            ``"alternating"`` lets the generator answer the discriminator's new weights.
        discriminator_steps: k >= 1 updates of the discriminator for one of the generator, each on images
            of its own: a batch of k * N images then means k updates on N.
        ema_decay: the decay of a moving average of the generator's params, in [0, 1), from which samples are
            then drawn (see `jaxgan.steps.average`); None for no average.
        penalties: ``NAME[:WEIGHT[:EVERY]]`` each, added to the discriminator's loss at every k-th step, k
            times as strong; the names are those of `jaxgan.penalties.PENALTIES`, and without a weight it is
            the paper's. ``("r1:10:16",)`` say.
        augment: how all that the discriminator sees is augmented: ``"none"``, ``"diffaugment[:POLICY]"`` or
            ``"ada[:PIPELINE]"`` (see `jaxgan.augment`).
        ada_target: the mean sign of the real logits at which ADA's strength rests, in [-1, 1].
        ada_images: the images in which that strength can come from 0 to 1, > 0; the paper's suits runs of
            millions.
        compute_dtype: what the networks compute in, ``"float32"`` or ``"bfloat16"``; params, images, logits
            and losses are float32.
        generator: the generator's optimiser.
        discriminator: the discriminator's optimiser; another learning rate makes two time scales
            (arXiv:1706.08500).
    """

    loss: LossName = "non_saturating"
    updates: Literal["simultaneous", "alternating"] = "simultaneous"
    discriminator_steps: int = 1
    ema_decay: float | None = None
    penalties: tuple[str, ...] = ()
    augment: str = "none"
    ada_target: float = 0.6
    ada_images: float = 500_000.0
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    generator: Adam = Adam(learning_rate=2e-4, b1=0.5)
    discriminator: Adam = Adam(learning_rate=2e-4, b1=0.5)

    def __post_init__(self) -> None:
        losses.get(self.loss)
        modes = ("simultaneous", "alternating")
        require(self.updates in modes, "updates", self.updates, " or ".join(map(repr, modes)))
        require(self.discriminator_steps >= 1, "discriminator_steps", self.discriminator_steps, ">= 1")
        check_decay(self.ema_decay)
        penalties.parse_all(self.penalties)
        augmentation.parse(self.augment)
        require(-1 <= self.ada_target <= 1, "ada_target", self.ada_target, "in [-1, 1]")
        require(self.ada_images > 0, "ada_images", self.ada_images, "> 0")
        require(
            self.compute_dtype in DTYPES, "compute_dtype", self.compute_dtype, "one of " + ", ".join(DTYPES)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What is fixed throughout a game: see `jaxgan.steps.adversarial`, whose arguments these are."""

    generator: nn.Module
    discriminator: nn.Module
    latent_size: int
    image_shape: tuple[int, int, int]
    config: Adversarial
    per_image: bool
    num_classes: int | None

    def __post_init__(self) -> None:
        for term in self.terms:
            fits = self.per_image or term.name not in penalties.ON_SLOPES
            allowed = (
                "a penalty on logits, as this discriminator's logits depend on the other images of a batch"
            )
            require(fits, "penalty", term.name, allowed)
        self.method.check_channels(self.image_shape[2])

    @functools.cached_property
    def loss(self) -> losses.Loss:
        """The losses of both players."""
        return losses.get(self.config.loss)

    @functools.cached_property
    def terms(self) -> tuple[penalties.Term, ...]:
        """The penalties."""
        return penalties.parse_all(self.config.penalties)

    @functools.cached_property
    def method(self) -> augmentation.Method:
        """How what the discriminator sees is augmented."""
        return augmentation.parse(self.config.augment)

    @functools.cached_property
    def txs(self) -> dict[str, optax.GradientTransformation]:
        """The optimisers, by player."""
        return {player: getattr(self.config, player).build() for player in ("generator", "discriminator")}

    @property
    def dtype(self) -> Any:
        """What the networks compute in."""
        return DTYPES[self.config.compute_dtype]
