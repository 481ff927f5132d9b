"""The ops of jaxgan: each map of a convolution in each of its forms, the others against JAX and Flax.

Options of a case: ``layer``, a name in `LAYERS` or in `OTHERS`; ``wanted``, the map of a convolution, or
``"forward"`` or ``"gradient"``; ``form``, whose way of computing it.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ._ours import start_jax, versions

PACKAGES = ("jaxgan",)
WORKS: tuple[str, ...] | None = None
MAPS = ("output", "image", "kernel")


class Layer(NamedTuple):
    """A convolution: the sides and channels of its images, and its kernel.

    Attributes:
        side: H = W of x.
        channels: C of x.
        window: P = Q of the kernel.
        features: O of y.
        stride: between windows.
        pads: before and after each side.
        groups: of the channels.
    """

    side: int
    channels: int
    window: int
    features: int
    stride: int
    pads: tuple[int, int]
    groups: int = 1


LAYERS = {
    "conv 4x4 256>128 on 7x7": Layer(7, 256, 4, 128, 1, (1, 2)),
    "conv 4x4/2 64>128 on 14x14": Layer(14, 64, 4, 128, 2, (1, 1)),
    "conv 4x4/2 1>64 on 28x28": Layer(28, 1, 4, 64, 2, (1, 1)),
    "conv 3x3 32>64 on 13x13": Layer(13, 32, 3, 64, 1, (0, 0)),
    "conv 3x3 128>128 on 8x8": Layer(8, 128, 3, 128, 1, (1, 1)),
    "conv 3x3 64>64 on 32x32": Layer(32, 64, 3, 64, 1, (1, 1)),
    "conv 3x3 128>128 on 32x32": Layer(32, 128, 3, 128, 1, (1, 1)),
    "conv 3x3 256>256 on 16x16": Layer(16, 256, 3, 256, 1, (1, 1)),
    "conv 3x3 3>64 on 64x64": Layer(64, 3, 3, 64, 1, (1, 1)),
    "conv 3x3 128>128 in 8 groups on 14x14": Layer(14, 128, 3, 128, 1, (1, 1), groups=8),
}
"""The convolutions of the DCGAN (a transposed one is the map "image" of its convolution) and of the CNN, and
some of the shapes that deeper networks are made of."""

OTHERS = ("batch norm", "dropout", "max pool", "average pool", "dense")
"""The ops of one form, on f32[N, 14, 14, 64]."""


def forms_of(layer: str, wanted: str) -> tuple[str, ...]:
    """Names the forms that compute a map of a layer.

    >>> forms_of("conv 4x4/2 64>128 on 14x14", "image")
    ('lax', 'product')
    """
    if layer in OTHERS:
        return ("lax", "jaxgan")
    from jaxgan.ops import forms

    geometry = geometry_of(LAYERS[layer])
    return tuple(name for name in forms.FORMS[wanted] if forms.fits(wanted, name, geometry))


def geometry_of(layer: Layer) -> Any:
    """Makes the `jaxgan.ops.geometry.Geometry` of a layer."""
    from jaxgan.ops.geometry import Geometry

    return Geometry(
        image=(layer.side,) * 2,
        window=(layer.window,) * 2,
        strides=(layer.stride,) * 2,
        pads=(layer.pads,) * 2,
        groups=layer.groups,
    )


def shapes_of(layer: Layer, wanted: str, batch_size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Gives the shapes of the two operands of a map.

    >>> shapes_of(LAYERS["conv 4x4/2 1>64 on 28x28"], "kernel", 8)
    ((8, 28, 28, 1), (8, 14, 14, 64))
    """
    x = (batch_size, layer.side, layer.side, layer.channels)
    y = (batch_size, *geometry_of(layer).output, layer.features)
    kernel = (layer.window, layer.window, layer.channels // layer.groups, layer.features)
    return {"output": (x, kernel), "image": (y, kernel), "kernel": (x, y)}[wanted]


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Compiles an op and runs it once; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    options = case["options"]
    start_jax(case)
    import jax
    import jax.numpy as jnp
    import numpy as np

    function, shapes = program(options, case["batch_size"])
    generator = np.random.default_rng(0)
    arrays = [jnp.asarray(generator.normal(size=shape), case["dtype"]) for shape in shapes]
    phases = {"load": time.perf_counter() - began}
    began = time.perf_counter()
    compiled = jax.jit(function).lower(*arrays).compile()
    phases["compile"] = time.perf_counter() - began

    def step() -> None:
        jax.block_until_ready(compiled(*arrays))

    began = time.perf_counter()
    step()
    phases["first"] = time.perf_counter() - began
    return {"step": step, "images": case["batch_size"], "phases": phases, "versions": versions()}


def program(options: dict[str, Any], batch_size: int) -> tuple[Callable[..., Any], list[tuple[int, ...]]]:
    """Makes the function that is timed, and the shapes of its arguments."""
    layer, wanted, form = options["layer"], options["wanted"], options["form"]
    if layer in LAYERS:
        from jaxgan.ops import forms

        geometry = geometry_of(LAYERS[layer])
        compute = forms.FORMS[wanted][form]
        return lambda left, right: compute(geometry, left, right), [
            *shapes_of(LAYERS[layer], wanted, batch_size)
        ]
    import jax

    shape = (batch_size, 14, 14, 64)
    function = (_ours if form == "jaxgan" else _theirs)(layer)
    extra = [(64, 64)] if layer == "dense" else []
    if wanted == "forward":
        return function, [shape, *extra]

    def gradient(x: Any, *others: Any) -> Any:
        y, pull = jax.vjp(function, x, *others)
        return pull(y)

    return gradient, [shape, *extra]


def _ours(name: str) -> Callable[..., Any]:
    import jax

    from jaxgan import batch_axis, ops

    def dropout(x: Any) -> Any:
        return ops.dropout(x, batch_axis.example_keys(jax.random.key(0), x.shape[0]), rate=0.3)

    found: dict[str, Callable[..., Any]] = {
        "batch norm": lambda x: ops.batch_norm(x, *ops.batch_moments(x)),
        "dropout": dropout,
        "max pool": lambda x: ops.max_pool2d(x, window=2),
        "average pool": lambda x: ops.avg_pool2d(x, window=2),
        "dense": ops.dense,
    }
    return found[name]


def _theirs(name: str) -> Callable[..., Any]:
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    def dropout(x: Any) -> Any:
        return jnp.where(jax.random.bernoulli(jax.random.key(0), 0.7, x.shape), x / 0.7, 0)

    found: dict[str, Callable[..., Any]] = {
        "batch norm": lambda x: jax.nn.standardize(x, axis=(0, 1, 2), epsilon=1e-3),
        "dropout": dropout,
        "max pool": lambda x: nn.max_pool(x, (2, 2), (2, 2)),
        "average pool": lambda x: nn.avg_pool(x, (2, 2), (2, 2)),
        "dense": jnp.matmul,
    }
    return found[name]
