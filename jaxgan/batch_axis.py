"""How a pure function learns that its batch is one part of a larger one.

A step that is mapped over devices (`jax.pmap`, `jax.shard_map`) sees only its device's part of the
batch. The name of the mapped axis is fixed, `NAME`; where an axis of that name is in scope, the
functions here average over it and number the examples across it, and where none is, they do nothing.
One step thus serves every way of running it, and its result does not depend on the number of devices:
means are those of the whole batch, and each example draws from a key of its own.
"""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jaxgan.typing import Array

NAME = "batch"
"""The mapped axis along which a batch is divided, as in ``jax.pmap(step, axis_name=NAME)``."""

Tree = TypeVar("Tree")


def is_mapped() -> bool:
    """Tells whether the function being traced sees only a part of the batch.

    >>> is_mapped()
    False
    """
    try:
        jax.lax.axis_size(NAME)
    except NameError:  # JAX's answer for an axis that is not in scope
        return False
    return True


def parts() -> int:
    """Counts the parts of the batch: the size of the mapped axis, 1 outside one.

    >>> parts()
    1
    """
    return int(jax.lax.axis_size(NAME)) if is_mapped() else 1


def pmean(tree: Tree) -> Tree:
    r"""Averages every array of a pytree over the parts of the batch.

    .. math:: \bar{a} = \frac{1}{D} \sum_{d=1}^{D} a_d

    Args:
        tree: arrays, one value for each of the D parts.

    Returns:
        The same pytree with the means, equal on every part; the input itself outside a mapped axis.

    >>> pmean({"loss": 2.0})
    {'loss': 2.0}
    """
    return jax.lax.pmean(tree, NAME) if is_mapped() else tree


def example_keys(key: Array, count: int) -> Array:
    """Derives one key for each example from its number in the whole batch.

    Args:
        key: a typed PRNG key.
        count: the number of examples in this part, >= 0.

    Returns:
        keys[count]; part d of the batch gets the keys ``d * count ... (d + 1) * count - 1``.

    >>> example_keys(jax.random.key(0), 3).shape
    (3,)
    """
    first = jax.lax.axis_index(NAME) * count if is_mapped() else 0
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(count))


def whole(array: Array) -> Array:
    """Puts the parts of an array together: f[N, ...] on each of D parts to f[D * N, ...], equal on all.

    Outside a mapped axis it is the array itself.

    >>> whole(jnp.arange(2)).tolist()
    [0, 1]
    """
    if not is_mapped():
        return array
    count = array.shape[0]
    zeros, part = align(jnp.zeros((parts() * count, *array.shape[1:]), array.dtype), array)
    first = jax.lax.axis_index(NAME) * count
    return jax.lax.psum(jax.lax.dynamic_update_slice_in_dim(zeros, part, first, axis=0), NAME)


def own(array: Array) -> Array:
    """Takes the part of a whole array that belongs here: f[D * N, ...] to f[N, ...]; the reverse of `whole`.

    >>> own(jnp.arange(2)).tolist()
    [0, 1]
    """
    if not is_mapped():
        return array
    count = array.shape[0] // parts()
    return jax.lax.dynamic_slice_in_dim(array, jax.lax.axis_index(NAME) * count, count, axis=0)


def align(*arrays: Array) -> tuple[Array, ...]:
    """Makes arrays vary over the same mapped axes, as `jax.shard_map` asks of the operands of a primitive.

    An array that is the same on all parts is marked as one that may vary, so that its gradient is summed
    over the parts.

    >>> align(1.0, 2.0)
    (1.0, 2.0)
    """
    varying = [_varying(array) for array in arrays]
    everywhere = frozenset().union(*varying)
    return tuple(
        _vary(array, tuple(sorted(everywhere - axes))) for array, axes in zip(arrays, varying, strict=True)
    )


def _vary(array: Array, axes: tuple[str, ...]) -> Array:
    if not axes:
        return array
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(array, axes, to="varying")
    vary = getattr(jax.lax, "pvary")  # JAX 0.7  # noqa: B009
    return vary(array, axes)


def _varying(array: Array) -> frozenset[Any]:
    aval = jax.typeof(array)
    if hasattr(aval, "vma"):  # before JAX 0.12
        return frozenset(aval.vma)
    return frozenset(aval.manual_axis_type.varying)
