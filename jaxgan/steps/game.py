"""The step of two players: how a generator and a discriminator are updated against each other."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan import batch_axis
from jaxgan.augment import controller
from jaxgan.augment.controller import Ada
from jaxgan.penalties import Inputs
from jaxgan.steps import regularizer
from jaxgan.steps.average import Averages, init_averages, update_averages
from jaxgan.steps.backward import Opinion, Opinions, pull_once, pull_twice
from jaxgan.steps.draws import Draws, draw, split_batch
from jaxgan.steps.optimizer import skipped_updates
from jaxgan.steps.rules import Rules
from jaxgan.steps.state import GANState, NetState, apply_network, init_network, update_network
from jaxgan.typing import Array, Batch, Metrics, PyTree


def init(rules: Rules, key: Array) -> GANState:
    """Makes the first state."""
    generator_key, discriminator_key = jax.random.split(key)
    labels = () if rules.num_classes is None else (jnp.zeros(1, jnp.int32),)
    latents, images = jnp.zeros((1, rules.latent_size)), jnp.zeros((1, *rules.image_shape))
    generator = init_network(rules.generator, rules.txs["generator"], generator_key, latents, *labels)
    averages = init_averages(generator, decay=rules.config.ema_decay)
    return GANState(
        step=jnp.zeros((), jnp.int32),
        generator=generator,
        discriminator=init_network(
            rules.discriminator, rules.txs["discriminator"], discriminator_key, images, *labels
        ),
        ema_params=averages.params,
        ema_model_state=averages.model_state,
        penalties=regularizer.init_penalties(rules.terms),
        augmentation=rules.method.init(),
    )


def step(rules: Rules, state: GANState, batch: Batch, key: Array) -> tuple[GANState, Metrics]:
    """Plays one round."""
    key = jax.random.fold_in(key, state.step)
    parts = split_batch(
        batch, rules.config.discriminator_steps, rules.image_shape, labelled=rules.num_classes is not None
    )
    play = _Round(rules, state.step, rules.method.bind(state.augmentation))
    generator = state.generator

    def prepare(number: Array, part: tuple[Array, ...]) -> Draws:
        images, *conditions = part
        return draw(jax.random.fold_in(key, number), images, tuple(conditions), rules.latent_size)

    def tell(player: _Player, numbered: tuple[Array, tuple[Array, ...]]) -> tuple[_Player, None]:
        told = play.update_discriminator(generator, *player, prepare(*numbered))
        return (told.discriminator, told.penalties), None

    player, last = (state.discriminator, state.penalties), rules.config.discriminator_steps - 1
    if last:  # in a loop, so that what is compiled does not grow with the number of updates
        first = jax.tree.map(lambda array: array[:last], parts)
        player, _ = jax.lax.scan(tell, player, (jnp.arange(last), first))
    draws = prepare(jnp.int32(last), jax.tree.map(lambda array: array[last], parts))
    if rules.config.updates == "simultaneous":
        generator, told, norms = play.update_both(generator, *player, draws)
    else:
        told = play.update_discriminator(generator, *player, draws)
        generator, norms = play.update_generator(generator, told.discriminator, draws)
    averages = Averages(state.ema_params, state.ema_model_state)
    averages = update_averages(averages, generator, decay=rules.config.ema_decay, step=state.step)
    augmentation = _controlled(rules, state.augmentation, told.opinions[0].logits)
    after = GANState(state.step + 1, generator, told.discriminator, *averages, told.penalties, augmentation)
    return after, _metrics(rules, told, after) | norms


_Player = tuple[NetState, regularizer.States]
"""The discriminator and what is remembered of its penalties."""


class _Judged(NamedTuple):
    """What the discriminator said of the images of an update, and what follows from its loss."""

    fakes: Array
    opinions: Opinions
    loss: Array
    gradients: PyTree
    model_state: PyTree


class _Told(NamedTuple):
    """What an update of the discriminator gives."""

    discriminator: NetState
    penalties: regularizer.States
    opinions: Opinions
    metrics: Metrics


class _Round(NamedTuple):
    """The updates of one step, all at the same strength of augmentation."""

    rules: Rules
    step: Array
    augment: Callable[[Array, Array], Array]

    def generate(self, params: PyTree, state: NetState, draws: Draws) -> tuple[Array, PyTree]:
        inputs = (draws.latents.astype(self.rules.dtype), *draws.conditions)
        images, model_state = apply_network(
            self.rules.generator, params, state.model_state, draws.generator_key, *inputs
        )
        return images.astype(jnp.float32), model_state

    def judge(
        self, params: PyTree, model_state: PyTree, images: Array, key: Array, draws: Draws
    ) -> tuple[Opinion, PyTree]:
        images = self.augment(jax.random.fold_in(key, 1), images)
        inputs = (images.astype(self.rules.dtype), *draws.conditions)
        output, model_state = apply_network(self.rules.discriminator, params, model_state, key, *inputs)
        output = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), output)
        opinion = Opinion(*output) if isinstance(output, tuple) else Opinion(output)
        if opinion.class_logits is not None and self.rules.num_classes is None:
            raise ValueError("the discriminator gives class logits; that takes num_classes, which is None")
        return opinion, model_state

    def judge_both(
        self, params: PyTree, model_state: PyTree, fakes: Array, draws: Draws
    ) -> tuple[Opinions, PyTree]:
        real, model_state = self.judge(params, model_state, draws.images, draws.real_key, draws)
        fake, model_state = self.judge(params, model_state, fakes, draws.fake_key, draws)
        return (real, fake), model_state

    def discriminator_loss(
        self, opinions: Opinions, penalties: regularizer.States, draws: Draws
    ) -> tuple[Array, Array]:
        """The loss with the penalties on logits, which is differentiated, and without, which is shown."""
        real, fake = opinions
        values = self.rules.loss.discriminator(real.logits, fake.logits)
        values = values + _class_loss(real, draws) + _class_loss(fake, draws)
        extra = regularizer.on_logits(self.rules.terms, penalties, real.logits, fake.logits, step=self.step)
        return batch_axis.pmean((values + extra).mean()), batch_axis.pmean(values.mean())

    def generator_loss(self, opinions: Opinions, draws: Draws) -> Array:
        real, fake = opinions
        values = self.rules.loss.generator(real.logits, fake.logits) + _class_loss(fake, draws)
        return batch_axis.pmean(values.mean())

    def update_both(
        self, generator: NetState, discriminator: NetState, penalties: regularizer.States, draws: Draws
    ) -> tuple[NetState, _Told, Metrics]:
        """Updates both players from one forward pass."""
        fakes, pull_generator, generator_state = jax.vjp(
            lambda params: self.generate(params, generator, draws), generator.params, has_aux=True
        )
        opinions, pull_discriminator, discriminator_state = jax.vjp(
            lambda params, fakes: self.judge_both(params, discriminator.model_state, fakes, draws),
            discriminator.params,
            fakes,
            has_aux=True,
        )
        value_and_bars = jax.value_and_grad(self.discriminator_loss, has_aux=True)
        (_, loss), discriminator_bars = value_and_bars(opinions, penalties, draws)
        generator_loss, generator_bars = jax.value_and_grad(self.generator_loss)(opinions, draws)
        alone = self.rules.per_image and opinions[0].class_logits is None
        pull = pull_once if alone else pull_twice
        gradients, fakes_bar = pull(pull_discriminator, discriminator_bars, generator_bars)
        (generator_gradients,) = pull_generator(fakes_bar)
        generator, norm = self.updated("generator", generator, generator_gradients, generator_state)
        judged = _Judged(fakes, opinions, loss, gradients, discriminator_state)
        told = self.tell(discriminator, penalties, draws, judged)
        return generator, told, {"generator_loss": generator_loss, **norm}

    def update_discriminator(
        self, generator: NetState, discriminator: NetState, penalties: regularizer.States, draws: Draws
    ) -> _Told:
        fakes, _ = self.generate(generator.params, generator, draws)

        def objective(params: PyTree) -> tuple[Array, tuple[Array, Opinions, PyTree]]:
            opinions, model_state = self.judge_both(params, discriminator.model_state, fakes, draws)
            total, loss = self.discriminator_loss(opinions, penalties, draws)
            return total, (loss, opinions, model_state)

        value_and_grad = jax.value_and_grad(objective, has_aux=True)
        (_, (loss, opinions, model_state)), gradients = value_and_grad(discriminator.params)
        judged = _Judged(fakes, opinions, loss, gradients, model_state)
        return self.tell(discriminator, penalties, draws, judged)

    def update_generator(
        self, generator: NetState, discriminator: NetState, draws: Draws
    ) -> tuple[NetState, Metrics]:
        def objective(params: PyTree) -> tuple[Array, PyTree]:
            fakes, model_state = self.generate(params, generator, draws)
            opinions, _ = self.judge_both(discriminator.params, discriminator.model_state, fakes, draws)
            return self.generator_loss(opinions, draws), model_state

        (loss, model_state), gradients = jax.value_and_grad(objective, has_aux=True)(generator.params)
        generator, norm = self.updated("generator", generator, gradients, model_state)
        return generator, {"generator_loss": loss, **norm}

    def tell(
        self, discriminator: NetState, penalties: regularizer.States, draws: Draws, judged: _Judged
    ) -> _Told:
        """Adds the penalties' gradients to the loss's and moves the discriminator along both."""
        real, fake = (opinion.logits for opinion in judged.opinions)
        inputs = Inputs(draws.images, judged.fakes, real, fake, draws.penalty_key)

        def discriminate(params: PyTree) -> Callable[[Array], Array]:
            def logits(images: Array) -> Array:
                opinion, _ = self.judge(params, discriminator.model_state, images, draws.real_key, draws)
                return opinion.logits

            return logits

        extra, penalties = regularizer.gradients(
            self.rules.terms, penalties, discriminate, discriminator.params, inputs, step=self.step
        )
        gradients = judged.gradients if extra is None else jax.tree.map(jnp.add, judged.gradients, extra)
        penalties = regularizer.after_logits(self.rules.terms, penalties, real, fake)
        discriminator, norm = self.updated("discriminator", discriminator, gradients, judged.model_state)
        return _Told(discriminator, penalties, judged.opinions, {"discriminator_loss": judged.loss, **norm})

    def updated(
        self,
        player: Literal["generator", "discriminator"],
        state: NetState,
        gradients: PyTree,
        model_state: PyTree,
    ) -> tuple[NetState, Metrics]:
        gradients = batch_axis.pmean(gradients)
        norm = {f"{player}_gradient_norm": optax.tree.norm(gradients)}
        return update_network(state, self.rules.txs[player], gradients, model_state), norm


def _class_loss(opinion: Opinion, draws: Draws) -> Array | float:
    """How wrong an auxiliary classifier is of the labels: f32[N] (Odena et al., arXiv:1610.09585)."""
    if opinion.class_logits is None:
        return 0.0
    return optax.softmax_cross_entropy_with_integer_labels(opinion.class_logits, *draws.conditions)


def _controlled(rules: Rules, augmentation: Ada | dict, real_logits: Array) -> Ada | dict:
    if not isinstance(augmentation, Ada):
        return augmentation
    return controller.update(
        augmentation,
        real_logits,
        batch_size=len(real_logits) * batch_axis.parts(),
        target=rules.config.ada_target,
        images_to_one=rules.config.ada_images,
    )


def _metrics(rules: Rules, told: _Told, after: GANState) -> Metrics:
    real, fake = (opinion.logits for opinion in told.opinions)
    means = batch_axis.pmean({"real_logit": real.mean(), "fake_logit": fake.mean()})
    boundary = rules.loss.boundary
    middle = sum(means.values()) / 2 if boundary is None else boundary
    shares = {
        "real_accuracy": (real > middle).mean(dtype=jnp.float32),
        "fake_accuracy": (fake < middle).mean(dtype=jnp.float32),
    }
    metrics = told.metrics | batch_axis.pmean(shares) | means
    metrics |= {f"penalty_{name}": state.value for name, state in after.penalties.items()}
    if isinstance(after.augmentation, Ada):
        metrics["augment_p"] = after.augmentation.p
    counts = [skipped_updates(state.opt_state) for state in (after.generator, after.discriminator)]
    if skipped := [count for count in counts if count is not None]:
        metrics["skipped_updates"] = sum(skipped).astype(jnp.float32)
    return metrics
