"""Dropout, and the random bits that it draws."""

import math

import jax
import jax.numpy as jnp

from jaxgan.typing import Array

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA


def dropout(x: Array, keys: Array, *, rate: float) -> Array:
    r"""Sets each value to zero with probability ``rate``, and scales the others up.

    .. math:: y = x \cdot b / (1 - \rho), \qquad b \sim \text{Bernoulli}(1 - \rho)

    Args:
        x: f[N, ...].
        keys: keys[N], typed PRNG keys: one for each example, so that its draws depend on nothing else.
        rate: rho, in [0, 1).

    Returns:
        f[N, ...].

    Raises:
        ValueError: a rate out of range, or another number of keys than examples.

    >>> y = dropout(jnp.ones((2, 1000)), jax.random.split(jax.random.key(0), 2), rate=0.5)
    >>> sorted(set(y.ravel().tolist()))
    [0.0, 2.0]

    Source: Srivastava et al., "Dropout", JMLR 2014.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate is {rate}; it must be in [0, 1)")
    if x.ndim < 1 or keys.shape != x.shape[:1]:
        raise ValueError(f"keys has shape {keys.shape}; x {x.shape} wants one key for each example")
    dropped = random_bits(keys, x.shape[1:]) < jnp.uint32(round(rate * 2**32))
    return jnp.where(dropped, 0, x / (1 - rate))


def random_bits(keys: Array, shape: tuple[int, ...]) -> Array:
    """Draws uniform 32-bit words, for each key an array of a shape.

    Each word is the first of a block of Threefry-2x32 with 13 rounds, whose counter is the word's place and
    whose key is drawn from the key given. So it is one elementwise map, which a compiler fuses into
    what uses the words; `jax.random.bits` runs 20 rounds in a loop over arrays in memory.

    Args:
        keys: keys[N], typed PRNG keys of any kind.
        shape: of the array for one key; fewer than 2**32 words.

    Returns:
        uint32[N, *shape].

    >>> random_bits(jax.random.split(jax.random.key(0), 2), (3,)).shape
    (2, 3)

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (13 rounds pass BigCrush).
    """
    seeds = jax.vmap(lambda key: jax.random.bits(key, (2,), "uint32"))(keys)
    count = math.prod(shape)
    places = jnp.arange(count, dtype=jnp.uint32).reshape(1, *shape)
    first, second = (seeds[:, word].reshape(-1, *(1,) * len(shape)) for word in (0, 1))
    return threefry((first, second), (places, jnp.zeros_like(places)), rounds=13)[0]


def threefry(key: tuple[Array, Array], counter: tuple[Array, Array], *, rounds: int) -> tuple[Array, Array]:
    """Encrypts a counter of two 32-bit words with a key of two, elementwise.

    Args:
        key: two uint32[...].
        counter: two uint32[...] that broadcast with the key.
        rounds: how often the words are mixed, >= 1.

    Returns:
        Two uint32[...].

    >>> [hex(word) for word in threefry((jnp.uint32(0),) * 2, (jnp.uint32(0),) * 2, rounds=20)]
    ['0x6b200159', '0x99ba4efe']

    Source: Salmon et al., SC 2011.
    """
    words = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    left, right = counter[0] + words[0], counter[1] + words[1]
    for number in range(rounds):
        turn = _ROTATIONS[number % 8]
        left = left + right
        right = ((right << turn) | (right >> (32 - turn))) ^ left
        if number % 4 == 3:
            injection = number // 4 + 1
            left = left + words[injection % 3]
            right = right + words[(injection + 1) % 3] + jnp.uint32(injection)
    return left, right
