"""What a network costs: parameters, multiplications, memory. Read off its traced program; nothing runs.

Conventions, since published figures differ by factors of two:

* One multiply-add is 2 FLOPs. Only convolutions and matrix products count: element-wise work, pooling and
  normalisation do not.
* A convolution counts every tap of its kernel at each output position, those that fall on the padding too.
  Along a side that a transposed convolution enlarges, it counts every tap at each *input* position: the
  zeros between the pixels are no work. So a strided convolution and its transpose cost the same.
* What no output depends on does not count.
* Activations are what `jax.vjp` keeps of the forward pass, as the installed JAX writes it down and before a
  compiler fuses or recomputes any of it: for comparing networks, not a measurement. Versions of JAX differ
  here: the derivative of tanh keeps one array in some, two in others.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp
from jax.extend import core

from jaxgan.ops.trilinear import convolve_p
from jaxgan.typing import PyTree
from jaxgan.validation import require

_CALLS = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2")
_VIEWS = ("reshape", "squeeze")


class NetworkCost(NamedTuple):
    """The cost of a network.

    Attributes:
        parameters: the numbers that are trained.
        flops: the floating-point operations of the forward pass, per image; see `forward_flops`.
        activation_bytes: what training keeps of the forward pass, per image; see `activation_bytes`.
    """

    parameters: int
    flops: int
    activation_bytes: int


def network_cost(
    module: linen.Module, input_shape: tuple[int, ...], *, labelled: bool = False
) -> NetworkCost:
    """Finds the cost of a network; per image, it is what a second image adds to the first.

    Args:
        module: the network, called as ``module(x, train=...)``; it may draw from the stream ``dropout``.
            FLOPs are those without training, activations those in training.
        input_shape: the shape of one input, without the batch axis; sizes >= 1.
        labelled: whether it is called as ``module(x, labels, train=...)``, with labels int32[N].

    Returns:
        The cost, for inputs f32[N, *input_shape].

    Raises:
        InputError: an ``input_shape`` that holds a size below 1.

    >>> network_cost(linen.Sequential([lambda x, train: linen.Dense(3)(x)]), (5,))
    NetworkCost(parameters=18, flops=30, activation_bytes=20)
    """
    require(all(size >= 1 for size in input_shape), "input_shape", input_shape, "sizes >= 1")
    key = jax.eval_shape(lambda: jax.random.key(0))
    first, both = (_inputs(count, input_shape, labelled) for count in (1, 2))
    model_state = dict(
        jax.eval_shape(lambda key, inputs: module.init({"params": key}, *inputs, train=False), key, first)
    )
    params = model_state.pop("params", {})

    def evaluate(params: PyTree, model_state: PyTree, inputs: Any) -> Any:
        return module.apply({"params": params, **model_state}, *inputs, train=False)

    def train(params: PyTree, inputs: Any, model_state: PyTree, key: Any) -> Any:
        variables = {"params": params, **model_state}
        rngs = {"dropout": key}
        return module.apply(variables, *inputs, train=True, rngs=rngs, mutable=list(model_state))[0]

    return NetworkCost(
        parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)),
        flops=forward_flops(evaluate, params, model_state, both)
        - forward_flops(evaluate, params, model_state, first),
        activation_bytes=activation_bytes(train, params, first, model_state, key),
    )


def _inputs(count: int, shape: tuple[int, ...], labelled: bool) -> tuple[jax.ShapeDtypeStruct, ...]:
    x = jax.ShapeDtypeStruct((count, *shape), jnp.float32)
    return (x, jax.ShapeDtypeStruct((count,), jnp.int32)) if labelled else (x,)


def forward_flops(function: Callable[..., Any], *arguments: PyTree) -> int:
    """Counts the floating-point operations of a function's convolutions and matrix products.

    The conventions are those of this file. The body and the condition of a ``while`` loop count once, as
    its length is unknown; that of a ``scan`` counts as often as it runs; of the branches of a ``cond`` the
    dearest counts. A program that is divided over devices counts on each of them.

    Args:
        function: what to count; traced, and not run.
        *arguments: its arguments, pytrees of arrays or of `jax.ShapeDtypeStruct`.

    Returns:
        The number of operations, for the whole batch.

    >>> x, kernel = jax.ShapeDtypeStruct((2, 3), jnp.float32), jax.ShapeDtypeStruct((3, 5), jnp.float32)
    >>> forward_flops(jnp.matmul, x, kernel)
    60
    """
    return _flops(_opened(jax.make_jaxpr(function)(*arguments)))


def activation_bytes(function: Callable[..., Any], params: PyTree, inputs: PyTree, *others: PyTree) -> int:
    """Finds the memory per image that the forward pass keeps for the backward pass.

    These are the arrays that `jax.vjp` with respect to ``params`` and ``inputs`` holds on to, each counted
    once, for two images less those for one: parameters, and statistics of the batch, do not count.
    Constants of the program (the zeros of a rectifier, say) do not count either.

    Args:
        function: ``function(params, inputs, *others) -> outputs``; traced, and not run.
        params: a pytree of arrays or of `jax.ShapeDtypeStruct`.
        inputs: the same, each with the batch axis first; its size is of no account.
        *others: further arguments, with respect to which nothing is differentiated. What is random must
            draw from a key among them: drawn from a fixed key it is a constant.

    Returns:
        The bytes per image.

    Raises:
        InputError: an input without a batch axis.

    >>> x, kernel = jax.ShapeDtypeStruct((8, 3), jnp.float32), jax.ShapeDtypeStruct((3, 5), jnp.float32)
    >>> activation_bytes(lambda kernel, x: jax.nn.relu(x @ kernel), kernel, x)  # x, and where x @ kernel > 0
    17
    """
    for leaf in jax.tree.leaves(inputs):
        require(leaf.ndim >= 1, "the shape of an input", leaf.shape, "(N, ...)")

    def residuals(params: PyTree, inputs: PyTree, *others: PyTree) -> Any:
        return jax.vjp(lambda params, inputs: function(params, inputs, *others), params, inputs)[1]

    def kept(count: int) -> int:
        resized = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), leaf.dtype), inputs
        )
        jaxpr = _opened(jax.make_jaxpr(residuals)(params, resized, *others))
        buffers = _buffers(jaxpr, [_Buffer(_bytes(variable)) for variable in jaxpr.invars])
        return sum(buffer.size for buffer in set(buffers) if buffer is not None)

    return kept(2) - kept(1)


def _opened(jaxpr: Any) -> Any:
    """The program itself, whether it comes with its constants or not."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def _nested(equation: Any) -> Iterator[Any]:
    """Gives the programs that an equation runs."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, core.Jaxpr | core.ClosedJaxpr):
                yield _opened(item)


def _flops(jaxpr: Any) -> int:
    total = 0
    for equation in _needed(jaxpr):
        if equation.primitive.name == "conv_general_dilated":
            total += _convolution_flops(equation)
        elif equation.primitive is convolve_p:
            total += _trilinear_flops(equation)
        elif equation.primitive.name == "dot_general":
            total += _product_flops(equation)
        else:
            combine = max if equation.primitive.name == "cond" else sum
            total += _repeats(equation) * combine([0, *map(_flops, _nested(equation))])
    return total


def _needed(jaxpr: Any) -> Iterator[Any]:
    """Gives the equations that an output depends on; a compiler leaves out the others."""
    needed = {variable for variable in jaxpr.outvars if not isinstance(variable, core.Literal)}
    for equation in reversed(jaxpr.eqns):
        if equation.effects or not needed.isdisjoint(equation.outvars):
            needed.update(variable for variable in equation.invars if not isinstance(variable, core.Literal))
            yield equation


def _repeats(equation: Any) -> int:
    """How often an equation runs its programs: the length of a scan, the devices of a parallel map."""
    params = equation.params
    if equation.primitive.name == "scan":
        return int(params["length"])
    if equation.primitive.name == "shard_map":
        axes = params.get("newly_manual_axes", params.get("manual_axes"))  # renamed after JAX 0.7
        return math.prod(params["mesh"].shape[axis] for axis in axes)
    if equation.primitive.name == "xla_pmap":
        return int(params["global_axis_size"])
    return 1


def _convolution_flops(equation: Any) -> int:
    """Counts 2 for each pair of a position and a tap, and each pair of channels that meet there.

    The kernel's input channels are those of one group, and the output's images those of one batch group,
    so that groups of either kind need no further account.
    """
    image, kernel = (variable.aval.shape for variable in equation.invars)
    output = equation.outvars[0].aval.shape
    numbers = equation.params["dimension_numbers"]
    image_sides, kernel_sides, output_sides = (
        [shape[axis] for axis in spec[2:]]
        for shape, spec in zip((image, kernel, output), numbers, strict=True)
    )
    flops = 2 * output[numbers.out_spec[0]] * output[numbers.out_spec[1]] * kernel[numbers.rhs_spec[1]]
    for axis, spread in enumerate(equation.params["lhs_dilation"]):
        positions = image_sides[axis] if spread > 1 else output_sides[axis]
        flops *= positions * kernel_sides[axis]
    return int(flops)


def _trilinear_flops(equation: Any) -> int:
    """Counts 2 for each term of the trilinear form; operands and result are its three factors."""
    params = equation.params
    members = int(params["members"])
    left, right = (variable.aval.shape for variable in equation.invars)
    result = equation.outvars[0].aval.shape
    kernel, y = {"output": (right, result), "image": (right, left), "kernel": (result, right)}[
        params["wanted"]
    ]
    return 2 * math.prod(y) * math.prod(kernel[members : members + 3])


def _product_flops(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    terms = math.prod(left[axis] for axis in contracted)
    return int(2 * terms * math.prod(equation.outvars[0].aval.shape))


@dataclasses.dataclass(frozen=True, eq=False)
class _Buffer:
    """An array in memory: two are the same if they are one object."""

    size: int


def _bytes(variable: Any) -> int:
    return math.prod(variable.aval.shape) * int(variable.aval.dtype.itemsize)


def _buffers(jaxpr: Any, arguments: Sequence[_Buffer | None]) -> list[_Buffer | None]:
    """Follows the arrays of a program: the buffer of each output, None for what is constant."""
    found: dict[Any, _Buffer | None] = dict(zip(jaxpr.invars, arguments, strict=True))
    found.update((variable, _Buffer(_bytes(variable))) for variable in jaxpr.constvars)

    def look_up(variable: Any) -> _Buffer | None:
        return None if isinstance(variable, core.Literal) else found[variable]

    for equation in jaxpr.eqns:
        inputs = [look_up(variable) for variable in equation.invars]
        name, programs = equation.primitive.name, list(_nested(equation))
        outputs: list[_Buffer | None]
        if name in _CALLS and len(programs) == 1:
            outputs = _buffers(programs[0], inputs)
        elif name in _VIEWS:
            outputs = inputs[:1]
        elif any(buffer is not None for buffer in inputs):
            outputs = [_Buffer(_bytes(variable)) for variable in equation.outvars]
        else:
            outputs = [None] * len(equation.outvars)
        found.update(zip(equation.outvars, outputs, strict=True))
    return [look_up(variable) for variable in jaxpr.outvars]
