"""Checkpoints of a run: saved in the background, restored exactly; the only file that imports orbax."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxgan import parallel
from jaxgan.typing import Array, PyTree
from jaxgan.validation import InputError

STATE, POSITION = "state", "position"
SEAL = "sha256.json"
"""The file with the digests of a checkpoint's files, by which damage is seen."""
MARK = "commit_success.txt"
"""A file that orbax adds when it gives a checkpoint its final name."""


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
        step: the step it was taken at.
        state: the state, as the template asked for it.
        position: the place in the data, as it was given to `Checkpoints.save`.
    """

    step: int
    state: PyTree
    position: dict[str, Any]


class Checkpoints:
    """The checkpoints in one folder, oldest first.

    Args:
        folder: the folder; it must exist.
        keep: how many of the newest are kept, >= 1; None keeps all.
    """

    def __init__(self, folder: Path, *, keep: int | None = None):
        self._folder = folder.absolute()
        self._keep = keep
        self._open()

    def _open(self) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self._keep,
            create=False,
            cleanup_tmp_directories=self._keep is not None,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=options,
            item_handlers={STATE: ocp.StandardCheckpointHandler(), POSITION: ocp.JsonCheckpointHandler()},
        )

    def steps(self) -> list[int]:
        """The steps that have a checkpoint."""
        return sorted(self._manager.all_steps())

    def _seal(self) -> None:
        """Writes the digests of the checkpoint being saved, before orbax gives it its final name."""
        if jax.process_index() == 0:
            for unfinished in self._folder.glob("*tmp*"):
                (unfinished / SEAL).write_text(json.dumps(_digests(unfinished)), "utf-8")

    def save(self, step: int, state: PyTree, position: dict[str, Any]) -> None:
        """Starts to save a state; returns as soon as its arrays are copied.

        Args:
            step: the number of steps taken.
            state: a pytree of arrays; it may be changed or given away afterwards.
            position: the place in the data: what JSON can hold.
        """
        items = ocp.args.Composite(
            **{STATE: ocp.args.StandardSave(state), POSITION: ocp.args.JsonSave(position)}
        )
        self._manager.save(step, args=items, force=True)

    def restore(
        self, template: PyTree, *, say: Callable[[str], None], set_aside: Path | None = None
    ) -> Restored:
        """Restores the newest checkpoint that can be read.

        Args:
            template: the state's shapes, dtypes and placement (`jaxgan.parallel.Layout.abstract_state`).
            say: gets a sentence for each checkpoint that cannot be read.
            set_aside: where such checkpoints are moved to, so that their steps can be saved again; by
                default they stay where they are.

        Raises:
            InputError: there is none, or none can be read.
        """
        steps = self.steps()
        if not steps:
            raise InputError(f"there is no checkpoint in {self._folder}")
        for step in reversed(steps):
            damage = self._damage(step)
            if not damage:
                return self._restore(step, template)
            say(f"the checkpoint of step {step} cannot be read ({damage}); trying the one before")
            if set_aside is not None:
                self._move(step, set_aside)
        raise InputError(f"none of the checkpoints in {self._folder} can be read")

    def restore_step(self, step: int, template: PyTree) -> Restored:
        """Restores the checkpoint of a step.

        Raises:
            InputError: it cannot be read.
        """
        if damage := self._damage(step):
            raise InputError(f"the checkpoint of step {step} in {self._folder} cannot be read ({damage})")
        return self._restore(step, template)

    def set_aside(self, step: int, target: Path) -> None:
        """Moves the checkpoint of a step to another folder, so that the step can be saved again."""
        self._move(step, target)

    def _damage(self, step: int) -> str:
        """Compares a checkpoint with its seal: what is wrong with it, or nothing."""
        folder = self._folder / str(step)
        try:
            sealed = json.loads((folder / SEAL).read_text("utf-8"))
            found = _digests(folder)
        except (OSError, ValueError) as error:
            return f"{SEAL}: {getattr(error, 'strerror', None) or error}"
        changed = sorted(name for name in {*sealed, *found} if sealed.get(name) != found.get(name))
        return f"{changed[0]} is cut short, changed or missing" if changed else ""

    def _restore(self, step: int, template: PyTree) -> Restored:
        items = ocp.args.Composite(
            **{STATE: ocp.args.StandardRestore(template), POSITION: ocp.args.JsonRestore()}
        )
        try:
            found = self._manager.restore(step, args=items)
        except (ValueError, KeyError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0][:200]
            raise InputError(f"the checkpoint of step {step} does not fit the model: {reason}") from error
        return Restored(step, found[STATE], found[POSITION])

    def _move(self, step: int, target: Path) -> None:
        if jax.process_index() == 0:
            target.mkdir(exist_ok=True)
            (self._folder / str(step)).rename(_unused(target, str(step)))
        parallel.on_any_process(False)  # wait until it is moved
        self._manager.close()
        self._open()

    def close(self) -> None:
        """Waits until everything is saved.

        Raises:
            Exception: what went wrong while saving in the background.
        """
        self._manager.wait_until_finished()
        self._manager.close()


def _unused(folder: Path, name: str) -> Path:
    names = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(folder / name for name in names if not (folder / name).exists())


def _digests(checkpoint: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(checkpoint.glob("*/**/*")):
        if path.is_file() and path.name != MARK:
            with path.open("rb") as file:
                name = path.relative_to(checkpoint).as_posix()
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def all_finite(tree: PyTree) -> Array:
    """Tells whether every number in a pytree is finite: bool[].

    >>> bool(all_finite({"w": jnp.ones(3), "step": jnp.int32(1)})), bool(all_finite([jnp.array([jnp.nan])]))
    (True, False)
    """
    checks = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]
    return jnp.stack(checks).all() if checks else jnp.array(True)
