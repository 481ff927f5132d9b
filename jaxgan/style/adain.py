r"""AdaIN: one pass gives any content the mean and deviation that the features of any style have.

Huang and Belongie, arXiv:1703.06868. A fixed VGG sees both pictures, the features of the content get the
statistics of those of the style, and a decoder, the only part that learns, makes a picture of them.
Departures: every distance is divided by the size of what it is measured against, as in
`jaxgan.style.objective`, so that the style's weight is none of the paper's. The default VGG has random
orthogonal weights and averages between its stacks; from its second stack, where nothing is lost but half of
the places, a small decoder learns within minutes to draw sharply.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import batch_axis, nn, ops
from jaxgan.classifiers import vgg
from jaxgan.steps import Adam, Recipe, Stylist, StylistState
from jaxgan.steps.optimizer import skipped_updates
from jaxgan.steps.state import evaluate_network, init_network, update_network
from jaxgan.style import encoders
from jaxgan.style.encoders import Encoder
from jaxgan.style.objective import distance, variation
from jaxgan.typing import Array, Batch, Metrics, PyTree
from jaxgan.validation import require

EPSILON = 1e-5
"""What is added to variances."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The two networks and the loss.

    Attributes:
        image_size: (height, width) of the pictures of training, multiples of 2 ** (``stacks`` - 1), each at
            least 32. A trained decoder draws pictures of any size.
        channels: 3.
        weights: what sees the pictures: ``"random"``, a VGG that has to be fetched from nowhere, or one that
            was trained on ImageNet and that ``jaxgan weights`` got: vgg11, vgg13, vgg16 or vgg19.
        depth: the layers of a random VGG: 11, 13, 16 or 19.
        features: the channels of its first stack, >= 1.
        pooling: what follows a stack of either, ``"average"`` or ``"max"``.
        stacks: the stack in whose first layer the statistics are exchanged, in [2, 5]; 4 in the paper.
        style_weight: the factor of the style's distance, >= 0.
        variation_weight: how much roughness costs, >= 0; nothing in the paper. Maps that are averages of
            2x2 places hardly see a grid of single pixels, and a decoder that may draw one does.
        optimizer: the decoder's optimiser.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    domains: ClassVar[str] = "any"

    image_size: tuple[int, int] = (64, 64)
    channels: int = 3
    weights: str = encoders.RANDOM
    depth: int = 13
    features: int = 32
    pooling: vgg.Pooling = "average"
    stacks: int = 2
    style_weight: float = 1.0
    variation_weight: float = 0.0
    optimizer: Adam = Adam(learning_rate=1e-3)

    def __post_init__(self) -> None:
        require(self.channels == 3, "channels", self.channels, "3")
        require(2 <= self.stacks <= 5, "stacks", self.stacks, "in [2, 5]")
        factor = self.factor
        fits = min(self.image_size) >= encoders.SMALLEST_SIDE and not any(s % factor for s in self.image_size)
        allowed = f"multiples of {factor}, each at least {encoders.SMALLEST_SIDE}"
        require(fits, "image_size", self.image_size, allowed)
        for name in ("style_weight", "variation_weight"):
            require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        self.vgg  # noqa: B018  # which checks the rest

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (*self.image_size, self.channels)

    @property
    def factor(self) -> int:
        """How often a side of the maps in which statistics are exchanged goes into that of the picture."""
        return int(2 ** (self.stacks - 1))

    @property
    def vgg(self) -> vgg.Config:
        """The settings of the encoder."""
        found = encoders.configure(
            self.weights, depth=self.depth, features=self.features, pooling=self.pooling
        )
        return dataclasses.replace(found, borders="reflect")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose statistics are compared; in the last of them they are exchanged."""
        return tuple(f"relu{stack}_1" for stack in range(1, self.stacks + 1))


PAPER = Recipe(
    Config(
        image_size=(256, 256),
        weights="vgg19",
        pooling="max",
        stacks=4,
        optimizer=Adam(learning_rate=1e-4),
    ),
    batch_size=8,
    steps=160_000,
    data="domains:contents,styles",
    images=80_000,
)
"""The paper's networks, batches and steps; for a GPU, with ``jaxgan weights vgg19`` and ``--data
domains:A,B`` for some 80,000 photographs and as many paintings."""
LARGEST_SIDE = 256
"""The pictures that it is trained on have sides up to this, as in the paper."""
PHOTOGRAPHS = Config(
    variation_weight=3.0,
    optimizer=Adam(learning_rate=2e-3, schedule="linear", hold=600, schedule_steps=1_200),
)
RECIPE = Recipe(PHOTOGRAPHS, batch_size=8, steps=1_200, data="photographs", images=4_000)
"""3 minutes on two cores of an Intel Xeon; then the loss on 200 held-out crops is 0.272, where the contents
themselves have 0.682, and with the colours of the styles 0.337."""


class Decoder(linen.Module):
    """Makes pictures f32[N, H, W, 3] of maps f32[N, h, w, C]: the encoder's convolutions the other way round.

    Nearest pixels in place of pooling, reflections in place of zeros outside the picture.
    """

    config: Config

    @linen.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Maps f32[N, h, w, C] to f32[N, H, W, 3]."""
        del train
        counts = vgg.STACKS[self.config.vgg.depth]
        for stack in range(self.config.stacks - 1, 0, -1):
            features = self.config.vgg.width(stack)
            x = ops.relu(self._convolve(x, features, f"conv{stack + 1}_1"))
            x = x.repeat(2, 1).repeat(2, 2)
            for number in range(counts[stack - 1], 1, -1):
                x = ops.relu(self._convolve(x, features, f"conv{stack}_{number}"))
        return self._convolve(x, self.config.channels, "conv1_1")

    def _convolve(self, x: Array, features: int, name: str) -> Array:
        kernel_init = linen.initializers.he_normal()
        return nn.Conv2D(features, window=3, padding="REFLECT", kernel_init=kernel_init, name=name)(x)


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


def build(config: Config = PHOTOGRAPHS) -> Stylist:
    """Makes the functions.

    The step reports ``loss`` and its parts, ``content_loss``, ``style_loss`` and ``variation``, as means over
    the whole batch. The pictures that ``stylize`` draws are as large as the contents: where a side is no
    multiple of what the stacks halve, the content is reflected beyond its edge, and the result cut.

    >>> stylist = build(Config(features=2))
    >>> state = jax.eval_shape(stylist.init, jax.random.key(0))
    >>> pictures = jax.ShapeDtypeStruct((2, 50, 67, 3), "float32")
    >>> jax.eval_shape(stylist.stylize, state, pictures, [pictures]).shape
    (2, 50, 67, 3)
    """
    decoder, tx = Decoder(config), config.optimizer.build()
    last, smallest = config.layers[-1], 2 * config.factor  # which leaves maps that can be reflected

    def see(state: StylistState, images: Array) -> dict[str, Array]:
        return Encoder("encoder", config.vgg, state.encoder).see(images, config.layers)

    def init(key: Array) -> StylistState:
        ours, theirs = jax.random.split(key)
        variables = encoders.random(theirs, config.vgg, until=last)
        maps = jnp.zeros((1, *networks(config)["decoder"][1]))
        return StylistState(
            step=jnp.zeros((), jnp.int32),
            network=init_network(decoder, tx, ours, maps),
            encoder=variables,
            weights={
                name: jnp.float32(getattr(config, name)) for name in ("style_weight", "variation_weight")
            },
        )

    def want(state: StylistState, batch: Batch) -> tuple[Array, dict[str, Array]]:
        """The maps that the pictures shall have, and those of the styles, by layer."""
        contents, styles = _read(batch)
        seen = see(state, styles)
        return exchange(see(state, contents)[last], seen[last]), seen

    def compare(state: StylistState, images: Array, wanted: Array, seen: dict[str, Array]) -> Metrics:
        maps = see(state, images)
        content, style = distance(maps[last], wanted), _style(maps, seen)
        rough, weights = variation(images), state.weights
        total = content + weights["style_weight"] * style + weights["variation_weight"] * rough
        return {"loss": total, "content_loss": content, "style_loss": style, "variation": rough}

    def measure(state: StylistState, images: Array, batch: Batch) -> Metrics:
        return compare(state, images, *want(state, batch))

    def step(state: StylistState, batch: Batch, key: Array) -> tuple[StylistState, Metrics]:
        del key  # nothing is drawn
        wanted, seen = want(state, batch)

        def objective(params: PyTree) -> tuple[Array, Metrics]:
            images = evaluate_network(decoder, params, {}, wanted)
            found = compare(state, images, wanted, seen)
            means = batch_axis.pmean({name: losses.mean() for name, losses in found.items()})
            return means["loss"], means

        (_, means), gradients = jax.value_and_grad(objective, has_aux=True)(state.network.params)
        updated = update_network(state.network, tx, batch_axis.pmean(gradients), {})
        skipped = skipped_updates(updated.opt_state)
        metrics = means if skipped is None else {**means, "skipped_updates": skipped.astype(jnp.float32)}
        return dataclasses.replace(state, step=state.step + 1, network=updated), metrics

    def stylize(
        state: StylistState,
        images: Array,
        styles: Sequence[Array],
        *,
        shares: Array | None = None,
        strength: float | Array = 1.0,
    ) -> Array:
        for picture in (images, *styles):
            fits = min(picture.shape[1:3]) >= smallest
            require(fits, "the size of a picture", picture.shape[1:3], f"at least {smallest} on each side")
        require(len(styles) > 0, "the number of styles", 0, "at least 1")
        height, width = images.shape[1:3]
        maps = see(state, _enlarge(images, config.factor))[last]
        shares = jnp.ones(len(styles)) if shares is None else shares
        moved = [exchange(maps, see(state, style)[last]) for style in styles]
        mixed = jnp.tensordot(shares / shares.sum(), jnp.stack(moved), 1)
        made = evaluate_network(decoder, state.network.params, {}, maps + strength * (mixed - maps))
        return jnp.clip(made[:, :height, :width], 0.0, 1.0)

    return Stylist(init, step, stylize, measure)


def networks(config: Config = PHOTOGRAPHS) -> dict[str, tuple[linen.Module, tuple[int, ...]]]:
    """Names the networks, each with the shape of one input; the first of them does not learn.

    >>> networks()["decoder"][1]
    (32, 32, 64)
    """
    height, width = (side // config.factor for side in config.image_size)
    return {
        "encoder": (encoders.Trunk(config.vgg, config.layers[-1]), config.image_shape),
        "decoder": (Decoder(config), (height, width, config.vgg.width(config.stacks))),
    }


def _read(batch: Batch) -> tuple[Array, Array]:
    """Gives the contents and the styles."""
    for name in ("image", "target"):
        if name not in batch:
            raise ValueError(f"the batch has no {name!r}; a stylist is trained on contents and styles")
    return batch["image"], batch["target"]


def _enlarge(images: Array, factor: int) -> Array:
    """Reflects f32[N, H, W, C] beyond its lower and right edges, up to multiples of a factor."""
    sides = [(0, -side % factor) for side in images.shape[1:3]]
    return jnp.pad(images, ((0, 0), *sides, (0, 0)), "reflect")


def _style(found: dict[str, Array], wanted: dict[str, Array]) -> Array:
    """How far the statistics of maps are from those of others: f32[N], a mean over layers and statistics."""
    pairs = [
        pair for layer in found for pair in zip(moments(found[layer]), moments(wanted[layer]), strict=True)
    ]
    return functools.reduce(jnp.add, (distance(*pair) for pair in pairs)) / len(pairs)
