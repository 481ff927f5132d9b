"""The step of two players: how a generator and a discriminator are updated against each other."""

import dataclasses
from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgan import batch_axis, losses
from jaxgan.steps.average import check_decay, init_average, update_average
from jaxgan.steps.backward import pull_once, pull_twice
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import GAN
from jaxgan.steps.state import (
    GANState,
    NetState,
    apply_network,
    evaluate_network,
    init_network,
    update_network,
)
from jaxgan.typing import Array, Batch, Metrics, PyTree
from jaxgan.validation import require


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
        generator: the generator's optimiser.
        discriminator: the discriminator's optimiser.
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
    generator: Adam = Adam(learning_rate=2e-4, b1=0.5)
    discriminator: Adam = Adam(learning_rate=2e-4, b1=0.5)

    def __post_init__(self) -> None:
        losses.get(self.loss)
        modes = ("simultaneous", "alternating")
        require(self.updates in modes, "updates", self.updates, " or ".join(map(repr, modes)))
        require(self.discriminator_steps >= 1, "discriminator_steps", self.discriminator_steps, ">= 1")
        check_decay(self.ema_decay)


def draw_latents(key: Array, count: int, size: int) -> Array:
    """Draws standard normal latents, each from the key of its own example.

    >>> draw_latents(jax.random.key(0), 2, 5).shape
    (2, 5)
    """
    keys = batch_axis.example_keys(key, count)
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(keys)


def adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    latent_size: int,
    image_shape: tuple[int, int, int],
    config: Adversarial,
    per_image: bool = False,
) -> GAN:
    """Makes a GAN of two networks.

    Args:
        generator: maps f32[N, latent_size] to images f32[N, *image_shape].
        discriminator: maps images to logits f32[N].
        latent_size: the length of a latent, >= 1.
        image_shape: (H, W, C).
        config: how the game is played.
        per_image: whether each logit depends on its own image alone, so that the discriminator has neither
            batch normalisation nor other statistics of a batch, nor computes in float16. Simultaneous updates
            then take one backward pass through it for both players, not two.

    Returns:
        A `jaxgan.steps.GAN`. Its step reports ``generator_loss``, ``discriminator_loss``,
        ``real_accuracy`` and ``fake_accuracy`` (the shares of real and of generated images that the
        discriminator tells rightly), as means over the whole batch. Where a loss counts only differences of
        logits, an image passes for real above the mean of all.
    """
    game = _Game(generator, discriminator, latent_size, image_shape, config, per_image)

    def init(key: Array) -> GANState:
        return game.init(key)

    def step(state: GANState, batch: Batch, key: Array) -> tuple[GANState, Metrics]:
        return game.step(state, batch, key)

    def sample(state: GANState, key: Array, count: int) -> Array:
        params = state.ema_params or state.generator.params
        latents = draw_latents(key, count, latent_size)
        return evaluate_network(generator, params, state.generator.model_state, latents)

    return GAN(init, step, sample)


class _Game(NamedTuple):
    """The constants of a game, and the functions that share them."""

    generator: nn.Module
    discriminator: nn.Module
    latent_size: int
    image_shape: tuple[int, int, int]
    config: Adversarial
    per_image: bool

    @property
    def loss(self) -> losses.Loss:
        return losses.get(self.config.loss)

    def init(self, key: Array) -> GANState:
        generator_key, discriminator_key = jax.random.split(key)
        generator = init_network(
            self.generator, self.config.generator.build(), generator_key, (self.latent_size,)
        )
        discriminator = init_network(
            self.discriminator, self.config.discriminator.build(), discriminator_key, self.image_shape
        )
        return GANState(
            step=jnp.zeros((), jnp.int32),
            generator=generator,
            discriminator=discriminator,
            ema_params=init_average(generator.params, decay=self.config.ema_decay),
        )

    def step(self, state: GANState, batch: Batch, key: Array) -> tuple[GANState, Metrics]:
        key = jax.random.fold_in(key, state.step)
        last = self.config.discriminator_steps - 1
        parts = self.split(batch["image"])
        generator, discriminator = state.generator, state.discriminator
        for number, images in enumerate(parts[:last]):
            draws = self.draw(jax.random.fold_in(key, number), images)
            discriminator, _ = self.update_discriminator(generator, discriminator, draws)
        draws = self.draw(jax.random.fold_in(key, last), parts[last])
        if self.config.updates == "simultaneous":
            generator, discriminator, metrics = self.update_both(generator, discriminator, draws)
        else:
            discriminator, metrics = self.update_discriminator(generator, discriminator, draws)
            generator, loss = self.update_generator(generator, discriminator, draws)
            metrics |= {"generator_loss": loss}
        ema_params = update_average(
            state.ema_params, generator.params, decay=self.config.ema_decay, step=state.step
        )
        return GANState(state.step + 1, generator, discriminator, ema_params), metrics

    def split(self, images: Array) -> list[Array]:
        """Divides a batch among the discriminator's updates; adjacent images go to different ones.

        The order makes the parts the same however the batch is divided over devices.
        """
        parts = self.config.discriminator_steps
        if images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise ValueError(
                f"batch['image'] has shape {images.shape}; the model takes [N, {str(self.image_shape)[1:-1]}]"
            )
        if images.shape[0] == 0 or images.shape[0] % parts:
            raise ValueError(
                f"batch['image'] holds {images.shape[0]} images; "
                f"with discriminator_steps {parts} it must be a positive multiple of that"
            )
        grouped = images.reshape(-1, parts, *self.image_shape)
        return [grouped[:, part] for part in range(parts)]

    def draw(self, key: Array, images: Array) -> "_Draws":
        names = ("latents", "generator", "real", "fake")
        keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
        latents = draw_latents(keys["latents"], images.shape[0], self.latent_size)
        return _Draws(images, latents, keys["generator"], keys["real"], keys["fake"])

    def generate(self, params: PyTree, state: NetState, draws: "_Draws") -> tuple[Array, PyTree]:
        return apply_network(self.generator, params, state.model_state, draws.latents, draws.generator_key)

    def judge(self, params: PyTree, model_state: PyTree, images: Array, key: Array) -> tuple[Array, PyTree]:
        logits, model_state = apply_network(self.discriminator, params, model_state, images, key)
        return logits.astype(jnp.float32), model_state

    def judge_both(
        self, params: PyTree, model_state: PyTree, draws: "_Draws", fakes: Array
    ) -> tuple[tuple[Array, Array], PyTree]:
        real_logits, model_state = self.judge(params, model_state, draws.images, draws.real_key)
        fake_logits, model_state = self.judge(params, model_state, fakes, draws.fake_key)
        return (real_logits, fake_logits), model_state

    def update_both(
        self, generator: NetState, discriminator: NetState, draws: "_Draws"
    ) -> tuple[NetState, NetState, Metrics]:
        """Updates both players from one forward pass."""
        fakes, pull_generator, generator_state = jax.vjp(
            lambda params: self.generate(params, generator, draws), generator.params, has_aux=True
        )
        logits, pull_discriminator, discriminator_state = jax.vjp(
            lambda params, fakes: self.judge_both(params, discriminator.model_state, draws, fakes),
            discriminator.params,
            fakes,
            has_aux=True,
        )
        loss = self.loss
        discriminator_loss, discriminator_bars = jax.value_and_grad(_mean_of(loss.discriminator))(logits)
        generator_loss, generator_bars = jax.value_and_grad(_mean_of(loss.generator))(logits)
        pull = pull_once if self.per_image else pull_twice
        discriminator_gradients, fakes_bar = pull(pull_discriminator, discriminator_bars, generator_bars)
        (generator_gradients,) = pull_generator(fakes_bar)
        metrics = _metrics(discriminator_loss, logits, loss.boundary) | {"generator_loss": generator_loss}
        return (
            self.updated("generator", generator, generator_gradients, generator_state),
            self.updated("discriminator", discriminator, discriminator_gradients, discriminator_state),
            metrics,
        )

    def update_discriminator(
        self, generator: NetState, discriminator: NetState, draws: "_Draws"
    ) -> tuple[NetState, Metrics]:
        fakes, _ = self.generate(generator.params, generator, draws)

        def objective(params: PyTree) -> tuple[Array, tuple[tuple[Array, Array], PyTree]]:
            logits, model_state = self.judge_both(params, discriminator.model_state, draws, fakes)
            return _mean_of(self.loss.discriminator)(logits), (logits, model_state)

        value_and_grad = jax.value_and_grad(objective, has_aux=True)
        (loss, (logits, model_state)), gradients = value_and_grad(discriminator.params)
        state = self.updated("discriminator", discriminator, gradients, model_state)
        return state, _metrics(loss, logits, self.loss.boundary)

    def update_generator(
        self, generator: NetState, discriminator: NetState, draws: "_Draws"
    ) -> tuple[NetState, Array]:
        def objective(params: PyTree) -> tuple[Array, PyTree]:
            fakes, model_state = self.generate(params, generator, draws)
            logits, _ = self.judge_both(discriminator.params, discriminator.model_state, draws, fakes)
            return _mean_of(self.loss.generator)(logits), model_state

        (loss, model_state), gradients = jax.value_and_grad(objective, has_aux=True)(generator.params)
        return self.updated("generator", generator, gradients, model_state), loss

    def updated(
        self,
        player: Literal["generator", "discriminator"],
        state: NetState,
        gradients: PyTree,
        model_state: PyTree,
    ) -> NetState:
        tx: optax.GradientTransformation = getattr(self.config, player).build()
        return update_network(state, tx, batch_axis.pmean(gradients), model_state)


class _Draws(NamedTuple):
    """What one update draws: real images, latents, and a key for each pass through a network."""

    images: Array
    latents: Array
    generator_key: Array
    real_key: Array
    fake_key: Array


def _mean_of(loss: losses.PlayerLoss):  # type: ignore[no-untyped-def]
    """Reduces a player's loss over the whole batch."""

    def mean(logits: tuple[Array, Array]) -> Array:
        return batch_axis.pmean(loss(*logits).mean())

    return mean


def _metrics(discriminator_loss: Array, logits: tuple[Array, Array], boundary: float | None) -> Metrics:
    real_logits, fake_logits = logits
    middle = batch_axis.pmean((real_logits + fake_logits).mean() / 2) if boundary is None else boundary
    shares = {
        "real_accuracy": (real_logits > middle).mean(dtype=jnp.float32),
        "fake_accuracy": (fake_logits < middle).mean(dtype=jnp.float32),
    }
    return {"discriminator_loss": discriminator_loss, **batch_axis.pmean(shares)}
