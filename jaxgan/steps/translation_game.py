"""The step of a translator: generators from image to image, each against a discriminator of its own."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan import batch_axis, losses
from jaxgan.steps.average import Averages, init_averages, update_averages
from jaxgan.steps.optimizer import skipped_updates
from jaxgan.steps.pool import exchange, init_pool
from jaxgan.steps.state import NetState, TranslatorState, init_network, update_network
from jaxgan.steps.translation_rules import DIRECTIONS, Rules
from jaxgan.typing import Array, Batch, Metrics, PyTree

BACK = dict(zip(DIRECTIONS, reversed(DIRECTIONS), strict=True))
"""The opposite of each direction."""


def init(rules: Rules, key: Array) -> TranslatorState:
    """Makes the first state."""
    image, seen = jnp.zeros((1, *rules.image_shape)), jnp.zeros((1, *rules.seen_shape))
    keys = dict(zip(rules.directions, jax.random.split(key, len(rules.directions)), strict=True))
    pairs = {d: jax.random.split(keys[d]) for d in rules.directions}
    generators = {
        d: init_network(rules.generator, rules.txs["generator"], pairs[d][0], image) for d in rules.directions
    }
    averages = {d: init_averages(net, decay=rules.config.ema_decay) for d, net in generators.items()}
    return TranslatorState(
        step=jnp.zeros((), jnp.int32),
        generators=generators,
        discriminators={
            d: init_network(rules.discriminator, rules.txs["discriminator"], pairs[d][1], seen)
            for d in rules.directions
        },
        ema_params={d: average.params for d, average in averages.items()},
        ema_model_state={d: average.model_state for d, average in averages.items()},
        pools={d: init_pool(rules.pool_size, rules.seen_shape) for d in rules.directions}
        if rules.pool_size
        else {},
        weights={name: jnp.asarray(value, jnp.float32) for name, value in rules.factors.items()},
    )


def step(rules: Rules, state: TranslatorState, batch: Batch, key: Array) -> tuple[TranslatorState, Metrics]:
    """Plays one round."""
    pairs, key = rules.read(batch), jax.random.fold_in(key, state.step)
    generators, fakes, metrics = _update_generators(rules, state, pairs, key)
    discriminators, pools, told = {}, {}, []
    for number, direction in enumerate(rules.directions):
        own = jax.random.fold_in(jax.random.fold_in(key, 1), number)
        sources, targets = pairs[direction]
        shown = rules.show(sources, fakes[direction])
        if state.pools:
            pools[direction], shown = exchange(state.pools[direction], shown, jax.random.fold_in(own, 0))
        seen = (rules.show(sources, targets), shown)
        net, found = _update_discriminator(rules, state.discriminators[direction], state.weights, seen, own)
        discriminators[direction] = net
        told.append(found)
    metrics |= jax.tree.map(lambda *values: sum(values) / len(values), *told)
    averages = {
        d: update_averages(
            Averages(state.ema_params[d], state.ema_model_state[d]),
            net,
            decay=rules.config.ema_decay,
            step=state.step,
        )
        for d, net in generators.items()
    }
    after = TranslatorState(
        step=state.step + 1,
        generators=generators,
        discriminators=discriminators,
        ema_params={d: average.params for d, average in averages.items()},
        ema_model_state={d: average.model_state for d, average in averages.items()},
        pools=pools,
        weights=state.weights,
    )
    return after, metrics | _skipped(after)


def _update_generators(
    rules: Rules, state: TranslatorState, pairs: dict[str, tuple[Array, Array]], key: Array
) -> tuple[dict[str, NetState], dict[str, Array], Metrics]:
    """Moves all generators along the gradient of what they minimise together."""

    def objective(params: PyTree) -> tuple[Array, tuple[Metrics, dict[str, Array], dict[str, PyTree]]]:
        fakes, model_states, values = {}, {}, []
        for number, d in enumerate(rules.directions):
            own = jax.random.fold_in(jax.random.fold_in(key, 0), number)
            fakes[d], model_states[d] = rules.generate(params[d], state.generators[d], own, pairs[d][0])
        for number, d in enumerate(rules.directions):
            own = jax.random.fold_in(jax.random.fold_in(key, 2), number)
            values.append(_generator_losses(rules, state, params, d, pairs[d], fakes[d], own))
        means = batch_axis.pmean(jax.tree.map(lambda *found: sum(found) / len(found), *values))
        total = sum(state.weights[name] * value for name, value in means.items()) * len(rules.directions)
        return total, (means, fakes, model_states)

    params = {d: net.params for d, net in state.generators.items()}
    (_, (means, fakes, model_states)), gradients = jax.value_and_grad(objective, has_aux=True)(params)
    gradients = batch_axis.pmean(gradients)
    tx = rules.txs["generator"]
    generators = {
        d: update_network(net, tx, gradients[d], model_states[d]) for d, net in state.generators.items()
    }
    named = {name.replace("_weight", "_loss"): value for name, value in means.items()}
    metrics = {"generator_loss": named.pop("adversarial_loss"), **named}
    return generators, fakes, metrics | {"generator_gradient_norm": optax.tree.norm(gradients)}


def _generator_losses(
    rules: Rules,
    state: TranslatorState,
    params: PyTree,
    direction: str,
    pair: tuple[Array, Array],
    fakes: Array,
    key: Array,
) -> dict[str, Array]:
    """The losses of one direction by the names of their factors, without them, as means over this part."""
    (sources, targets), net = pair, state.discriminators[direction]
    keys = jax.random.split(key, 4)
    real_logits, fake_logits = (
        rules.judge(net.params, net, own, rules.show(sources, images))[0]
        for own, images in zip(keys, (targets, fakes), strict=False)
    )
    found = {"adversarial_weight": losses.get(rules.config.loss).generator(real_logits, fake_logits)}
    if "l1_weight" in rules.terms:
        found["l1_weight"] = jnp.abs(targets - fakes)
    if "cycle_weight" in rules.terms:
        back = BACK[direction]
        found["cycle_weight"] = jnp.abs(
            sources - rules.generate(params[back], state.generators[back], keys[2], fakes)[0]
        )
    if "identity_weight" in rules.terms:
        same, _ = rules.generate(params[direction], state.generators[direction], keys[3], targets)
        found["identity_weight"] = jnp.abs(targets - same)
    return {name: values.mean() for name, values in found.items()}


def _update_discriminator(
    rules: Rules, net: NetState, weights: dict[str, Array], seen: tuple[Array, Array], key: Array
) -> tuple[NetState, Metrics]:
    """Moves a discriminator, shown real and translated images."""
    loss = losses.get(rules.config.loss)
    keys = jax.random.split(jax.random.fold_in(key, 1))

    def objective(params: PyTree) -> tuple[Array, tuple[Array, Array, Array, PyTree]]:
        real, _ = rules.judge(params, net, keys[0], seen[0])
        fake, model_state = rules.judge(params, net, keys[1], seen[1])
        value = batch_axis.pmean(loss.discriminator(real, fake).mean())
        return weights["discriminator_weight"] * value, (value, real, fake, model_state)

    (_, (value, real, fake, model_state)), gradients = jax.value_and_grad(objective, has_aux=True)(net.params)
    gradients = batch_axis.pmean(gradients)
    means = batch_axis.pmean({"real_logit": real.mean(), "fake_logit": fake.mean()})
    middle = sum(means.values()) / 2 if loss.boundary is None else loss.boundary
    shares = {
        "real_accuracy": (real > middle).mean(dtype=jnp.float32),
        "fake_accuracy": (fake < middle).mean(dtype=jnp.float32),
    }
    metrics = {"discriminator_loss": value, "discriminator_gradient_norm": optax.tree.norm(gradients)}
    updated = update_network(net, rules.txs["discriminator"], gradients, model_state)
    return updated, metrics | means | batch_axis.pmean(shares)


def _skipped(state: TranslatorState) -> Metrics:
    nets: list[Any] = [*state.generators.values(), *state.discriminators.values()]
    counts = [skipped_updates(net.opt_state) for net in nets]
    known = [count for count in counts if count is not None]
    return {"skipped_updates": sum(known).astype(jnp.float32)} if known else {}
