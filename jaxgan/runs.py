"""Runs: a model, its data and its settings put together, trained into a folder, and opened again."""

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import config, data, parallel, run_folder, run_scores, stylists, translation, zoo
from jaxgan.assessment import Assessment
from jaxgan.checkpoint import Checkpoints
from jaxgan.health import parse_kinds
from jaxgan.loop import Drawing, Outcome, fit
from jaxgan.run_folder import RunFolder
from jaxgan.settings import FREE_ON_RESUME, Settings, count_steps, read_data, settings_type
from jaxgan.steps import GAN, Built, Stylist, Translator
from jaxgan.typing import Array, PyTree
from jaxgan.validation import InputError
from jaxgan.versions import versions

SHOWN = 64
"""The images in a grid of samples: those of the seeds 0 to 63."""
ROWS = 16
"""The classes in a grid of samples, a row for each; the first of them, if there are more."""
CHUNK = 256
"""The images drawn at once."""


class Run(NamedTuple):
    """A run's folder, opened.

    Attributes:
        folder: the folder.
        model: its model.
        settings: its settings.
        steps: the number of steps it was asked for.
    """

    folder: RunFolder
    model: zoo.Model
    settings: Settings
    steps: int


def open_run(path: Path) -> Run:
    """Opens the folder of a run and reads its settings.

    Raises:
        InputError: it is no run, or one of a model or of settings that are not known.
    """
    folder = run_folder.open_run(path)
    found = folder.read_config()
    source = str(path / run_folder.CONFIG)
    kinds = {"model": str, "steps": int, "settings": dict}
    if not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        raise InputError(f"{source} does not name its model, settings and steps")
    model = zoo.get(found["model"])
    settings = config.from_dict(settings_type(model), found["settings"], source)
    return Run(folder, model, settings, found["steps"])


def train(
    model: zoo.Model, settings: Settings, *, out: Path | None, resume: bool, display: Callable[[int], Any]
) -> tuple[RunFolder, Outcome]:
    """Trains a model, or goes on with a run.

    Everything is checked before anything is written.

    Args:
        model: the model.
        settings: the settings.
        out: the folder of the run; a new one, ``runs/MODEL-N``, by default.
        resume: whether to go on with the run in ``out``.
        display: makes the display from the number of steps, as a context.

    Raises:
        InputError: what was given cannot be used.
        jaxgan.loop.NonFiniteError: the training diverged.
    """
    before = check_resumed(model, settings, out) if resume else None
    _check_folder(before, out)
    layout = parallel.layout(settings.parallel)
    layout.check_batch_size(settings.batch_size)
    images = read_data(settings, "train")
    trainable = model.build(settings.model)
    if before is None:  # else the checkpoint holds them
        trainable = stylists.with_weights(trainable, settings.model)
    batches = make_batches(images, settings)
    share = 1 if layout.mode == "jit" else layout.device_count
    check_step(trainable, settings, settings.batch_size // share)
    usual = before or model.recipe(settings.preset)
    steps = count_steps(settings, len(images), usual.steps)
    record = make_record(model, settings, steps, images, layout)
    if before is not None:
        check_same(before, record)
    assessment = None
    if settings.evaluate_every is not None:
        assessment = make_assessment(model, settings, trainable, settings.evaluate_every, layout=layout)
    folder = _folder(before, out or run_folder.next_free(model.name), record)
    with display(steps) as screen:
        outcome = fit(
            trainable,
            batches,
            key=jax.random.key(settings.seed),
            steps=steps,
            folder=folder,
            layout=layout,
            cadence=settings.cadence,
            drawing=make_drawing(trainable, settings),
            assessment=assessment,
            display=screen,
            health=settings.health,
            stop_on=parse_kinds(settings.stop_on),
            resume=resume,
        )
    return folder, outcome


def make_batches(images: data.Dataset, settings: Settings) -> data.Batches:
    """Makes the stream of batches that a run learns from, this process's part of it."""
    return data.batches(
        images,
        batch_size=settings.batch_size,
        seed=settings.seed,
        value_range=settings.model.value_range,
        augment=settings.augment,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def check_resumed(model: zoo.Model, settings: Settings, out: Path | None) -> Run:
    """Opens a run to go on with.

    Raises:
        InputError: it is none of the model and of the settings, but for those in `FREE_ON_RESUME`.
    """
    if out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    run = open_run(out)
    if run.model.name != model.name:
        raise InputError(f"--out {out} holds a run of {run.model.name}, not of {model.name}")
    given, saved = (
        {name: value for name, value in config.to_dict(s).items() if name not in FREE_ON_RESUME}
        for s in (settings, run.settings)
    )
    differing = config.differences(given, saved)
    if differing:
        raise InputError(f"--resume {out}: these settings are not those of the run: {', '.join(differing)}")
    if not run.folder.checkpoints.is_dir() or not Checkpoints(run.folder.checkpoints).steps():
        raise InputError(f"--resume {out}: there is no checkpoint in {run.folder.checkpoints}")
    return run


def _check_folder(before: Run | None, out: Path | None) -> None:
    if before is None and jax.process_count() > 1 and out is None:
        raise InputError("several processes need --out, the folder of the run that they share")
    if before is None and out is not None and jax.process_index() == 0:
        run_folder.check_free(out)


def check_step(trainable: Built, settings: Settings, size: int) -> None:
    """Traces one step without computing it.

    Raises:
        InputError: the step does not take batches of that size.
    """
    key = jax.random.key(0)
    batch = zoo.abstract_batch(settings.model, size)
    state = jax.eval_shape(trainable.init, key)
    try:
        jax.eval_shape(trainable.step, state, batch, key)
    except ValueError as error:
        raise InputError(str(error)) from None


def check_same(before: Run, record: dict[str, Any]) -> None:
    """Refuses to go on with a run on other data, or to fewer steps than it has taken.

    Raises:
        InputError: either of them.
    """
    found = before.folder.read_config().get("data")
    if found != record["data"]:
        raise InputError(
            f"--resume {before.folder.path}: the data are now {record['data']}; they were {found}"
        )
    last = Checkpoints(before.folder.checkpoints).steps()[-1]
    if record["steps"] < last:
        raise InputError(
            f"--resume {before.folder.path}: steps is {record['steps']}; it must be at least {last}"
        )


def _folder(before: Run | None, path: Path, record: dict[str, Any]) -> RunFolder:
    if jax.process_index() == 0:
        if before is None:
            run_folder.create(path, record)
        else:
            _rewrite_config(before.folder, record)
    parallel.on_any_process(False)  # wait until the folder is there
    return RunFolder(path)


def _rewrite_config(folder: RunFolder, record: dict[str, Any]) -> None:
    try:
        folder.write_config(record)
    except OSError as error:
        raise InputError(f"--out {folder.path} cannot be written: {error.strerror}") from None


def make_record(
    model: zoo.Model, settings: Settings, steps: int, images: data.Dataset, layout: parallel.Layout
) -> dict[str, Any]:
    """Puts together what a run's ``config.json`` says."""
    return {
        "model": model.name,
        "steps": steps,
        "settings": config.to_dict(settings),
        "data": {"images": len(images), "classes": images.num_classes},
        "class_names": list(images.classes or ()),
        "versions": versions(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "devices": {"kind": jax.devices()[0].device_kind, "count": layout.device_count},
    }


def make_assessment(
    model: zoo.Model,
    settings: Settings,
    trainable: Built,
    every: int,
    *,
    layout: parallel.Layout | None = None,
) -> Assessment:
    """Says how the states of a run are scored: a GAN's by samples, others' as by `jaxgan evaluate`.

    Raises:
        InputError: it draws no images, or its data do not suit the scores.
    """
    if isinstance(trainable, Translator | Stylist):
        measure = prepare_measure(trainable, settings)
        return Assessment(every, functools.partial(translation.begin, measure), measure.protocol)
    evaluator = run_scores.prepare(model, settings, settings.scoring, layout=layout)
    begin = functools.partial(run_scores.begin, evaluator)
    return Assessment(every, begin, evaluator.protocol, evaluator.note)


def prepare_measure(
    trainable: Translator | Stylist, settings: Settings, *, test: data.Dataset | None = None
) -> translation.Measure:
    """Puts together what scores images that are made of others; see `translation` and `stylists`.

    Raises:
        InputError: there are no held-out images, or they do not suit the scores.
    """
    prepare: Any = translation.prepare if isinstance(trainable, Translator) else stylists.prepare
    measure: translation.Measure = prepare(trainable, settings, test=test)
    return measure


def make_drawing(trainable: Built, settings: Settings) -> Drawing | None:
    """Says how a run shows its samples, those of a model with classes in a row for each.

    Returns:
        How; None for a model that makes no images.
    """
    if isinstance(trainable, Translator):
        return translation.make_drawing(trainable, settings)
    if isinstance(trainable, Stylist):
        return stylists.make_drawing(trainable, settings)
    if not isinstance(trainable, GAN):
        return None
    sample, columns, labels = sampler(trainable), None, None
    if classes := zoo.num_classes(settings.model):
        rows = min(classes, ROWS)
        columns = SHOWN // rows
        labels = jnp.repeat(jnp.arange(rows), columns)
    seeds = jnp.arange(SHOWN if labels is None else len(labels), dtype=jnp.uint32)
    return Drawing(lambda state: sample(state, seeds, labels), settings.model.value_range, columns)


def sampler(gan: GAN) -> Callable[[PyTree, Array, Array | None], Array]:
    """Compiles the drawing of one image for each seed: ``(state, uint32[N], labels) -> f32[N, H, W, C]``.

    Labels int32[N] are for a GAN with classes, which draws them where they are None.
    """

    def sample(state: PyTree, seeds: Array, labels: Array | None) -> Array:
        def draw_one(seed: Array, label: Array | None) -> Array:
            one = None if label is None else label[jnp.newaxis]
            return gan.sample(state, jax.random.key(seed), 1, one)[0]

        return jax.vmap(draw_one)(seeds, labels)

    return parallel.compile_function(sample)


def draw(gan: GAN, state: PyTree, seeds: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Draws one image for each seed, so many at once that the memory suffices.

    Args:
        gan: the GAN.
        state: its state.
        seeds: uint32[N], N >= 1.
        labels: int32[N], in 0 ... K - 1, for a GAN with classes, which draws them where they are None.

    Returns:
        f32[N, H, W, C].
    """
    sample, count = sampler(gan), len(seeds)
    given = (seeds,) if labels is None else (seeds, labels)
    padded = [np.resize(each, -(-count // CHUNK) * CHUNK) if count > CHUNK else each for each in given]
    images = []
    for start in range(0, len(padded[0]), CHUNK):
        chunk, *known = (jnp.asarray(each[start : start + CHUNK]) for each in padded)
        images.append(jax.device_get(sample(state, chunk, known[0] if known else None)))
    return np.concatenate(images)[:count]


def restore(run: Run, say: Callable[[str], None]) -> tuple[int, PyTree]:
    """Reads the newest state of a run that can be read, and changes nothing.

    Returns:
        The step and the state.

    Raises:
        InputError: there is none.
    """
    layout = parallel.layout()
    init = run.model.build(run.settings.model).init
    template = layout.abstract_state(jax.eval_shape(init, jax.random.key(0)))
    if not run.folder.checkpoints.is_dir():
        raise InputError(f"there is no checkpoint in {run.folder.checkpoints}")
    with contextlib.closing(Checkpoints(run.folder.checkpoints)) as checkpoints:
        restored = checkpoints.restore(template, say=say)
    return restored.step, restored.state
