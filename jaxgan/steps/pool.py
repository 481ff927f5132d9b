"""The pool of earlier translations: discriminators are shown them, so that they do not forget."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import batch_axis
from jaxgan.typing import Array


class Pool(NamedTuple):
    """Some images of earlier steps; arrays only, a part of a state.

    Attributes:
        images: f32[P, H, W, C].
        filled: int32[], how many of them there are so far.
    """

    images: Array
    filled: Array


def init_pool(size: int, image_shape: tuple[int, int, int]) -> Pool:
    """Makes an empty pool for so many images, >= 1."""
    return Pool(jnp.zeros((size, *image_shape)), jnp.zeros((), jnp.int32))


def exchange(pool: Pool, images: Array, key: Array) -> tuple[Pool, Array]:
    """Gives each of some new images to the pool, and an image in return.

    One after the other: while the pool is not full, it keeps the image and gives it back. Once it is, half
    the time it gives back the image, and half the time a random old one, in whose place the new one stays.
    The pool is that of the whole batch, however that is divided over devices.

    Args:
        pool: the pool.
        images: f32[N, H, W, C].
        key: where the draws come from; each image has a key of its own.

    Returns:
        The pool, and f32[N, H, W, C].

    >>> pool, first = exchange(init_pool(1, (1, 1, 1)), jnp.full((1, 1, 1, 1), 5.0), jax.random.key(0))
    >>> first.item(), pool.images.item(), pool.filled.item()
    (5.0, 5.0, 1)

    Source: Shrivastava et al., arXiv:1612.07828; Zhu et al., arXiv:1703.10593, section 4.
    """
    size = len(pool.images)
    whole = batch_axis.whole(images)

    def exchange_one(pool: Pool, numbered: tuple[Array, Array]) -> tuple[Pool, Array]:
        number, image = numbered
        coin, choice = jax.random.split(jax.random.fold_in(key, number))
        filling = pool.filled < size
        place = jnp.where(filling, pool.filled, jax.random.randint(choice, (), 0, size))
        old = pool.images[place]
        swapped = ~filling & jax.random.bernoulli(coin)
        kept = jnp.where(filling | swapped, image, old)
        after = Pool(pool.images.at[place].set(kept), jnp.minimum(pool.filled + 1, size))
        return after, jnp.where(swapped, old, image)

    pool, given = jax.lax.scan(exchange_one, pool, (jnp.arange(len(whole)), whole))
    return pool, batch_axis.own(given)
