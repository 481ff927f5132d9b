"""`recommend`: the models that fit data, a device and hours, best first, and the command for the first."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from jaxgan import zoo
from jaxgan.recommend import candidates, devices, rules, survey, timing
from jaxgan.recommend.rules import Choice, Data, Device
from jaxgan.validation import InputError, require

Task = Literal["classify", "generate", "translate"]
TASKS: tuple[str, ...] = get_args(Task)


class Advice(NamedTuple):
    """What was found.

    Attributes:
        data: what there is to learn from.
        device: what it is learnt with.
        hours: the time there is.
        choices: the models with their presets, best first.
        command: what trains the first of them.
    """

    data: Data
    device: Device
    hours: float
    choices: list[Choice]
    command: str


def recommend(
    task: str,
    spec: str,
    *,
    device: str = devices.HERE,
    hours: float = 1.0,
    measured: int = 0,
    count: int = 5,
    data_dir: Path | None = None,
    watch: Callable[[str], None] = lambda _: None,
) -> Advice:
    """Ranks the models of the zoo by the rules of `jaxgan.recommend.rules`.

    Args:
        task: ``"classify"``, ``"generate"`` or ``"translate"``.
        spec: the data, as `jaxgan.data.load` takes them.
        device: one of `devices.NAMES`; this one by default, which is measured for a few seconds.
        hours: the time there is, > 0.
        measured: of how many of the first the step is measured, on this device, >= 0.
        count: how many of the first must be known with their memory, >= 1.
        data_dir: where the prepared data sets of tfds lie.
        watch: is told what is being done.

    Raises:
        InputError: an unknown task or device, data that cannot be read or do not suit the task, hours that
            are not above 0, or a measurement asked for on another device.

    >>> advice = recommend("generate", "digits", device="h100")  # doctest: +SKIP
    >>> advice.choices[0].complaints, advice.command.split()[:3]  # doctest: +SKIP
    ({}, ['jaxgan', 'train', 'wgan_gp'])
    """
    _check(task, device, hours, measured, count)
    watch(f"reading {spec}")
    found = survey.survey(spec, data_dir)
    check_task(task, found)
    watch("measuring this device")
    place = timing.here() if device == devices.HERE else devices.known(device)
    fitted = []
    for model, preset in candidates.recipes(task, found):
        watch(f"counting {model.name} {preset}")
        fitted.append(fit_in_time(model, preset, found, place, hours))
    known = {(each.model.name, each.preset): each for each in fitted}
    choices = {key: rules.judge(each.candidate, found, place, hours) for key, each in known.items()}
    refined: set[tuple[str, str]] = set()

    def ranked() -> list[Choice]:
        return rules.rank(choices.values(), found.images, higher_is_better=task == "classify")

    def refine(choice: Choice) -> bool:
        key = (choice.candidate.model, choice.candidate.preset)
        if key in refined:
            return False
        refined.add(key)
        watch(f"{'timing' if measured else 'counting'} {choice.name}")
        seconds = timing.time_step(known[key]) if measured else None
        candidate = candidates.with_activations(known[key])
        choices[key] = rules.judge(candidate, found, place, hours, measured=seconds)
        return True

    rules.settle(ranked, refine, measured or count)
    best = ranked()
    return Advice(found, place, hours, best, command(best[0], known, found, hours, data_dir))


def command(
    best: Choice,
    known: dict[tuple[str, str], candidates.Fitted],
    data: Data,
    hours: float,
    data_dir: Path | None = None,
) -> str:
    """Writes what trains a choice, for as many steps as there is time for."""
    candidate, steps = best.candidate, best.affordable_steps(hours)
    model, *preset = best.name.split()
    parts = ["jaxgan", "train", model, "--data", data.spec]
    if preset:
        parts += ["--preset", *preset]
    if data_dir is not None:
        parts += ["--data-dir", str(data_dir)]
    parts += [*candidate.options, "--steps", str(steps)]
    parts += candidates.schedule_options(known[candidate.model, candidate.preset].config, steps)
    return shlex.join(parts)


def check_task(task: str, data: Data) -> None:
    """Refuses data that a task cannot use.

    Raises:
        InputError: no labels to tell, or another number of domains than the task has.
    """
    if task == "classify" and data.num_classes < 2:
        what = f"{data.num_classes} classes" if data.num_classes else "no labels"
        raise InputError(f"{data.spec} has {what}; task classify needs images of at least 2 classes")
    if task == "translate" and data.domains is None:
        raise InputError(
            f"{data.spec} has images of one domain; task translate needs two, such as pairs:FOLDER or "
            "domains:A,B"
        )
    if task != "translate" and data.domains is not None:
        raise InputError(f"{data.spec} has images of two domains; task {task} needs those of one")


def _check(task: str, device: str, hours: float, measured: int, count: int) -> None:
    require(task in TASKS, "task", task, "one of " + ", ".join(TASKS))
    require(device in devices.NAMES, "device", device, "one of " + ", ".join(devices.NAMES))
    require(0 < hours < float("inf"), "hours", hours, "> 0 and finite")
    require(measured >= 0, "measured", measured, ">= 0")
    require(count >= 1, "count", count, ">= 1")
    if measured and device != devices.HERE:
        raise InputError(f"device is {device!r}; steps are measured on this device only: give --device here")


def fit_in_time(model: zoo.Model, preset: str, data: Data, device: Device, hours: float) -> candidates.Fitted:
    """Fits a recipe; to smaller images where there is no time for the data's, down to an eighth."""
    fitted = first = candidates.fit(model, preset, data)
    for halvings in range(1, candidates.MOST_HALVINGS + 1):
        if "time" not in rules.judge(fitted.candidate, data, device, hours).complaints:
            return fitted
        smaller = candidates.fit(model, preset, data, halvings=halvings)
        if smaller.candidate.image_size == fitted.candidate.image_size:
            break
        fitted = smaller
    return fitted if "time" not in rules.judge(fitted.candidate, data, device, hours).complaints else first
