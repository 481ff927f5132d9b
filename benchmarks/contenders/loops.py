"""The same work outside and inside a construct of control flow: a penalty in ``cond``, gradients in ``scan``.

Options of a case: ``construct``, a name in `CONSTRUCTS`; ``place``, ``"outside"`` or ``"inside"`` of it;
``parts``, over how many parts of the batch gradients are accumulated; and those of
`benchmarks.contenders.jaxgan` that choose the sizes of the model and the flags.
"""

import time
from collections.abc import Callable
from typing import Any

from ._ours import peak, start_jax, versions
from .jaxgan import configuration

PACKAGES = ("jaxgan",)
WORKS: tuple[str, ...] | None = None
CONSTRUCTS = ("penalty in cond", "accumulation in scan")
PLACES = ("outside", "inside")

Gradient = Callable[[Any, dict[str, Any]], Any]


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Compiles the work of a case and does it once; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    start_jax(case)
    import jax

    options = case["options"]
    model, config = configuration(case["work"], options)
    networks = model.networks(config)
    params, inputs = _arguments(networks, case["batch_size"], case["dtype"])
    phases = {"load": time.perf_counter() - began}
    inside = options["place"] == "inside"
    if options["construct"] == "penalty in cond":
        run = _penalty(penalty_gradient(networks), params, inputs, inside=inside)
    else:
        parts = jax.tree.map(lambda x: x.reshape(options["parts"], -1, *x.shape[1:]), inputs)
        run = _accumulation(network_gradient(networks), params, parts, inside=inside)
    began = time.perf_counter()
    run()
    phases["first"] = time.perf_counter() - began
    return {
        "step": run,
        "images": case["batch_size"],
        "phases": phases,
        "memory": {"peak": peak()},
        "versions": versions(),
    }


def _arguments(networks: dict[str, Any], count: int, dtype: str) -> tuple[Any, dict[str, Any]]:
    """Makes the variables and random inputs of each network."""
    import jax
    import numpy as np

    generator = np.random.default_rng(0)
    params, inputs = {}, {}
    for name, (network, shape) in networks.items():
        x = jax.numpy.asarray(generator.normal(size=(count, *shape)), dtype)
        params[name] = jax.jit(lambda key, x, network=network: network.init(key, x, train=False))(
            jax.random.key(0), x[:1]
        )
        inputs[name] = x
    return params, inputs


def _apply(network: Any, variables: Any, x: Any) -> Any:
    """Runs a network in training; what it learns about its batch is dropped."""
    import jax

    rngs = {"dropout": jax.random.key(0)}
    outputs, _ = network.apply(variables, x, train=True, rngs=rngs, mutable=["batch_stats"])
    return outputs


def network_gradient(networks: dict[str, Any]) -> Gradient:
    """Makes the gradient, by the params of every network, of the mean square of its outputs."""
    import jax

    def objective(params: Any, inputs: dict[str, Any]) -> Any:
        squares = [(_apply(networks[name][0], params[name], x) ** 2).mean() for name, x in inputs.items()]
        return sum(squares)

    return jax.grad(objective)


def penalty_gradient(networks: dict[str, Any]) -> Gradient:
    """Makes the gradient, by the params, of R1: the mean squared gradient by the last network's inputs."""
    import jax

    name, (network, _) = list(networks.items())[-1]

    def penalty(params: Any, inputs: dict[str, Any]) -> Any:
        gradient = jax.grad(lambda x: _apply(network, params, x).sum())(inputs[name])
        return (gradient**2).sum() / len(gradient)

    def gradient(params: Any, inputs: dict[str, Any]) -> Any:
        return jax.grad(penalty)(params[name], inputs)

    return gradient


def _penalty(gradient: Gradient, params: Any, inputs: Any, *, inside: bool) -> Callable[[], Any]:
    """The gradient alone, or in the branch of a ``cond`` that is taken."""
    import jax

    def lazy(due: Any, params: Any, inputs: Any) -> Any:
        like = jax.eval_shape(gradient, params, inputs)
        nothing = jax.tree.map(lambda leaf: jax.numpy.zeros(leaf.shape, leaf.dtype), like)
        return jax.lax.cond(due, gradient, lambda *_: nothing, params, inputs)

    compiled = jax.jit(lazy if inside else lambda _, params, inputs: gradient(params, inputs))
    due = jax.numpy.array(True)

    def run() -> Any:
        return jax.block_until_ready(compiled(due, params, inputs))

    return run


def _accumulation(gradient: Gradient, params: Any, parts: Any, *, inside: bool) -> Callable[[], Any]:
    """The gradients of each part of a batch, added up: by calls one after the other, or in one ``scan``."""
    import jax

    def add(total: Any, params: Any, part: Any) -> Any:
        return jax.tree.map(jax.numpy.add, total, gradient(params, part))

    @jax.jit
    def scanned(params: Any, parts: Any) -> Any:
        zeros = jax.tree.map(jax.numpy.zeros_like, params)
        return jax.lax.scan(lambda total, part: (add(total, params, part), None), zeros, parts)[0]

    one_more = jax.jit(add, donate_argnums=0)
    count = len(jax.tree.leaves(parts)[0])
    each = [jax.tree.map(lambda x, number=number: x[number], parts) for number in range(count)]

    def run() -> Any:
        if inside:
            return jax.block_until_ready(scanned(params, parts))
        total = jax.tree.map(jax.numpy.zeros_like, params)
        for part in each:
            total = one_more(total, params, part)
        return jax.block_until_ready(total)

    return run
