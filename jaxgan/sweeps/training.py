"""Sweeps put together, checked, trained in one program, and taken up again."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import evaluation, parallel, pictures, run_folder, runs, zoo
from jaxgan.assessment import Assessment
from jaxgan.loop import Drawing, Outcome, fit_kept
from jaxgan.run_folder import RunFolder
from jaxgan.settings import FREE_ON_RESUME, Settings, count_steps, read_data
from jaxgan.steps import Built, Classifier
from jaxgan.sweeps import checks, record
from jaxgan.sweeps.members import Member, MemberBatches, SweepKeeper
from jaxgan.sweeps.options import Choice, combine
from jaxgan.sweeps.stack import map_members, stacked
from jaxgan.validation import InputError, require

PICTURE = "scores.png"


class Swept(NamedTuple):
    """A sweep, as far as it went.

    Attributes:
        path: its folder.
        record: its members, with their scores if it went to its end.
        outcome: how the training ended.
    """

    path: Path
    record: record.Record
    outcome: Outcome


class _Plan(NamedTuple):
    """All that a sweep needs, checked before anything is written."""

    model: zoo.Model
    members: list[Member]
    trainables: list[Built]
    layout: parallel.MemberLayout
    batches: MemberBatches
    steps: int
    records: list[dict[str, Any]]
    scores: bool
    assessment: Assessment | None


def sweep(
    model: zoo.Model,
    settings: Settings,
    choices: Sequence[Choice],
    *,
    out: Path | None,
    scores: bool,
    display: Callable[[int], Any],
) -> Swept:
    """Trains a model with all combinations of some settings, in one program.

    Each member is a run of its own, in a folder of its own, as `jaxgan.runs.train` would have left it.
    Everything is checked before anything is compiled or written.

    Args:
        model: the model.
        settings: what all members share.
        choices: the options that vary, from `jaxgan.sweeps.options.split`.
        out: the folder of the sweep; a new one, ``runs/MODEL-sweep-N``, by default.
        scores: whether the members are scored at the end.
        display: makes the display from the number of steps, as a context.

    Raises:
        InputError: what was given cannot be used.
        jaxgan.keeper.NonFiniteError: every member diverged.
    """
    _check_alone(settings)
    variants = combine(settings, choices)
    path = out or run_folder.next_free(f"{model.name}-sweep")
    run_folder.check_free(path)
    trainables = checks.build_members(model, choices, variants)
    members = [Member(*variant, RunFolder(path / variant.name)) for variant in variants]
    plan = _plan(model, members, trainables, otherwise=model.recipe(settings.preset).steps, scores=scores)
    _create(path, plan)
    return _go(path, plan, {}, resume=False, display=display)


def resume(
    path: Path, model: zoo.Model, settings: Settings, *, scores: bool, display: Callable[[int], Any]
) -> Swept:
    """Goes on with a sweep, from the newest step that all of its members have kept.

    Args:
        path: its folder.
        model: its model.
        settings: those of the first of `open_members`, but for what a resumed run may change.
        scores: whether the members are scored at the end.
        display: as for `sweep`.

    Raises:
        InputError: what was given cannot be used.
        jaxgan.keeper.NonFiniteError: every member diverged.
    """
    _check_alone(settings)
    found = record.read(path)
    diverged = {row.name: row.diverged for row in found.members if row.diverged}
    alive = open_members(path)
    first = runs.check_resumed(model, settings, alive[0].folder.path)
    free = {name: getattr(settings, name) for name in FREE_ON_RESUME}
    members = []
    for row in found.members:
        run = runs.open_run(path / row.name)
        members.append(Member(row.name, row.values, dataclasses.replace(run.settings, **free), run.folder))
    built = {member.settings.model: model.build(member.settings.model) for member in members}
    trainables = [built[member.settings.model] for member in members]
    plan = _plan(model, members, trainables, otherwise=first.steps, scores=scores)
    for member, own in zip(members, plan.records, strict=True):
        if member.name not in diverged:
            runs.check_same(runs.check_resumed(model, member.settings, member.folder.path), own)
    for member, own in zip(members, plan.records, strict=True):
        member.folder.write_config(own)
    return _go(path, plan, diverged, resume=True, display=display)


def open_members(path: Path) -> list[runs.Run]:
    """Opens those members of a sweep that have not diverged.

    Raises:
        InputError: it is no sweep, or nothing of it is left.
    """
    found = record.read(path)
    opened = [runs.open_run(path / row.name) for row in found.members if not row.diverged]
    if not opened:
        raise InputError(f"every member of {path} has diverged; there is nothing to go on with")
    return opened


def _check_alone(settings: Settings) -> None:
    require(
        settings.parallel == "jit", "parallel", settings.parallel, "'jit' in a sweep, which shares devices"
    )
    if jax.process_count() > 1:
        raise InputError(f"a sweep runs in one process; there are {jax.process_count()}")


def _plan(
    model: zoo.Model,
    members: list[Member],
    trainables: list[Built],
    *,
    otherwise: int,
    scores: bool,
) -> _Plan:
    settings, trainable = members[0].settings, trainables[0]
    layout = parallel.member_layout(len(members))
    checks.check_memory(model, settings, trainable, len(members), layout.device_count)
    images = read_data(settings, "train")
    runs.check_step(trainable, settings, settings.batch_size)
    steps = count_steps(settings, len(images), otherwise)
    seeds = [member.settings.seed for member in members]
    streams = {
        seed: runs.make_batches(images, dataclasses.replace(settings, seed=seed))
        for seed in dict.fromkeys(seeds)
    }
    records = [
        runs.make_record(model, member.settings, steps, images, parallel.layout()) for member in members
    ]
    assessment = _assessment(model, settings, trainable, steps) if scores else None
    batches = MemberBatches(streams, seeds)
    return _Plan(model, members, trainables, layout, batches, steps, records, scores, assessment)


def _assessment(model: zoo.Model, settings: Settings, trainable: Built, steps: int) -> Assessment | None:
    """Says how members that make images are scored, and makes sure that a classifier can be measured."""
    try:
        if isinstance(trainable, Classifier):
            read_data(settings, "test")
            return None
        return runs.make_assessment(model, settings, trainable, settings.evaluate_every or steps)
    except InputError as error:
        raise InputError(f"{error} (with --no-scores the members are trained, and not scored)") from None


def _create(path: Path, plan: _Plan) -> None:
    existed = path.exists()
    try:
        for member, own in zip(plan.members, plan.records, strict=True):
            run_folder.create(member.folder.path, own)
        record.write(path, _record(plan, {}))
    except InputError:
        for member in plan.members:
            shutil.rmtree(member.folder.path, ignore_errors=True)
        if not existed:
            shutil.rmtree(path, ignore_errors=True)
        raise


def _record(plan: _Plan, diverged: dict[str, str], step: int | None = None) -> record.Record:
    """Puts ``sweep.json`` together; with the scores of a step, if one is given."""
    rows = []
    for member in plan.members:
        reason = diverged.get(member.name)
        scores = _scores(member, step, plan.assessment) if step is not None and reason is None else {}
        row = record.Row(name=member.name, values=member.values, diverged=reason)
        rows.append(dataclasses.replace(row, step=step, scores=scores) if scores else row)
    protocol = dict(plan.assessment.protocol) if plan.assessment else {}
    return record.Record(model=plan.model.name, steps=plan.steps, members=rows, protocol=protocol)


def _scores(member: Member, step: int, assessment: Assessment | None) -> dict[str, float]:
    """Finds a member's newest scores of a step; without any, the last metrics of its training."""
    lines = [line for line in member.folder.read_scores() if line["step"] == step]
    if assessment is not None:
        lines = [line for line in lines if line["protocol"] == assessment.protocol]
    if lines:
        return dict(lines[-1]["scores"])
    metrics = member.folder.read_metrics()
    last = metrics[-1] if metrics and metrics[-1]["step"] == step else {}
    return {name: value for name, value in last.items() if name not in ("step", "images_per_second", "time")}


def _go(
    path: Path, plan: _Plan, diverged: dict[str, str], *, resume: bool, display: Callable[[int], Any]
) -> Swept:
    settings, trainable = plan.members[0].settings, plan.trainables[0]
    with display(plan.steps) as screen:
        keeper = SweepKeeper(
            plan.members,
            trainable.init,
            layout=plan.layout,
            keep=settings.cadence.keep,
            assessment=plan.assessment,
            brief=settings.evaluate_every is None,
            display=screen,
            diverged=diverged,
            record=lambda: record.write(path, _record(plan, diverged)),
        )
        outcome = fit_kept(
            stacked(plan.trainables),
            plan.batches,
            key=jnp.stack([jax.random.key(member.settings.seed) for member in plan.members]),
            steps=plan.steps,
            keeper=keeper,
            layout=plan.layout,
            cadence=settings.cadence,
            drawing=_drawing(trainable, settings, plan.layout),
            display=screen,
            resume=resume,
        )
    found = _record(plan, diverged)
    if outcome.signal is None:
        if isinstance(trainable, Classifier) and plan.scores:
            _evaluate(plan, diverged)
        found = _record(plan, diverged, outcome.step)
        _draw(path, found)
    record.write(path, found)
    return Swept(path, found, outcome)


def _draw(path: Path, found: record.Record) -> None:
    rows = [dataclasses.asdict(row) for row in found.members]
    title = f"{path.name}: {len(rows)} members of {found.model} after {found.steps} steps"
    try:
        pictures.save_sweep(path / PICTURE, rows, title)
    except OSError as error:
        raise InputError(f"{path / PICTURE} cannot be written: {error.strerror}") from None


def _evaluate(plan: _Plan, diverged: dict[str, str]) -> None:
    """Measures each member of a classifier on the test images, as ``jaxgan evaluate`` does."""
    for member in plan.members:
        if member.name not in diverged:
            evaluation.evaluate(runs.open_run(member.folder.path), print)


def _drawing(trainable: Built, settings: Settings, layout: parallel.MemberLayout) -> Drawing | None:
    """Draws what a single run draws, for all members: f32[M, N, H, W, C]."""
    drawing = runs.make_drawing(trainable, settings)
    if drawing is None:
        return None
    return drawing._replace(draw=layout.compile_function(map_members(drawing.draw, 0, gives_state=False)))
