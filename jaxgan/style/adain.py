r"""AdaIN: one pass gives any content the mean and deviation that the features of any style have.

Huang and Belongie, arXiv:1703.06868. A fixed VGG sees both pictures, the features of the content get the
statistics of those of the style, and a decoder, the only part that learns, makes a picture of them.
Departures: the VGG has random orthogonal weights unless others are put into the state; every distance is
divided by the size of what it is measured against, as in `jaxgan.style.objective`.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import flax
import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import batch_axis, nn, ops
from jaxgan.classifiers import vgg
from jaxgan.steps import Adam, NetState
from jaxgan.steps.state import evaluate_network, init_network, update_network
from jaxgan.style import encoders
from jaxgan.style.encoders import Encoder
from jaxgan.style.objective import distance
from jaxgan.typing import Array, Batch, Metrics, PyTree
from jaxgan.validation import require

EPSILON = 1e-5
"""What is added to variances."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The two networks and the loss.

    Attributes:
        image_size: (height, width) of the pictures of training, multiples of 2 ** (``stacks`` - 1), each at
            least 32.
        channels: 3.
        depth: the layers of the VGG: 11, 13, 16 or 19.
        features: its channels in the first stack, >= 1.
        pooling: what follows a stack, ``"average"`` or ``"max"``.
        stacks: the stack in whose first layer the statistics are exchanged, in [2, 5]; 4 in the paper.
        style_weight: the factor of the style's distance, >= 0.
        optimizer: the decoder's optimiser.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    domains: ClassVar[str] = "any"

    image_size: tuple[int, int] = (64, 64)
    channels: int = 3
    depth: int = 11
    features: int = 32
    pooling: vgg.Pooling = "average"
    stacks: int = 3
    style_weight: float = 2.0
    optimizer: Adam = Adam(learning_rate=1e-3)

    def __post_init__(self) -> None:
        require(self.channels == 3, "channels", self.channels, "3")
        require(2 <= self.stacks <= 5, "stacks", self.stacks, "in [2, 5]")
        factor = 2 ** (self.stacks - 1)
        fits = min(self.image_size) >= encoders.SMALLEST_SIDE and not any(s % factor for s in self.image_size)
        allowed = f"multiples of {factor}, each at least {encoders.SMALLEST_SIDE}"
        require(fits, "image_size", self.image_size, allowed)
        require(self.style_weight >= 0, "style_weight", self.style_weight, ">= 0")
        self.vgg  # noqa: B018  # which checks the rest

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)

    @property
    def vgg(self) -> vgg.Config:
        """The settings of the encoder."""
        return encoders.random_config(depth=self.depth, features=self.features, pooling=self.pooling)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose statistics are compared; in the last of them they are exchanged."""
        return tuple(f"relu{stack}_1" for stack in range(1, self.stacks + 1))


class Decoder(linen.Module):
    """Makes pictures f32[N, H, W, 3] of maps f32[N, h, w, C]: the encoder's convolutions the other way round.

    Nearest pixels in place of pooling, reflections in place of zeros outside the picture.
    """

    config: Config

    @linen.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f32[N, h, w, C] to f32[N, H, W, 3]."""
        del train
        widths = [self.config.features * min(2**stack, 8) for stack in range(self.config.stacks)]
        counts = vgg.STACKS[self.config.depth]
        for stack in range(self.config.stacks - 1, 0, -1):
            x = ops.relu(self._convolve(x, widths[stack - 1], f"conv{stack + 1}_1"))
            x = x.repeat(2, 1).repeat(2, 2)
            for number in range(counts[stack - 1], 1, -1):
                x = ops.relu(self._convolve(x, widths[stack - 1], f"conv{stack}_{number}"))
        return self._convolve(x, self.config.channels, "conv1_1")

    def _convolve(self, x: Array, features: int, name: str) -> Array:
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
        return nn.Conv2D(
            features, window=3, padding="VALID", kernel_init=linen.initializers.he_normal(), name=name
        )(x)


@flax.struct.dataclass
class AdaINState:
    """The state.

    Attributes:
        step: int32[], the number of steps taken.
        decoder: the decoder and its optimiser.
        encoder: the variables of the VGG, which stay.
    """

    step: Array
    decoder: NetState
    encoder: PyTree


class Stylist(NamedTuple):
    """Style transfer in one pass, as three pure functions, none of them compiled.

    Attributes:
        init: ``(key) -> state``.
        step: ``(state, batch, key) -> (state, metrics)``: contents ``batch["image"]`` and styles
            ``batch["target"]``, f32[N, H, W, 3] in [0, 1]. The metrics are ``loss`` and its parts.
        stylize: ``(state, images, styles, shares=None, strength=1.0) -> images``: contents f32[N, H, W, 3],
            any number of styles f32[N, H', W', 3], how much each counts, f32[S] (all alike by default), and
            how far it goes from the content to them, in [0, 1]. The sides of contents must be multiples of
            2 ** (stacks - 1).
    """

    init: Callable[[Array], AdaINState]
    step: Callable[[AdaINState, Batch, Array], tuple[AdaINState, Metrics]]
    stylize: Callable[..., Array]


def moments(maps: Array) -> tuple[Array, Array]:
    """The mean and the deviation of each channel of maps f[N, H, W, C]: f[N, 1, 1, C] each."""
    mean = maps.mean((1, 2), keepdims=True)
    variance = ((maps - mean) ** 2).mean((1, 2), keepdims=True)
    return mean, jnp.sqrt(variance + EPSILON)


def exchange(content: Array, style: Array) -> Array:
    r"""Gives maps the statistics of others.

    .. math:: y = \sigma(s) \frac{x - \mu(x)}{\sigma(x)} + \mu(s)

    with means and deviations over the places of each channel of each picture.

    Args:
        content: f[N, H, W, C].
        style: f[N, H', W', C].

    Returns:
        f[N, H, W, C].

    >>> maps = jnp.arange(8.0).reshape(1, 2, 4, 1)
    >>> bool(jnp.allclose(exchange(maps, 3 * maps + 1), 3 * maps + 1, atol=1e-4))
    True

    Source: Huang and Belongie, arXiv:1703.06868, equation 8.
    """
    (mean, deviation), (wanted_mean, wanted_deviation) = moments(content), moments(style)
    return wanted_deviation * (content - mean) / deviation + wanted_mean


def build(config: Config = Config()) -> Stylist:
    """Makes the functions.

    >>> stylist = build(Config(features=2))
    >>> state = jax.eval_shape(stylist.init, jax.random.key(0))
    >>> pictures = jax.ShapeDtypeStruct((2, 64, 64, 3), "float32")
    >>> jax.eval_shape(stylist.stylize, state, pictures, [pictures]).shape
    (2, 64, 64, 3)
    """
    decoder, tx = Decoder(config), config.optimizer.build()
    last = config.layers[-1]

    def see(state: AdaINState, images: Array) -> dict[str, Array]:
        return Encoder("encoder", config.vgg, state.encoder).see(images, config.layers)

    def init(key: Array) -> AdaINState:
        ours, theirs = jax.random.split(key)
        variables, image = encoders.random(theirs, config.vgg), jnp.zeros((1, *config.image_shape))
        maps = Encoder("encoder", config.vgg, variables).see(image, (last,))[last]
        return AdaINState(jnp.zeros((), jnp.int32), init_network(decoder, tx, ours, maps), variables)

    def step(state: AdaINState, batch: Batch, key: Array) -> tuple[AdaINState, Metrics]:
        del key  # nothing is drawn
        contents, styles = batch["image"], batch["target"]
        seen = see(state, styles)
        wanted = exchange(see(state, contents)[last], seen[last])

        def objective(params: PyTree) -> tuple[Array, Metrics]:
            images = evaluate_network(decoder, params, {}, wanted)
            maps = see(state, images)
            parts = {"content_loss": distance(maps[last], wanted), "style_loss": _style(maps, seen)}
            means = {name: batch_axis.pmean(part.mean()) for name, part in parts.items()}
            return means["content_loss"] + config.style_weight * means["style_loss"], means

        (loss, means), gradients = jax.value_and_grad(objective, has_aux=True)(state.decoder.params)
        updated = update_network(state.decoder, tx, batch_axis.pmean(gradients), {})
        return AdaINState(state.step + 1, updated, state.encoder), {"loss": loss, **means}

    def stylize(
        state: AdaINState,
        images: Array,
        styles: Sequence[Array],
        *,
        shares: Array | None = None,
        strength: float = 1.0,
    ) -> Array:
        shares = jnp.ones(len(styles)) if shares is None else shares
        maps = see(state, images)[last]
        moved = [exchange(maps, see(state, style)[last]) for style in styles]
        mixed = jnp.tensordot(shares / shares.sum(), jnp.stack(moved), 1)
        made = evaluate_network(decoder, state.decoder.params, {}, maps + strength * (mixed - maps))
        return jnp.clip(made, 0.0, 1.0)

    return Stylist(init, step, stylize)


def _style(found: dict[str, Array], wanted: dict[str, Array]) -> Array:
    """How far the statistics of maps are from those of others: f32[N], a mean over layers and statistics."""
    pairs = [
        pair for layer in found for pair in zip(moments(found[layer]), moments(wanted[layer]), strict=True)
    ]
    return functools.reduce(jnp.add, (distance(*pair) for pair in pairs)) / len(pairs)
