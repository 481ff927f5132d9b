"""One step of every member of a sweep: all of them in one program, or one after the other.

Options of a case: ``members``, how many; ``place``, ``"together"`` or ``"apart"``; and those of
`benchmarks.contenders.jaxgan` that choose the sizes of the model and the flags. Each member has seed, state
and batch of its own. Those that are apart share one compiled step, as runs with a cache of programs do.
"""

import time
from collections.abc import Callable
from typing import Any

from ._ours import peak, start_jax, versions
from .jaxgan import configuration

PACKAGES = ("jaxgan",)
WORKS: tuple[str, ...] | None = None
PLACES = ("apart", "together")


def prepare(case: dict[str, Any]) -> dict[str, Any]:
    """Compiles the step and takes the first one; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    start_jax(case)
    options = case["options"]
    model, config = configuration(case["work"], options)
    count, size = int(options["members"]), case["batch_size"]
    batch = _batch(config, count, size)
    trainable = model.build(config)
    phases = {"load": time.perf_counter() - began}
    began = time.perf_counter()
    make = together if options["place"] == "together" else apart
    step = make(trainable, batch, count)
    step()
    phases["first"] = time.perf_counter() - began
    return {
        "step": step,
        "images": count * size,
        "phases": phases,
        "memory": {"peak": peak()},
        "versions": versions(),
    }


def _batch(config: Any, members: int, size: int) -> dict[str, Any]:
    """Makes random images and labels, f32[M, N, H, W, C] and int32[M, N]."""
    import numpy as np

    generator = np.random.default_rng(0)
    low, high = config.value_range
    images = generator.uniform(low, high, (members, size, *config.image_shape)).astype(np.float32)
    labels = generator.integers(getattr(config, "num_classes", None) or 1, size=(members, size))
    return {"image": images, "label": labels.astype(np.int32)}


def together(trainable: Any, batch: dict[str, Any], count: int) -> Callable[[], Any]:
    """Makes the step of all members as `jaxgan sweep` takes it, which gives their metrics f32[M]."""
    import jax

    from jaxgan import parallel
    from jaxgan.sweeps.stack import stacked

    layout, both = parallel.member_layout(count), stacked([trainable] * count)
    keys = jax.vmap(jax.random.key)(jax.numpy.arange(count))
    state = layout.put_state(parallel.compile_once(both.init)(keys))
    compiled, placed, keys = layout.compile(both.step), layout.put_batch(batch), layout.put_state(keys)

    def step() -> Any:
        nonlocal state
        state, metrics = compiled(state, placed, keys)
        return jax.block_until_ready((state, metrics))[1]

    return step


def apart(trainable: Any, batch: dict[str, Any], count: int) -> Callable[[], Any]:
    """Makes the step of each member as `jaxgan train` takes it, one after the other."""
    import jax

    from jaxgan import parallel

    layout, init = parallel.layout("jit", jax.devices()[:1]), parallel.compile_once(trainable.init)
    keys = [layout.put_state(jax.random.key(member)) for member in range(count)]
    states = [layout.put_state(init(key)) for key in keys]
    compiled = layout.compile(trainable.step)
    batches = [
        layout.put_batch({name: values[member] for name, values in batch.items()}) for member in range(count)
    ]

    def step() -> Any:
        found = []
        for member in range(count):
            states[member], metrics = compiled(states[member], batches[member], keys[member])
            jax.block_until_ready((states[member], metrics))
            found.append(metrics)
        return jax.tree.map(lambda *values: jax.numpy.stack(values), *found)

    return step
