"""Compiling a training step for TPUs that are not there, and reading what the compiler planned.

JAX must be loaded with `estimate.ENVIRONMENT`, hence in a process of its own: see `estimate_worker`.
"""

import importlib.metadata
import itertools
import math
import re
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import topologies

from jaxgan import parallel
from jaxgan.parallel import Layout, Mode
from jaxgan.validation import InputError, require

from .contenders.jaxgan import configuration
from .hlo import count_collectives, count_custom_calls
from .records import Scalar

EXAMPLES = "v4:2x2x1, v5e:1x1, v5e:2x4, v5e:16x16, v5p:2x2x1 or v6e:4x4"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "libtpu")


def look_up(
    *,
    work: str,
    options: Mapping[str, Scalar],
    mode: Mode,
    names: Sequence[str],
    batch_size: int | None,
    batch_per_device: int,
) -> dict[str, Any]:
    """Finds the devices of topologies, and traces the step for each to see that everything fits.

    Args:
        work: a model of the zoo.
        options: settings of the model; see `contenders.jaxgan.configuration`.
        mode: how the step is divided over the devices.
        names: the topologies.
        batch_size: the images of one step, of all devices together, or None.
        batch_per_device: the images of each device, if there is no ``batch_size``.

    Returns:
        Under ``"found"``, for each topology its name, its number of devices and the batch size.

    Raises:
        InputError: an unknown topology, or a batch that the devices or the model cannot divide.
    """
    found = []
    for name in names:
        layout = make_layout(name, mode)
        devices = layout.device_count
        images = batch_per_device * devices if batch_size is None else batch_size
        allowed = f"a multiple of {devices}, the number of devices of {name}"
        require(images % devices == 0, "batch_size", images, allowed)
        try:
            trace(layout, work, options, images)
        except ValueError as error:
            raise InputError(str(error)) from None
        found.append({"topology": name, "devices": devices, "batch_size": images})
    return {"found": found}


def compile_step(*, case: dict[str, Any]) -> dict[str, Any]:
    """Compiles the step of a case, whose options name the topology.

    Returns:
        The fields of a row but ``flops``. All that the compiler says is of one device, but for the images
        per second.
    """
    layout = make_layout(case["options"]["topology"], case["parallel"])
    times = [time.perf_counter()]
    traced = trace(layout, case["work"], case["options"], case["batch_size"])
    times.append(time.perf_counter())
    lowered = traced.lower()
    times.append(time.perf_counter())
    compiled = lowered.compile()
    times.append(time.perf_counter())
    phases = [end - start for start, end in itertools.pairwise(times)]
    return {
        "images": case["batch_size"],
        "phases": dict(zip(("trace", "lower", "compile"), phases, strict=True)),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES if find_spec(name)},
        **read_compiled(compiled, images=case["batch_size"], devices=layout.mesh.devices.flatten().tolist()),
    }


def make_layout(topology: str, mode: Mode) -> Layout:
    """Lays a step out on the devices of a topology.

    Raises:
        InputError: the compiler does not know the topology.
    """
    allowed = f"one that the compiler knows, such as {EXAMPLES}"
    require(0 not in grid(topology), "topology", topology, allowed)  # it would end the process
    bounds = host_bounds(topology)
    try:
        described = topologies.get_topology_desc(platform="tpu", topology_name=topology, **bounds)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        if "INVALID_ARGUMENT: " not in reason:
            raise
        reason = reason.partition("INVALID_ARGUMENT: ")[2]
        raise InputError(f"topology is {topology!r}; it must be {allowed} ({reason})") from None
    return parallel.layout(mode, described.devices)


def host_bounds(topology: str) -> dict[str, Any]:
    """Says how the chips of a narrow grid share hosts: the compiler of jax 0.10 assumes 2 x 2 a host.

    >>> host_bounds("v5e:1x1"), host_bounds("v5e:2x4")
    ({'chips_per_host_bounds': (1, 1, 1)}, {})
    """
    sides = grid(topology)[:2]
    return {"chips_per_host_bounds": (*(min(side, 2) for side in sides), 1)} if 1 in sides else {}


def grid(topology: str) -> list[int]:
    """Reads the sides of the grid from the name of a topology.

    >>> grid("v5p:2x2x4"), grid("v5e")
    ([2, 2, 4], [])
    """
    return [int(side) for side in re.findall(r"\d+", topology.partition(":")[2])]


def trace(layout: Layout, work: str, options: Mapping[str, Scalar], batch_size: int) -> Any:
    """Traces the training step of a model on a layout's devices, for shapes and dtypes without numbers."""
    model, settings = configuration(work, options)
    trainable = model.build(settings)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(trainable.init, key)
    shape = (batch_size, *settings.image_shape)
    batch = {
        "image": jax.ShapeDtypeStruct(shape, jnp.float32, sharding=layout.divided),
        "label": jax.ShapeDtypeStruct(shape[:1], jnp.int32, sharding=layout.divided),
    }
    step: Any = layout.compile(trainable.step)  # a function of jax.jit, with its stages
    return step.trace(layout.abstract_state(state), batch, layout.abstract_state(key))


def read_compiled(compiled: Any, *, images: int, devices: Sequence[Any]) -> dict[str, Any]:
    """Reads what a compiler found out about a program.

    Args:
        compiled: the program.
        images: the images of one step, of all devices together.
        devices: what it is compiled for.

    Returns:
        ``compiler_flops``, ``memory`` and ``figures`` of a row.
    """
    found, planned = compiled.cost_analysis(), compiled.memory_analysis()
    text = compiled.as_text()
    traffic, custom_calls = count_collectives(text), count_custom_calls(text)
    seconds = known_seconds(found.get("optimal_seconds"), custom_calls)
    figures: dict[str, float | None] = {
        "chips": float(len({tuple(device.coords) for device in devices})),
        "estimated_seconds": seconds,
        "estimated_images_per_second": images / seconds if seconds else None,
        "bytes_accessed": usable(found.get("bytes accessed")),
        "planned_peak_bytes": usable(getattr(planned, "peak_memory_in_bytes", None)),
        "custom_call_count": float(custom_calls),
        "collective_count": float(sum(kind.count for kind in traffic.values())),
        "collective_bytes": float(sum(kind.bytes for kind in traffic.values())),
    }
    for name, kind in traffic.items():
        figures[f"{name.replace('-', '_')}_count"] = float(kind.count)
        figures[f"{name.replace('-', '_')}_bytes"] = float(kind.bytes)
    memory = {
        "arguments": planned.argument_size_in_bytes,
        "outputs": planned.output_size_in_bytes,
        "temporaries": planned.temp_size_in_bytes,
        "aliased": planned.alias_size_in_bytes,
    }
    return {"compiler_flops": usable(found.get("flops")), "memory": memory, "figures": figures}


def known_seconds(optimal: float | None, custom_calls: int) -> float | None:
    """Gives the compiler's time without its custom calls, of which it does not know it.

    It counts -1 second for each of them: a sum of -2.9992 with three custom calls is 0.8 ms for all the rest.
    A negative sum that does not come out like that is not known.

    >>> round(known_seconds(-2.9992, 3), 7), known_seconds(-2.9992, 2), known_seconds(0.5, 0)
    (0.0008, None, 0.5)
    """
    if optimal is None or not -custom_calls <= optimal < 1 - custom_calls:
        return usable(optimal)
    return usable(optimal + custom_calls)


def usable(value: float | None) -> float | None:
    """Gives a number of the compiler's, or None where it does not know one: 0, -1, infinite.

    >>> usable(2), usable(-1.0), usable(math.inf), usable(None)
    (2.0, None, None, None)
    """
    return float(value) if value is not None and 0 < value < math.inf else None
