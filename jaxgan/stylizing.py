"""Style transfer from the pictures to the result: size after size, with word of it, or in one pass.

The mathematics is in `jaxgan.style`; here weights are read, programs compiled and progress told.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import parallel, weights
from jaxgan.classifiers import vgg
from jaxgan.steps import Stylist, StylistState
from jaxgan.style import colors, encoders, gatys
from jaxgan.style.colors import Colors
from jaxgan.style.encoders import RANDOM, SMALLEST_SIDE, TRAINED, Encoder
from jaxgan.style.objective import Wanted
from jaxgan.typing import Array
from jaxgan.validation import require

Begin = Literal["content", "noise"]
CHUNK = 10
"""The steps between two words of progress."""
NOISE = 0.1
"""The deviation of the noise to begin with, around grey."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(gatys.Config):
    """How a picture is made.

    Attributes:
        weights: what sees the pictures: ``"random"``, a VGG that has to be fetched from nowhere, or one
            that was trained on ImageNet and that ``jaxgan weights`` got: vgg11, vgg13, vgg16 or vgg19.
        depth: the layers of a random VGG: 11, 13, 16 or 19.
        features: the channels of its first stack, >= 1.
        pooling: what follows a stack of either. Averages draw smoother textures than the maxima that VGG was
            trained with.
        colors: whose colours the result has: ``"style"``, for which the content is recoloured first,
            ``"content"``, for which the styles are (arXiv:1606.05897), or ``"free"``, nothing of either.
        begin: from what: ``"content"`` or ``"noise"``.
        steps: the steps at each size, >= 1.
        sizes: the number of sizes, >= 1; the last is that of the content, each before it half as large.
        seed: of random weights and of noise.
    """

    weights: str = RANDOM
    depth: int = 16
    features: int = 32
    pooling: vgg.Pooling = "average"
    colors: Colors = "style"
    begin: Begin = "content"
    steps: int = 80
    sizes: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (
            ("weights", (RANDOM, *TRAINED)),
            ("colors", get_args(Colors)),
            ("begin", get_args(Begin)),
        ):
            require(getattr(self, name) in known, name, getattr(self, name), "one of " + ", ".join(known))
        for name in ("steps", "sizes"):
            require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        require(0 <= self.seed < 2**32, "seed", self.seed, "in [0, 2**32)")

    @property
    def vgg(self) -> vgg.Config:
        """The settings of the network that sees the pictures."""
        return encoders.configure(
            self.weights, depth=self.depth, features=self.features, pooling=self.pooling
        )

    @property
    def least_side(self) -> int:
        """What each side of a picture must have, so that the first size is not too small."""
        return int(SMALLEST_SIDE * 2 ** (self.sizes - 1))


class Style(NamedTuple):
    """A picture whose style is wanted.

    Attributes:
        picture: f32[H, W, 3] in [0, 1].
        weight: how much it counts beside other styles, >= 0.
        mask: f32[H', W'] in [0, 1], as large as the content: where; None for everywhere.
    """

    picture: np.ndarray
    weight: float = 1.0
    mask: np.ndarray | None = None


class Progress(NamedTuple):
    """How far it is.

    Attributes:
        step: the steps taken, over all sizes.
        steps: how many there will be.
        losses: the ``loss`` and its parts by name.
        picture: f32[H, W, 3] in [0, 1], as it is now.
    """

    step: int
    steps: int
    losses: dict[str, float]
    picture: np.ndarray


def encoder(settings: Settings) -> Encoder:
    """Makes what sees the pictures.

    Raises:
        InputError: its weights are not there.
    """
    config = settings.vgg
    if settings.weights != RANDOM:
        variables, _ = weights.load(settings.weights)
        return Encoder(settings.weights, config, variables)
    draw = parallel.compile_once(functools.partial(encoders.random, config=config))
    return Encoder(RANDOM, config, draw(jax.random.key(settings.seed)))


def describe(settings: Settings) -> str:
    """Says what sees the pictures.

    >>> describe(Settings())
    'a VGG of 16 layers with random weights, which knows textures and colours but no objects'
    """
    if settings.weights == RANDOM:
        what = "with random weights, which knows textures and colours but no objects"
        return f"a VGG of {settings.depth} layers {what}"
    return f"{settings.weights}, trained on ImageNet"


def stylize(
    content: np.ndarray, styles: Sequence[Style], settings: Settings = Settings()
) -> Iterator[Progress]:
    """Makes the content of one picture in the style of others.

    Args:
        content: f32[H, W, 3] in [0, 1]; the result has this size.
        styles: at least one.
        settings: how.

    Yields:
        How far it is, every `CHUNK` steps and at the end of each size; the last one has the result.

    Raises:
        InputError: no style, a weight below 0 or none above, a mask of another size, a picture that is too
            small, a layer that there is not, weights that are not there.

    >>> content, style = np.zeros((32, 48, 3), np.float32), Style(np.ones((40, 40, 3), np.float32))
    >>> settings = Settings(features=2, steps=1, sizes=1)
    >>> [made.picture.shape for made in stylize(content, [style], settings)]
    [(32, 48, 3)]
    """
    _check(content, styles, settings)
    seer = encoder(settings)
    return _stylize(content, styles, settings, gatys.build(seer, settings))


def _stylize(
    content: np.ndarray, styles: Sequence[Style], settings: Settings, stylizer: gatys.Stylizer
) -> Iterator[Progress]:
    shares = [jnp.float32(style.weight / sum(style.weight for style in styles)) for style in styles]
    pictures = [jnp.asarray(style.picture, jnp.float32)[None] for style in styles]
    masks = [None if style.mask is None else jnp.float32(style.mask)[None, :, :, None] for style in styles]
    whole = jnp.asarray(content, jnp.float32)[None]
    prepare = parallel.compile_function(
        functools.partial(_prepare, stylizer, settings.colors), static_argnums=(4,)
    )
    repeat = parallel.compile_function(functools.partial(gatys.repeat, stylizer), static_argnums=(2,))
    measure = parallel.compile_function(stylizer.measure)
    start, done = None, 0
    for factor in (2 ** (settings.sizes - number) for number in range(1, settings.sizes + 1)):
        wanted, begin = prepare(whole, pictures, shares, masks, factor)
        if settings.begin == "noise":
            begin = 0.5 + NOISE * jax.random.normal(jax.random.key(settings.seed), begin.shape)
        state = stylizer.init(begin if start is None else _resize(start, begin.shape[1:3]))
        for at in range(0, settings.steps, CHUNK):
            count = min(CHUNK, settings.steps - at)
            state, _ = repeat(state, wanted, count)
            done += count
            losses = {name: float(value) for name, value in measure(state.images, wanted).items()}
            picture = np.clip(np.asarray(state.images[0]), 0.0, 1.0)
            yield Progress(done, settings.steps * settings.sizes, losses, picture)
        start = jnp.clip(state.images, 0.0, 1.0)


def in_one_pass(
    stylist: Stylist,
    state: StylistState,
    content: np.ndarray,
    styles: Sequence[Style],
    *,
    strength: float = 1.0,
    whose: Colors = "free",
) -> np.ndarray:
    """Draws the content of one picture in the style of others by a stylist that has learnt to.

    Args:
        stylist: what a model of the zoo builds, such as `jaxgan.style.adain`.
        state: its state.
        content: f32[H, W, 3] in [0, 1]; the result has this size.
        styles: at least one, none with a mask.
        strength: how far it goes from the content to the styles, in [0, 1].
        whose: whose colours the result has, as ``colors`` of `Settings` says.

    Returns:
        f32[H, W, 3] in [0, 1].

    Raises:
        InputError: no style, a weight below 0 or none above, a mask, a strength outside [0, 1], a picture
            that is too small.

    >>> from jaxgan.style import adain
    >>> stylist = adain.build(adain.Config(features=2, stacks=2))
    >>> content, style = np.zeros((33, 47, 3), np.float32), Style(np.ones((40, 40, 3), np.float32))
    >>> in_one_pass(stylist, stylist.init(jax.random.key(0)), content, [style]).shape
    (33, 47, 3)
    """
    require(0 <= strength <= 1, "strength", strength, "in [0, 1]")
    require(whose in get_args(Colors), "colors", whose, "one of " + ", ".join(get_args(Colors)))
    _check_pictures(content, styles)
    masked = sum(style.mask is not None for style in styles)
    require(masked == 0, "the number of masks", masked, "0 in one pass")

    def draw(
        state: StylistState, content: Array, pictures: list[Array], shares: Array, strength: Array
    ) -> Array:
        content, pictures = colors.settle(whose, content, pictures, list(shares), [None] * len(pictures))
        return stylist.stylize(state, content, pictures, shares=shares, strength=strength)[0]

    total = sum(style.weight for style in styles)
    shares = jnp.asarray([style.weight / total for style in styles], jnp.float32)
    whole, *pictures = (
        jnp.asarray(each, jnp.float32)[None] for each in (content, *(s.picture for s in styles))
    )
    function = parallel.compile_function(draw)
    return np.asarray(function(state, whole, pictures, shares, jnp.float32(strength)))


def _prepare(
    stylizer: gatys.Stylizer,
    whose: Colors,
    content: Array,
    styles: Sequence[Array],
    shares: Sequence[Array],
    masks: Sequence[Array | None],
    factor: int,
) -> tuple[Wanted, Array]:
    """Shrinks and recolours the pictures: what is wanted of them, and the content as it is then."""
    content, *styles = (_shrink(each, factor) for each in (content, *styles))
    content, styles = colors.settle(whose, content, styles, shares, masks)
    return stylizer.want(content, styles, shares, masks), content


def _shrink(images: Array, factor: int) -> Array:
    return _resize(images, tuple(-(-side // factor) for side in images.shape[1:3]))


def _resize(images: Array, size: Sequence[int]) -> Array:
    """Resizes f32[N, H, W, C]; linearly, and antialiased where it shrinks."""
    return jax.image.resize(images, (images.shape[0], *size, images.shape[3]), "linear")


def _check(content: np.ndarray, styles: Sequence[Style], settings: Settings) -> None:
    _check_pictures(content, styles)
    least = settings.least_side
    for name, picture in (("content", content), *(("style", style.picture) for style in styles)):
        fits = min(picture.shape[:2]) >= least
        limit = f"at least {least} on each side for {settings.sizes} size(s)"
        require(fits, f"the size of the {name}", picture.shape[:2], limit)


def _check_pictures(content: np.ndarray, styles: Sequence[Style]) -> None:
    require(len(styles) > 0, "the number of styles", 0, "at least 1")
    for style in styles:
        require(style.weight >= 0, "the weight of a style", style.weight, ">= 0")
        if style.mask is not None:
            fits = style.mask.shape == content.shape[:2]
            require(
                fits, "the shape of a mask", style.mask.shape, f"that of the content, {content.shape[:2]}"
            )
    require(sum(style.weight for style in styles) > 0, "the sum of the weights of the styles", 0, "> 0")
    for name, picture in (("content", content), *(("style", style.picture) for style in styles)):
        fits = picture.ndim == 3 and picture.shape[2] == 3
        require(fits, f"the shape of the {name}", picture.shape, "[H, W, 3]")
