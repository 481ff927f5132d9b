"""How far a classifier's accuracy falls when its test images are turned, shifted, scaled or made noisy."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import config, data, parallel, run_scores, runs
from jaxgan.augment import affine
from jaxgan.augment.common import Range
from jaxgan.augment.warp import warp
from jaxgan.evaluation import BATCH
from jaxgan.files import whole
from jaxgan.settings import read_data
from jaxgan.steps import Classifier
from jaxgan.typing import Array, PyTree, Watch, unwatched
from jaxgan.validation import InputError, require

SEED = 0
"""It decides how each image is changed: always the same, so that tables can be compared."""

FILES = ("robustness.json", "robustness.png")
"""What is written into the folder of each run."""


class Change(NamedTuple):
    """One way in which test images are changed.

    Attributes:
        unit: what its strengths count.
        strengths: those that are measured, from weak to strong.
    """

    unit: str
    strengths: tuple[float, ...]


CHANGES = {
    "rotation": Change("degrees", (10, 20, 30, 45, 60, 90)),
    "shift": Change("share of the side", (0.05, 0.1, 0.15, 0.2, 0.25)),
    "scale": Change("share of the size", (0.1, 0.2, 0.3, 0.4, 0.5)),
    "noise": Change("standard deviation, black to white being 1", (0.05, 0.1, 0.2, 0.3, 0.4)),
}


class Robustness(NamedTuple):
    """What was measured of one run.

    Attributes:
        step: the step of its state.
        clean: the share of the test images that are recognised as they are.
        changed: for each change the shares at its strengths.
        protocol: all that decides which images were looked at.
    """

    step: int
    clean: float
    changed: dict[str, tuple[float, ...]]
    protocol: dict[str, Any]

    @property
    def mean(self) -> float:
        """The mean over all changes and strengths, each change counting alike."""
        return float(np.mean([np.mean(shares) for shares in self.changed.values()]))


def perturb(images: Array, numbers: Array, strength: Array, *, change: str, value_range: Range) -> Array:
    """Changes each image by the strength s in a direction of its own.

    - ``rotation``: it turns by s degrees, one way or the other.
    - ``shift``: it moves by s of its height and width, in any direction.
    - ``scale``: it grows to 1 + s or shrinks to 1 - s of its size, about its centre.
    - ``noise``: normal noise of the standard deviation s (white - black) is added to every value; the
      result is cut to the range.

    What comes from beyond the borders is black. The first three are the most that the setting s of the same
    name does to a training image (`jaxgan.augment.affine`), but for a shift, which there may be as far on
    both sides at once. With s = 0 the images stay as they are, to the last bit on a CPU.

    Args:
        images: f32[N, H, W, C] in the range.
        numbers: int[N], their places in the data set, which decide the directions and the noise.
        strength: f32[], s >= 0; below 1 for scale.
        change: which one.
        value_range: (low, high), the values of black and white.

    Returns:
        f32[N, H, W, C] in the range.

    Raises:
        InputError: an unknown change.

    >>> grey = jnp.full((2, 4, 4, 1), 0.5)
    >>> perturb(grey, jnp.arange(2), 0.3, change="noise", value_range=(0, 1)).shape
    (2, 4, 4, 1)
    """
    require(change in CHANGES, "change", change, "one of " + ", ".join(CHANGES))
    low, high = value_range
    keys = jax.vmap(lambda number: jax.random.fold_in(jax.random.key(SEED), number))(numbers)
    if change == "noise":
        noise = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(keys)
        return jnp.clip(images + strength * (high - low) * noise, low, high)
    direction = 2 * jnp.pi * jax.vmap(jax.random.uniform)(keys)
    side = strength * jnp.where(direction < jnp.pi, 1.0, -1.0)
    zero, one = jnp.zeros_like(side), jnp.ones_like(side)
    moved = {"angle": zero, "shift": jnp.stack([zero, zero], -1), "scale": one, "tangent": zero, "sign": one}
    if change == "rotation":
        moved["angle"] = jnp.radians(side)
    elif change == "shift":
        sides = jnp.array(images.shape[1:3], jnp.float32)[None, :]
        moved["shift"] = strength * sides * jnp.stack([jnp.sin(direction), jnp.cos(direction)], -1)
    else:
        moved["scale"] = 1 + side
    return warp(images, affine.invert(**moved), fill=low)


def measure_runs(
    opened: Sequence[runs.Run], *, say: Callable[[str], None], watch: Watch = unwatched
) -> list[Robustness]:
    """Measures the newest states of runs of classifiers on the same changed images.

    Each folder gets ``robustness.json`` with its numbers and ``robustness.png`` with the curves of all.

    Args:
        opened: the runs, one or more.
        say: gets a sentence for each checkpoint that cannot be read.
        watch: told how the work goes on.

    Raises:
        InputError: one of them is no classifier or has no state, their test images differ or have no labels,
            or a folder cannot be written.
    """
    images = _test_images(opened)
    protocols = _protocols(opened, images)
    states = [runs.restore(run, say) for run in opened]
    found = [
        Robustness(step, *measure(run, state, held, watch=watch), protocol)
        for run, (step, state), held, protocol in zip(opened, states, images, protocols, strict=True)
    ]
    _write(opened, found)
    return found


def measure(
    run: runs.Run, state: PyTree, images: data.Dataset, *, watch: Watch = unwatched
) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Finds the share of images that are recognised, as they are and changed by every change and strength.

    Args:
        run: the run of a classifier.
        state: its state.
        images: the images, with labels.
        watch: told how the work goes on.

    Returns:
        The share of the images as they are; for each change the shares at its strengths.

    Raises:
        InputError: the images have no labels, or other classes than the model.
    """
    data.require_labels(images, run.settings.model.num_classes)
    classifier, value_range = run.model.build(run.settings.model), run.settings.model.value_range
    assert isinstance(classifier, Classifier)

    def count(state: PyTree, images: Array, labels: Array) -> Array:
        return (classifier.predict(state, images).argmax(1) == labels).sum()

    def change(images: Array, numbers: Array, strength: Array, name: str) -> Array:
        return perturb(images, numbers, strength, change=name, value_range=value_range)

    recognised = parallel.compile_function(count)
    changed = parallel.compile_function(change, static_argnums=(3,))
    cases = [(name, strength) for name, kind in CHANGES.items() for strength in kind.strengths]
    right, first = np.zeros(1 + len(cases)), 0
    for batch in data.in_order(images, batch_size=BATCH, value_range=value_range):
        pixels, labels = jnp.asarray(batch["image"]), jnp.asarray(batch["label"])
        numbers = jnp.arange(first, first + len(labels))
        variants = (changed(pixels, numbers, jnp.float32(strength), name) for name, strength in cases)
        counts = [recognised(state, some, labels) for some in (pixels, *variants)]
        right += np.array(jax.device_get(counts))
        first += len(labels)
        watch("test images, as they are and changed", first, len(images))
    shares = iter((right / len(images)).tolist())
    clean = next(shares)
    return clean, {name: tuple(next(shares) for _ in kind.strengths) for name, kind in CHANGES.items()}


def _test_images(opened: Sequence[runs.Run]) -> list[data.Dataset]:
    found = []
    for run in opened:
        if not isinstance(run.model.build(run.settings.model), Classifier):
            raise InputError(
                f"{run.folder.path} is a run of {run.model.name}; only a classifier's robustness is measured"
            )
        found.append(read_data(run.settings, "test"))
    return found


def _protocols(opened: Sequence[runs.Run], images: Sequence[data.Dataset]) -> list[dict[str, Any]]:
    """Says what the numbers depend on; refuses runs whose test images differ."""
    found = [
        {
            **run_scores.images_protocol(run.settings, held),
            "images": len(held),
            "seed": SEED,
            **run_scores.machine_protocol(),
        }
        for run, held in zip(opened, images, strict=True)
    ]
    for run, protocol in zip(opened, found, strict=True):
        if differing := config.differences(_nameless(found[0]), _nameless(protocol)):
            raise InputError(
                f"{opened[0].folder.path} and {run.folder.path} have different test images: "
                + ", ".join(differing)
            )
    return found


def _nameless(protocol: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the name of the data: the same images may have two."""
    return {name: value for name, value in protocol.items() if name != "data"}


def as_json(run: runs.Run, found: Robustness) -> dict[str, Any]:
    """Gives what ``robustness.json`` holds."""
    changes = {
        name: {**kind._asdict(), "accuracy": found.changed[name], "mean": float(np.mean(found.changed[name]))}
        for name, kind in CHANGES.items()
    }
    return {
        "model": run.model.name,
        "step": found.step,
        "clean": found.clean,
        "mean": found.mean,
        "changes": changes,
        "protocol": found.protocol,
    }


def _write(opened: Sequence[runs.Run], found: Sequence[Robustness]) -> None:
    curves = {str(run.folder.path): one for run, one in zip(opened, found, strict=True)}
    for run, one in zip(opened, found, strict=True):
        path = run.folder.path
        try:
            with whole(path / FILES[0]) as partial:
                partial.write_text(json.dumps(as_json(run, one), indent=2) + "\n", "utf-8")
            save_curves(path / FILES[1], curves)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None


def save_curves(path: Path, found: dict[str, Robustness]) -> None:
    """Draws accuracy against strength: a panel for each change, a curve for each run.

    Args:
        path: the PNG file.
        found: what was measured, by the names of the runs.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    figure.suptitle("Accuracy on changed test images")
    for place, (change, kind) in enumerate(CHANGES.items(), start=1):
        axes = figure.add_subplot(2, 2, place)
        for number, (name, one) in enumerate(found.items()):
            shares = (one.clean, *one.changed[change])
            style = ("-", "--", ":")[number // 10 % 3]
            axes.plot((0, *kind.strengths), shares, f"C{number % 10}{style}o", markersize=3, label=name)
        axes.set_title(change, fontsize=10)
        axes.set_xlabel(kind.unit)
        axes.set_ylabel("accuracy")
        axes.set_ylim(0, 1.02)
        axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    with whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
