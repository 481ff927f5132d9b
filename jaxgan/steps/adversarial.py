"""A GAN of two networks and the rules of their game."""

import dataclasses
import functools
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan import losses, penalties
from jaxgan.augment import method
from jaxgan.steps import game, regularizer
from jaxgan.steps.average import averaged, check_decay
from jaxgan.steps.draws import draw_labels, draw_latents
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import GAN
from jaxgan.steps.state import GANState, evaluate_network
from jaxgan.typing import Array
from jaxgan.validation import require

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

    loss: Literal[
        "non_saturating",
        "minimax",
        "least_squares",
        "wasserstein",
        "hinge",
        "relativistic",
        "relativistic_average",
    ] = "non_saturating"
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
        method.parse(self.augment)
        require(-1 <= self.ada_target <= 1, "ada_target", self.ada_target, "in [-1, 1]")
        require(self.ada_images > 0, "ada_images", self.ada_images, "> 0")
        require(
            self.compute_dtype in DTYPES, "compute_dtype", self.compute_dtype, "one of " + ", ".join(DTYPES)
        )


def adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    latent_size: int,
    image_shape: tuple[int, int, int],
    config: Adversarial,
    per_image: bool = False,
    num_classes: int | None = None,
) -> GAN:
    """Makes a GAN of two networks.

    Args:
        generator: maps f32[N, latent_size], and labels int32[N] if there are classes, to images
            f32[N, *image_shape] in [-1, 1].
        discriminator: maps images, and labels, to logits f32[N]; as an auxiliary classifier to those and to
            class logits f32[N, num_classes].
        latent_size: the length of a latent, >= 1.
        image_shape: (H, W, C).
        config: how the game is played.
        per_image: whether each logit depends on its own image alone, so that the discriminator has neither
            batch normalisation nor other statistics of a batch, nor computes in float16. Simultaneous updates
            then take one backward pass through it for both players, not two. Penalties on slopes ask for it.
        num_classes: K, where the game is conditioned on labels in 0 ... K - 1; generated images then have the
            labels of the real ones in the batch. None where labels are not used.

    Returns:
        A `jaxgan.steps.GAN`. Its step reports, as means over the whole batch, ``generator_loss``,
        ``discriminator_loss`` (without penalties), ``real_logit``, ``fake_logit``, ``real_accuracy`` and
        ``fake_accuracy`` (the shares of real and of generated images that the discriminator tells rightly;
        where a loss counts only differences of logits, an image passes for real above the mean of all); the
        norms of both gradients, ``generator_gradient_norm`` and ``discriminator_gradient_norm``, before they
        are clipped; and, where there is such a thing, ``penalty_NAME`` (as last worked out, without its
        weight), ``augment_p`` and ``skipped_updates``.

    Raises:
        InputError: a penalty that does not suit the discriminator, or an augmentation that does not suit the
            channels.
    """
    terms = penalties.parse_all(config.penalties)
    regularizer.check_terms(terms, per_image=per_image)
    augmentation = method.parse(config.augment)
    augmentation.check_channels(image_shape[2])
    rules = game.Rules(
        generator=generator,
        discriminator=discriminator,
        latent_size=latent_size,
        image_shape=image_shape,
        num_classes=num_classes,
        per_image=per_image,
        loss=losses.get(config.loss),
        simultaneous=config.updates == "simultaneous",
        discriminator_steps=config.discriminator_steps,
        ema_decay=config.ema_decay,
        txs={"generator": config.generator.build(), "discriminator": config.discriminator.build()},
        terms=terms,
        method=augmentation,
        ada_target=config.ada_target,
        ada_images=config.ada_images,
        dtype=DTYPES[config.compute_dtype],
    )

    def sample(state: GANState, key: Array, count: int, labels: Array | None = None) -> Array:
        inputs = [draw_latents(key, count, latent_size)]
        if num_classes is not None:
            known = draw_labels(jax.random.fold_in(key, 1), count, num_classes) if labels is None else labels
            inputs.append(known)
        elif labels is not None:
            raise ValueError("labels are given; this model was made without classes")
        return evaluate_network(generator, *averaged(state, state.generator), *inputs)

    return GAN(functools.partial(game.init, rules), functools.partial(game.step, rules), sample)
