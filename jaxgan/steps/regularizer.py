"""The penalties of a game, in its step: their weights as arrays of the state, their gradients when due."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import batch_axis, penalties
from jaxgan.augment import diffaugment
from jaxgan.penalties import Anchors, Discriminate, Inputs, Term
from jaxgan.typing import Array, PyTree


class PenaltyState(NamedTuple):
    """What a game remembers of one penalty; arrays only, a part of a state.

    Attributes:
        weight: f32[], its factor, which a sweep may vary.
        value: f32[], the mean over the last batch for which it was worked out, without the weight.
        anchors: the averages that ``"lecam"`` compares with; () for the others.
    """

    weight: Array
    value: Array
    anchors: Anchors | tuple[()] = ()


States = dict[str, PenaltyState]


def init_penalties(terms: tuple[Term, ...]) -> States:
    """Makes the states of some penalties, by their names.

    >>> init_penalties(penalties.parse_all(("r1:5",)))["r1"].weight.item()
    5.0
    """

    def start(term: Term) -> PenaltyState:
        zeros = [jnp.zeros((), jnp.float32) for _ in range(3)]
        anchors = Anchors(*zeros[1:]) if term.name == "lecam" else ()
        return PenaltyState(jnp.asarray(term.weight, jnp.float32), zeros[0], anchors)

    return {term.name: start(term) for term in terms}


def on_logits(
    terms: tuple[Term, ...], states: States, real_logits: Array, fake_logits: Array, *, step: Array
) -> Array | float:
    """The penalties that look at logits alone, weighted: f32[N], or 0 without any."""
    total: Array | float = 0.0
    for term in terms:
        if term.name in penalties.ON_LOGITS:
            total = total + states[term.name].weight * penalties.lazily(
                step, term.every, functools.partial(_lecam, states[term.name], real_logits, fake_logits)
            )
    return total


def _lecam(state: PenaltyState, real_logits: Array, fake_logits: Array) -> Array:
    if not isinstance(state.anchors, Anchors):
        raise TypeError("the state of lecam holds no anchors")
    return penalties.lecam(real_logits, fake_logits, state.anchors)


def after_logits(terms: tuple[Term, ...], states: States, real_logits: Array, fake_logits: Array) -> States:
    """The states of those penalties after a batch: the anchors moved, as far as the logits are finite."""
    moved = dict(states)
    for term in terms:
        state = states[term.name]
        if isinstance(state.anchors, Anchors):
            value = batch_axis.pmean(penalties.lecam(real_logits, fake_logits, state.anchors).mean())
            anchors = penalties.update_anchors(state.anchors, real_logits, fake_logits)
            kept = jax.tree.map(_if_finite, anchors, state.anchors)
            moved[term.name] = PenaltyState(state.weight, value, kept)
    return moved


def _if_finite(new: Array, old: Array) -> Array:
    return jnp.where(jnp.isfinite(new), new, old)


def gradients(
    terms: tuple[Term, ...],
    states: States,
    discriminate: Callable[[PyTree], Discriminate],
    params: PyTree,
    inputs: Inputs,
    *,
    step: Array,
) -> tuple[PyTree | None, States]:
    r"""The gradient by the discriminator's params of the penalties that need passes of their own.

    .. math:: \sum_i w_i \, \nabla_\theta \frac{1}{N} \sum_n P_i(x_n; \theta)

    Each is worked out when it is due, and then counts k times. It has its own value and gradient inside the
    branch, so that nothing is kept for a backward pass at the other steps.

    Args:
        terms: the penalties.
        states: theirs.
        discriminate: params -> (images -> logits f32[N]), at a fixed draw of dropout and augmentation.
        params: the discriminator's.
        inputs: the images and a key; the logits in it are not looked at.
        step: int32[], the number of steps before this one.

    Returns:
        The gradient of this part of the batch, still to be averaged, or None without any such penalty; and
        the states with the values of those that were due.
    """
    total, moved = None, dict(states)
    for number, term in enumerate(terms):
        if term.name in penalties.ON_LOGITS:
            continue
        state = states[term.name]
        own = inputs._replace(key=jax.random.fold_in(inputs.key, number), augment=_shifted)
        due = functools.partial(_value_and_gradient, term, state.weight, discriminate, params, own)
        value, gradient = penalties.lazily(step, term.every, due)
        last = jnp.where(step % term.every == 0, value / term.every, state.value)
        moved[term.name] = state._replace(value=last)
        total = gradient if total is None else jax.tree.map(jnp.add, total, gradient)
    return total, moved


def _value_and_gradient(
    term: Term,
    weight: Array,
    discriminate: Callable[[PyTree], Discriminate],
    params: PyTree,
    inputs: Inputs,
) -> tuple[Array, PyTree]:
    def objective(params: PyTree) -> tuple[Array, Array]:
        at_params = discriminate(params)
        seen = inputs
        if term.name not in penalties.ON_SLOPES:
            seen = inputs._replace(
                real_logits=at_params(inputs.real_images), fake_logits=at_params(inputs.fake_images)
            )
        value = batch_axis.pmean(penalties.get(term.name)(at_params, seen).mean())
        return weight * value, value

    (_, value), gradient = jax.value_and_grad(objective, has_aux=True)(params)
    return value, gradient


def _shifted(key: Array, images: Array) -> Array:
    """The change under which ``"consistency"`` asks for the same opinion: shifts of up to an eighth."""
    return diffaugment.apply(key, images, policy="translation")
