"""Running a step on many devices; the only file that names jit, pmap, shard_map and meshes.

A `Layout` is one way of running: where a state and a batch live, and how a pure function is compiled
for that. The three ways give the same numbers: the state is the same on every device, the batch is
divided along its first axis, and the step itself averages over the parts (see `jaxgan.batch_axis`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxgan import batch_axis
from jaxgan.typing import Array, Batch, PyTree
from jaxgan.validation import require

Mode = Literal["jit", "pmap", "shard_map"]
MODES: tuple[Mode, ...] = ("jit", "pmap", "shard_map")


class Layout(NamedTuple):
    """One way of running a step on devices, from `layout`.

    Attributes:
        mode: ``"jit"``, ``"pmap"`` or ``"shard_map"``.
        mesh: the devices, along one axis named `jaxgan.batch_axis.NAME`.
    """

    mode: Mode
    mesh: Mesh

    @property
    def device_count(self) -> int:
        """The number of devices, of all hosts together."""
        return int(self.mesh.size)

    def compile(self, step: Callable) -> Callable:
        """Compiles ``step(state, batch, key) -> (state, metrics)``; the state given is consumed.

        The compiled step takes what `put_state` made of the state and of the key, and what `put_batch`
        made of the batch.
        """
        if self.mode == "pmap":
            return jax.pmap(
                step,
                axis_name=batch_axis.NAME,
                in_axes=(None, 0, None),
                out_axes=None,
                donate_argnums=0,
                devices=list(self.mesh.devices.flat),
            )
        if self.mode == "shard_map":
            specs = (P(), P(batch_axis.NAME), P())
            mapped = jax.shard_map(step, mesh=self.mesh, in_specs=specs, out_specs=P())
            return jax.jit(mapped, donate_argnums=0)
        shardings = (self.replicated, self.divided, self.replicated)
        return jax.jit(step, donate_argnums=0, in_shardings=shardings, out_shardings=self.replicated)

    def compile_gathered(self, function: Callable) -> Callable:
        """Compiles a function of placed arrays that consumes none of them; every device gets all it gives."""
        return jax.jit(function, out_shardings=self.replicated)

    @property
    def replicated(self) -> NamedSharding:
        """The placement of a state: all of it on every device."""
        return NamedSharding(self.mesh, P())

    @property
    def divided(self) -> NamedSharding:
        """The placement of a batch: an equal part on each device."""
        return NamedSharding(self.mesh, P(batch_axis.NAME))

    def put_state(self, state: PyTree) -> PyTree:
        """Copies a state (or a key) to every device; the original stays. Every process gives the same one."""
        return jax.tree.map(self._copy, state)

    def _copy(self, leaf: Array | np.ndarray) -> Array:
        if self.mesh.is_multi_process:  # then device_put refuses arrays that are already on a device
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                data = self._copy(jax.random.key_data(leaf))
                return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
            return jax.make_array_from_process_local_data(self.replicated, np.asarray(leaf))
        return jax.device_put(leaf, self.replicated, may_alias=False)

    def abstract_state(self, state: PyTree) -> PyTree:
        """Describes a state on these devices: shapes, dtypes and placement, without its numbers."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated), state
        )

    def put_batch(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Divides a batch over the devices along its first axis.

        Args:
            batch: this host's part of the batch, arrays f[N, ...].

        Raises:
            InputError: N is not a multiple of the number of this host's devices.
        """
        devices = len(self.mesh.local_devices)
        allowed = f"a multiple of {devices}, the number of devices"
        for name, values in batch.items():
            count = values.shape[0]
            require(count % devices == 0, f"the length of batch[{name!r}]", count, allowed)
        if self.mode == "pmap":
            parts = {name: values.reshape(devices, -1, *values.shape[1:]) for name, values in batch.items()}
            return jax.device_put(parts, self._local)
        if self.mesh.is_multi_process:
            divide = jax.make_array_from_process_local_data
            return {name: divide(self.divided, values) for name, values in batch.items()}
        return jax.device_put(dict(batch), self.divided)

    def put_whole(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Divides a batch that every process has all of over the devices, along its first axis.

        Args:
            batch: arrays f[N, ...], N a multiple of the number of devices.
        """
        count, index = (jax.process_count(), jax.process_index()) if self.mesh.is_multi_process else (1, 0)
        own = {
            name: values[index * len(values) // count : (index + 1) * len(values) // count]
            for name, values in batch.items()
        }
        return self._replace(mode="jit").put_batch(own)

    @property
    def _local(self) -> NamedSharding:
        mesh = Mesh(np.array(self.mesh.local_devices), (batch_axis.NAME,), axis_types=(AxisType.Auto,))
        return NamedSharding(mesh, P(batch_axis.NAME))

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch that the devices cannot share equally.

        Raises:
            InputError: it is not a multiple of the number of devices.
        """
        allowed = f"a multiple of {self.device_count}, the number of devices"
        require(batch_size % self.device_count == 0, "batch_size", batch_size, allowed)


def layout(mode: Mode = "jit", devices: Sequence[Any] | None = None) -> Layout:
    """Chooses a way of running a step.

    Args:
        mode: ``"jit"``: one program for all devices, divided by the compiler; ``"shard_map"``: the same
            with the communication written out by the step; ``"pmap"``: its older form.
        devices: the devices; all of them, on all hosts, by default.

    Raises:
        InputError: an unknown mode.

    >>> layout("jit").device_count == jax.device_count()
    True
    """
    require(mode in MODES, "parallel", mode, "one of " + ", ".join(MODES))
    chosen = np.array(jax.devices() if devices is None else list(devices))
    return Layout(mode, Mesh(chosen, (batch_axis.NAME,), axis_types=(AxisType.Auto,)))


class MemberLayout(NamedTuple):
    """How the members of a sweep, stacked along the first axis of every array, share devices.

    Each device has as many whole members as the others, and devices exchange nothing. What has no axes is
    common to all members: the number of steps.

    Attributes:
        mesh: the devices, along one axis.
    """

    mesh: Mesh

    @property
    def device_count(self) -> int:
        """The number of devices."""
        return int(self.mesh.size)

    def compile(self, step: Callable) -> Callable:
        """Compiles ``step(state, batch, keys) -> (state, metrics)`` of members; the state given is consumed.

        The step must take any number of members; on several devices, it sees those of one device.
        """
        return jax.jit(self._divided(step), donate_argnums=0)

    def compile_function(self, function: Callable) -> Callable:
        """Compiles ``function(state) -> arrays`` of members, which consumes nothing."""
        return jax.jit(self._divided(function))

    def _divided(self, function: Callable) -> Callable:
        if self.device_count == 1:
            return function

        def divided(*arguments: PyTree) -> PyTree:
            specs = jax.tree.map(self._spec, arguments)
            results = jax.tree.map(self._spec, jax.eval_shape(function, *arguments))
            return jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=results)(*arguments)

        return divided

    def _spec(self, leaf: Any) -> P:
        return P(MEMBERS) if leaf.ndim else P()

    def _sharding(self, leaf: Any) -> NamedSharding:
        return NamedSharding(self.mesh, self._spec(leaf))

    def put_state(self, state: PyTree) -> PyTree:
        """Copies the members' state (or their keys) to their devices; the original stays."""
        return jax.tree.map(lambda leaf: jax.device_put(leaf, self._sharding(leaf), may_alias=False), state)

    def abstract_state(self, state: PyTree) -> PyTree:
        """Describes a state on these devices: shapes, dtypes and placement, without its numbers."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self._sharding(leaf)), state
        )

    def put_batch(self, batch: Mapping[str, np.ndarray]) -> Batch:
        """Gives each member its batch: arrays f[M, N, ...]."""
        return {name: jax.device_put(values, self._sharding(values)) for name, values in batch.items()}


MEMBERS = "members"
"""The axis of the devices that share the members of a sweep."""


def member_layout(count: int, devices: Sequence[Any] | None = None) -> MemberLayout:
    """Places the members of a sweep: on as many devices as can have equally many of them.

    Args:
        count: the number of members, >= 1.
        devices: the devices to choose from; all of them by default.

    >>> member_layout(1).device_count
    1
    """
    found = list(jax.devices() if devices is None else devices)
    used = max(number for number in range(1, len(found) + 1) if count % number == 0)
    return MemberLayout(Mesh(np.array(found[:used]), (MEMBERS,), axis_types=(AxisType.Auto,)))


def compile_function(function: Callable, *, static_argnums: tuple[int, ...] = ()) -> Callable:
    """Compiles a function that runs where its arguments are, and consumes none of them."""
    return jax.jit(function, static_argnums=static_argnums)


def compile_once(function: Callable) -> Callable:
    """Compiles a function that will run a single time, such as ``init``.

    On CPU the compiler then leaves its code as it is: to optimise the drawing of random numbers takes it
    seconds and saves milliseconds. Last digits may differ from those of `compile_function`.
    """
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)


def to_host(tree: PyTree) -> PyTree:
    """Copies arrays that every device has to this host, as NumPy arrays, and waits for them."""
    return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_data(0)), tree)


def from_first_process(tree: PyTree) -> PyTree:
    """Gives every process the NumPy arrays that the first one has; every process must ask.

    >>> from_first_process({"w": np.ones(2)})["w"].tolist()
    [1.0, 1.0]
    """
    return tree if jax.process_count() == 1 else multihost_utils.broadcast_one_to_all(tree)


def on_any_process(flag: bool) -> bool:
    """Tells whether the flag is set on any process, the same answer on all of them.

    Every process must ask, and at the same point of its work.

    >>> on_any_process(False)
    False
    """
    if jax.process_count() == 1:
        return flag
    return bool(multihost_utils.process_allgather(np.array(flag)).any())
