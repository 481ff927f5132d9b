"""ADA's augmentation, "bgc": each change happens with a probability that adapts (arXiv:2006.06676)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.augment.common import Range, check_images, draw_normal, draw_uniform, working_dtype
from jaxgan.augment.warp import compose, warp
from jaxgan.typing import Array
from jaxgan.validation import require


class Draws(NamedTuple):
    """By how much each image is changed, f32[N] each; all zeros change nothing.

    Attributes:
        flip: 0 or 1, mirrored left to right.
        quarters: 0 to 3 quarter turns.
        down: a share of the height in [-1/8, 1/8], to be rounded to pixels.
        right: the same of the width.
        scale: log2 of the growth of both sides, std 0.2.
        before: radians in [-pi, pi), turned before it is stretched.
        stretch: log2 of the growth of the width, and of the shrinking of the height, std 0.2.
        after: radians in [-pi, pi), turned after it was stretched.
        move_down: a share of the height, std 1/8.
        move_right: the same of the width.
        brightness: what is added, std 0.2, where black is -1 and white 1.
        contrast: log2 of the factor about the middle grey, std 0.5.
        invert: 0 or 1, dark becomes light.
        hue: radians in [-pi, pi).
        saturation: log2 of the factor, std 1.
    """

    flip: Array
    quarters: Array
    down: Array
    right: Array
    scale: Array
    before: Array
    stretch: Array
    after: Array
    move_down: Array
    move_right: Array
    brightness: Array
    contrast: Array
    invert: Array
    hue: Array
    saturation: Array


GROUPS = {"b": Draws._fields[:4], "g": Draws._fields[4:10], "c": Draws._fields[10:]}
"""The letters of a pipeline: blits of whole pixels, general geometry, colour."""


def check_pipeline(pipeline: str, channels: int) -> None:
    """Refuses letters other than those of `GROUPS`, and colour where there are neither 1 nor 3 channels.

    Raises:
        InputError: the pipeline cannot be used.

    >>> check_pipeline("bgc", 3)
    """
    require(set(pipeline) <= set(GROUPS), "pipeline", pipeline, f"letters of {''.join(GROUPS)}")
    fits = "c" not in pipeline or channels in (1, 3)
    require(fits, "pipeline", pipeline, f"without c for images of {channels} channels: colour needs 1 or 3")


def apply(
    key: Array,
    images: Array,
    strength: Array | float,
    *,
    pipeline: str = "bgc",
    value_range: Range = (-1.0, 1.0),
) -> Array:
    r"""Changes the images that a discriminator sees, each change with the probability p.

    In this order: mirrored (then half of the time), turned by quarters, shifted by whole pixels, grown,
    turned, stretched, turned again, moved; made lighter or darker, of another contrast, inverted, of another
    hue and saturation. `Draws` has the distributions. The two turns have the probability
    :math:`1 - \sqrt{1 - p}` each, so that p is that of any.
    The geometry is one affine map, read from the image once; colours are one more. Both are linear or affine
    in the images. With p = 0 the images come out as they are, bit for bit.

    Departures from the paper:

    - Pixels are read by linear interpolation of the image itself, not of one enlarged twice with the wavelet
      sym6 and reduced again: its 12 taps are long beside the images trained here, and the enlarged image has
      four times the pixels. Turned images are a little softer for it, and shrunk ones alias a little.
    - The mirrored border goes on without end, rather than as far as a margin.
    - Images of one channel have neither hue nor saturation, so both are left out there.
    - Images that are not square turn about their centre like others, and keep their shape.

    Args:
        key: a typed PRNG key; one for the real images and another for the generated ones.
        images: f[N, H, W, C] in the range.
        strength: p, f32[] in [0, 1], from the controller or fixed.
        pipeline: the groups of changes, see `GROUPS`; an empty one changes nothing.
        value_range: (low, high), the values of black and white.

    Returns:
        f[N, H, W, C]; values may leave the range.

    Raises:
        ValueError: a pipeline, shape, dtype or range that does not fit.

    >>> jax.eval_shape(apply, jax.random.key(0), jnp.ones((2, 4, 4, 3)), 0.5).shape
    (2, 4, 4, 3)

    Source: Karras et al., arXiv:2006.06676, appendix B.
    """
    middle, half = check_images(images, value_range)
    check_pipeline(pipeline, images.shape[3])
    if not pipeline or 0 in images.shape:
        return images
    dtype = working_dtype(images)
    draws = Draws(*(drawn.astype(dtype) for drawn in draw(key, len(images), strength)))
    unwanted = [name for letter, names in GROUPS.items() if letter not in pipeline for name in names]
    draws = draws._replace(**{name: jnp.zeros_like(draws.flip) for name in unwanted})
    changed = images.astype(dtype)
    if set(pipeline) & {"b", "g"}:
        changed = warp(changed, inverse_maps(draws, *images.shape[1:3]))
    if "c" in pipeline:
        changed = _recolor(changed, draws, middle, half)
    return changed.astype(images.dtype)


def draw(key: Array, count: int, strength: Array | float) -> Draws:
    """Draws whether and by how much each image is changed.

    Args:
        key: a typed PRNG key.
        count: the images in this part of the batch.
        strength: p, f32[] in [0, 1]; what lies outside counts as the nearer end.

    Returns:
        f32[count] each.

    >>> jax.eval_shape(lambda key: draw(key, 2, 0.5), jax.random.key(0)).hue.shape
    (2,)
    """
    for_uniform, for_normal = jax.random.split(key)
    p = jnp.clip(jnp.asarray(strength, jnp.float32), 0, 1)
    of_turn = 1 - jnp.sqrt(1 - p)
    chances = [p, p, p, p, of_turn, p, of_turn, p, p, p, p, p, p]
    numbers = draw_uniform(for_uniform, count, len(chances) + 8).T
    normal = draw_normal(for_normal, count, 7).T
    happens = [number < chance for number, chance in zip(numbers, chances, strict=False)]
    flip, quarter, down, before, after, invert, hue, right = numbers[len(chances) :]
    shift, circle = (lambda u: (2 * u - 1) / 8), (lambda u: math.pi * (2 * u - 1))
    values = (
        (0, jnp.floor(2 * flip)),
        (1, jnp.floor(4 * quarter)),
        (2, shift(down)),
        (2, shift(right)),
        (3, 0.2 * normal[0]),
        (4, circle(before)),
        (5, 0.2 * normal[1]),
        (6, circle(after)),
        (7, normal[2] / 8),
        (7, normal[3] / 8),
        (8, 0.2 * normal[4]),
        (9, 0.5 * normal[5]),
        (10, jnp.floor(2 * invert)),
        (11, circle(hue)),
        (12, normal[6]),
    )
    return Draws(*(jnp.where(happens[gate], value, 0) for gate, value in values))


def inverse_maps(draws: Draws, height: int, width: int) -> Array:
    """Finds where new pixels come from: the inverse of all changes of geometry, composed.

    Args:
        draws: by how much each image is changed.
        height: the images' height, >= 1.
        width: the images' width, >= 1.

    Returns:
        f[N, 2, 3], for `jaxgan.augment.warp.warp`; exact for flips, quarter turns and shifts by whole pixels.

    >>> inverse_maps(Draws(*[jnp.zeros(1)] * 15), 4, 4)[0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    one = jnp.ones_like(draws.flip)
    cosine, sine = (
        (draws.quarters == k).astype(one.dtype) - (draws.quarters == k + 2).astype(one.dtype) for k in (0, 1)
    )  # a computed sine would not be exact
    maps = compose(
        _map(one, 1 - 2 * draws.flip),
        _turn(cosine, -sine),
        _map(one, one, -jnp.round(draws.down * height), -jnp.round(draws.right * width)),
        _map(jnp.exp2(-draws.scale), jnp.exp2(-draws.scale)),
        _turn(jnp.cos(draws.before), -jnp.sin(draws.before)),
        _map(jnp.exp2(draws.stretch), jnp.exp2(-draws.stretch)),
        _turn(jnp.cos(draws.after), -jnp.sin(draws.after)),
        _map(one, one, -draws.move_down * height, -draws.move_right * width),
    )
    return maps[:, :2]


def _map(rows: Array, columns: Array, down: Array | None = None, right: Array | None = None) -> Array:
    """Makes f[N, 3, 3], which scales and then shifts (row, column, 1)."""
    zero, one = jnp.zeros_like(rows), jnp.ones_like(rows)
    down, right = (zero if shift is None else shift for shift in (down, right))
    return _stack(((rows, zero, down), (zero, columns, right), (zero, zero, one)))


def _turn(cosine: Array, sine: Array) -> Array:
    zero, one = jnp.zeros_like(cosine), jnp.ones_like(cosine)
    return _stack(((cosine, -sine, zero), (sine, cosine, zero), (zero, zero, one)))


def _stack(rows: tuple[tuple[Array, ...], ...]) -> Array:
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def color_maps(draws: Draws, channels: int) -> Array:
    r"""Composes the changes of colour, but for brightness, about the middle grey.

    With J the mean over the channels, contrast multiplies, an inversion takes x to x - 2Jx, a hue turns about
    the grey axis, and saturation scales what J leaves over; in one channel only the first two are left.

    Args:
        draws: by how much each image is changed.
        channels: C, 1 or 3.

    Returns:
        f[N, C, C], to be multiplied from the left to a pixel's channels.

    >>> color_maps(Draws(*[jnp.zeros(1)] * 15), 1).tolist()
    [[[1.0]]]
    """
    factors = {name: getattr(draws, name)[:, None, None] for name in GROUPS["c"]}
    contrast, invert = jnp.exp2(factors["contrast"]), 2 * factors["invert"]
    if channels == 1:
        return contrast * (1 - invert)
    unit = jnp.eye(3, dtype=draws.hue.dtype)[None]
    mean = jnp.full_like(unit, 1 / 3)
    axis = jnp.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], unit.dtype)[None] / math.sqrt(3)
    hue = unit + jnp.sin(factors["hue"]) * axis + (1 - jnp.cos(factors["hue"])) * (mean - unit)
    saturation = unit + (jnp.exp2(factors["saturation"]) - 1) * (unit - mean)
    return compose(saturation, hue, contrast * (unit - invert * mean))


def _recolor(images: Array, draws: Draws, middle: float, half: float) -> Array:
    """Applies brightness and the map, as one map and one offset for each image."""
    channels = images.shape[3]
    maps = color_maps(draws, channels)
    origin = middle - half * draws.brightness
    offset = middle - (maps * origin[:, None, None]).sum(2)
    changed = sum(images[..., c : c + 1] * maps[:, None, None, :, c] for c in range(channels))
    return changed + offset[:, None, None, :]
