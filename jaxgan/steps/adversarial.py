"""A GAN of two networks and the rules of their game."""

import functools
from collections.abc import Mapping

import flax.linen as nn
import jax

from jaxgan.steps import game
from jaxgan.steps.average import averaged
from jaxgan.steps.draws import draw_labels, draw_latents
from jaxgan.steps.records import GAN
from jaxgan.steps.rules import Adversarial, Rules
from jaxgan.steps.state import GANState, evaluate_network
from jaxgan.typing import Array


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
    rules = Rules(
        generator=generator,
        discriminator=discriminator,
        latent_size=latent_size,
        image_shape=image_shape,
        config=config,
        per_image=per_image,
        num_classes=num_classes,
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


def adversarial_of(
    networks: Mapping[str, tuple[nn.Module, tuple[int, ...]]],
    config: Adversarial,
    *,
    num_classes: int | None = None,
) -> GAN:
    """Makes a GAN of what a file of the zoo names as its networks; each image must be judged by itself.

    Args:
        networks: ``generator`` and ``discriminator``, each with the shape of one input, labels aside.
        config: how the game is played.
        num_classes: K, where the game is conditioned on labels; None where not.

    Returns:
        That of `adversarial`, for discriminators of which each logit depends on its own image alone.

    Raises:
        InputError: as `adversarial`.
    """
    (generator, (latent_size,)), (discriminator, image_shape) = (
        networks[player] for player in ("generator", "discriminator")
    )
    height, width, channels = image_shape
    return adversarial(
        generator,
        discriminator,
        latent_size=latent_size,
        image_shape=(height, width, channels),
        config=config,
        per_image=True,
        num_classes=num_classes,
    )
