"""Gatys: a picture is changed until a network sees the content of one and the style of another in it.

Gatys et al., arXiv:1508.06576. The network stays; what is trained is the picture. For the loss and where it
departs from the paper see `jaxgan.style.objective`, for the loop over sizes and steps `jaxgan.stylizing`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import flax
import jax
import jax.numpy as jnp
import optax

from jaxgan.style.encoders import Encoder
from jaxgan.style.objective import Style, Wanted, gram, parts, total
from jaxgan.typing import Array, Metrics
from jaxgan.validation import require

Optimizer = Literal["lbfgs", "adam"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The loss and the optimiser.

    Attributes:
        content_layers: the layers whose maps are to stay.
        style_layers: the layers whose correlations are to come.
        content_weight: alpha, >= 0.
        style_weight: beta, >= 0.
        variation_weight: gamma, >= 0: how much roughness costs.
        optimizer: ``"lbfgs"``, as in the paper, with a line search in each step, or ``"adam"``.
        learning_rate: of Adam, > 0.
        memory: the steps that L-BFGS remembers, >= 1.
    """

    content_layers: tuple[str, ...] = ("relu3_1",)
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    content_weight: float = 1.0
    style_weight: float = 60.0
    variation_weight: float = 1.0
    optimizer: Optimizer = "lbfgs"
    learning_rate: float = 0.02
    memory: int = 10

    def __post_init__(self) -> None:
        for name in ("content_weight", "style_weight", "variation_weight"):
            require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        known = get_args(Optimizer)
        require(self.optimizer in known, "optimizer", self.optimizer, "one of " + ", ".join(known))
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "> 0")
        require(self.memory >= 1, "memory", self.memory, ">= 1")


@flax.struct.dataclass
class StyleState:
    """The state of a style transfer.

    Attributes:
        step: int32[], the steps taken.
        images: f32[1, H, W, 3], the picture.
        opt_state: the optimiser's state.
    """

    step: Array
    images: Array
    opt_state: Any


class Stylizer(NamedTuple):
    """A style transfer as pure functions, none of them compiled.

    Attributes:
        want: ``(content, styles, weights, masks) -> wanted``: pictures f32[1, H, W, 3] in [0, 1]; for each
            style its weight f32[], and a mask f32[1, H, W, 1] in [0, 1] or None.
        init: ``(images) -> state``, from the picture to begin with.
        step: ``(state, wanted) -> (state, metrics)``; the metric is the ``loss`` before it. After Adam's
            step the picture is within [0, 1]; after one of L-BFGS it need not be.
        measure: ``(images, wanted) -> metrics``: the ``loss`` and its parts.
    """

    want: Callable[[Array, Sequence[Array], Sequence[Array], Sequence[Array | None]], Wanted]
    init: Callable[[Array], StyleState]
    step: Callable[[StyleState, Wanted], tuple[StyleState, Metrics]]
    measure: Callable[[Array, Wanted], Metrics]


def build(encoder: Encoder, config: Config = Config()) -> Stylizer:
    """Makes the functions.

    Raises:
        InputError: a layer that the encoder does not have.

    >>> from jaxgan.style import encoders
    >>> config = encoders.random_config(features=2)
    >>> encoder = Encoder("random", config, encoders.random(jax.random.key(0), config))
    >>> stylizer = build(encoder)
    >>> content, style = jax.ShapeDtypeStruct((1, 32, 40, 3), "float32"), jnp.zeros((1, 48, 32, 3))
    >>> def once(content):
    ...     wanted = stylizer.want(content, [style], [jnp.float32(1)], [None])
    ...     return stylizer.step(stylizer.init(content), wanted)
    >>> jax.eval_shape(once, content)[0].images.shape
    (1, 32, 40, 3)
    """
    encoder.check("style_layers", config.style_layers)
    encoder.check("content_layers", config.content_layers)
    layers = (*config.content_layers, *config.style_layers)
    tx: Any = optax.adam(config.learning_rate)
    if config.optimizer == "lbfgs":
        tx = optax.lbfgs(memory_size=config.memory)

    def want(
        content: Array,
        styles: Sequence[Array],
        weights: Sequence[Array],
        masks: Sequence[Array | None],
    ) -> Wanted:
        found = []
        for picture, weight, mask in zip(styles, weights, masks, strict=True):
            maps = encoder.see(picture, config.style_layers)
            found.append(Style({layer: gram(each) for layer, each in maps.items()}, weight, mask))
        numbers = (config.content_weight, config.style_weight, config.variation_weight)
        return Wanted(encoder.see(content, config.content_layers), found, *map(jnp.float32, numbers))

    def init(images: Array) -> StyleState:
        return StyleState(jnp.zeros((), jnp.int32), images, tx.init(images))

    def measure(images: Array, wanted: Wanted) -> Metrics:
        found = parts(images, encoder.see(images, layers), wanted)
        return {name: each.mean() for name, each in {"loss": total(found, wanted), **found}.items()}

    def step(state: StyleState, wanted: Wanted) -> tuple[StyleState, Metrics]:
        def loss(images: Array) -> Array:
            return measure(images, wanted)["loss"]

        if config.optimizer == "adam":
            value, gradient = jax.value_and_grad(loss)(state.images)
            updates, opt_state = tx.update(gradient, state.opt_state, state.images)
            images = jnp.clip(optax.apply_updates(state.images, updates), 0.0, 1.0)
        else:
            value, gradient = optax.value_and_grad_from_state(loss)(state.images, state=state.opt_state)
            updates, opt_state = tx.update(
                gradient, state.opt_state, state.images, value=value, grad=gradient, value_fn=loss
            )
            images = optax.apply_updates(state.images, updates)
        return StyleState(state.step + 1, images, opt_state), {"loss": value}

    return Stylizer(want, init, step, measure)


def repeat(stylizer: Stylizer, state: StyleState, wanted: Wanted, steps: int) -> tuple[StyleState, Array]:
    """Takes several steps as one loop: the new state, and the losses before each, f32[steps]."""

    def once(state: StyleState, _: None) -> tuple[StyleState, Array]:
        state, metrics = stylizer.step(state, wanted)
        return state, metrics["loss"]

    return jax.lax.scan(once, state, None, length=steps)
