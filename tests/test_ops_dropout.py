"""Dropout and its random bits: known answers, statistics, and draws that depend on nothing but the key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import ops
from jaxgan.ops.dropout import random_bits, threefry

pytestmark = pytest.mark.smoke
ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("rounds", "word", "expected"),
    [  # the test vectors of Random123
        (13, 0, (0x9D1C5EC6, 0x8BD50731)),
        (20, 0, (0x6B200159, 0x99BA4EFE)),
        (20, ONES, (0x1CB996FC, 0xBB002BE7)),
    ],
)
def test_known_answers(rounds, word, expected):
    words = (jnp.uint32(word), jnp.uint32(word))
    assert tuple(int(found) for found in threefry(words, words, rounds=rounds)) == expected


def test_bits_are_even_and_independent():
    bits = np.asarray(random_bits(jax.random.split(jax.random.key(1), 4), (64, 256)))
    ones = np.unpackbits(bits.view(np.uint8)).reshape(4, 64, 256, 32).astype(np.float64) - 0.5
    deviation = 0.5 / np.sqrt(ones.size)
    assert abs(ones.mean()) < 4 * deviation
    for axis in range(4):  # neighbours along examples, rows, columns and bits
        first, second = (
            np.take(ones, range(ones.shape[axis] - 1), axis),
            np.take(ones, range(1, ones.shape[axis]), axis),
        )
        assert abs((first * second).mean()) < 4 * 0.25 / np.sqrt(first.size)
    assert len(np.unique(bits)) > 0.999 * bits.size - 50


def test_rate_and_scale():
    x = jnp.ones((8, 128, 128))
    y = np.asarray(ops.dropout(x, jax.random.split(jax.random.key(0), 8), rate=0.3))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / np.float32(0.7))}
    assert abs((y == 0).mean() - 0.3) < 4 * np.sqrt(0.21 / y.size)


def test_an_example_draws_from_its_own_key():
    keys = jax.random.split(jax.random.key(0), 4)
    whole = random_bits(keys, (5, 3))
    np.testing.assert_array_equal(random_bits(keys[2:3], (5, 3))[0], whole[2])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"rate is .*; it must be in \[0, 1\)"):
        ops.dropout(jnp.ones((1, 2)), jax.random.split(jax.random.key(0), 1), rate=rate)


def test_another_number_of_keys_is_refused():
    with pytest.raises(ValueError, match="one key for each example"):
        ops.dropout(jnp.ones((2, 2)), jax.random.split(jax.random.key(0), 3), rate=0.5)
