"""``jaxgan evaluate RUN``, ``jaxgan evaluate RUN OTHER`` and ``jaxgan evaluate RUN ... --robustness``."""

import dataclasses
import string
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxgan import comparison, evaluation, progress, robustness, run_scores, runs
from jaxgan.scoring import RESAMPLES, Protocol, Scoring
from jaxgan.validation import InputError, require

WIDTH = 31
LETTERS = string.ascii_uppercase
HEAD = ("step", "images")
"""What the sentence above the scores says."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(Protocol):
    """Measures a trained model, or compares two; every score is added to RUN/scores.jsonl with its protocol.

    Attributes:
        run: the folder that `jaxgan train` made.
        others: a second one, to compare with: the differences, with 95 % intervals. GANs are compared by fid
            where no metrics are named. With --robustness there may be more.
        metrics: scores of a GAN's images, with commas between them: fid, kid, is (Inception Score), pr
            (precision, recall, density, coverage), modes (and KL to uniform), ppl (perceptual path length),
            ms_ssim. Without it, the losses (or accuracy, precision, recall and F1) on the test images.
        resamples: how often the images are resampled for the intervals of a comparison, 200 by default. With
            Inception's 2,048 features one takes seconds.
        robustness: the accuracy of classifiers on test images that are turned, shifted, scaled and noisy, the
            same images for every run: a table with a column for each, RUN/robustness.json and
            RUN/robustness.png.
    """

    run: Annotated[Path, tyro.conf.Positional]
    others: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    metrics: str | None = None
    resamples: int | None = None
    robustness: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.robustness and (self.metrics is not None or self.resamples is not None):
            raise InputError("--robustness: not together with --metrics or --resamples")
        count, most = 1 + len(self.others), len(LETTERS) if self.robustness else 2
        limit = f"at most {most}" + ("" if self.robustness else " without --robustness")
        require(count <= most, "the number of runs", count, limit)

    def plan(self) -> Scoring | None:
        """Says how images are scored, or None where they are not.

        Raises:
            InputError: settings of scores without metrics, or such that do not go together.
        """
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(Protocol)}
        if self.metrics is not None:
            return Scoring(metrics=self.metrics, **given)
        changed = [
            f"--{field.name}" for field in dataclasses.fields(Protocol) if given[field.name] != field.default
        ]
        if changed:
            raise InputError(f"{', '.join(changed)}: only for scores of images; name them with --metrics")
        return None


def run(arguments: list[str]) -> int:
    """Measures a model."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan evaluate", config=(tyro.conf.FlagCreatePairsOff,))
    plan = flags.plan()
    opened = [runs.open_run(path) for path in (flags.run, *flags.others)]
    if flags.robustness:
        return _robustness(opened)
    if flags.others:
        return _compare(opened, plan, RESAMPLES if flags.resamples is None else flags.resamples)
    if flags.resamples is not None:
        raise InputError("--resamples: only for the comparison of two runs")
    return _held_out(opened[0]) if plan is None else _score(opened[0], plan)


def _held_out(opened: runs.Run) -> int:
    step, scores, written = evaluation.evaluate(opened, print)
    print(f"{opened.model.name} after {step} steps, on {scores['images']} test images of {scores['data']}:")
    _print(scores)
    print("the results are in " + ", ".join(map(str, written)))
    return 0


def _score(opened: runs.Run, plan: Scoring) -> int:
    started = time.perf_counter()
    opened.folder.check_scores()
    step, state = runs.restore(opened, print)
    with progress.counter() as watch:
        evaluator = run_scores.prepare(opened.model, opened.settings, plan, watch=watch)
        scorer = evaluator.scorer
        scores = scorer.score(scorer.fetch(scorer.draw(state), watch))
    line = run_scores.line(step, scores, evaluator.protocol, started)
    opened.folder.append_scores(line)
    _print_scores(opened, line, evaluator.note)
    print(f"the results are in {opened.folder.scores_file}")
    return 0


def _print_scores(opened: runs.Run, line: dict[str, Any], note: str) -> None:
    protocol = line["protocol"]
    print(
        f"{opened.model.name} after {line['step']} steps, {protocol['samples']} samples against "
        f"{protocol['real']} {protocol['split']} images of {protocol['data']}:"
    )
    _print(line["scores"])
    accuracy = protocol.get("extractor_accuracy")
    if accuracy is not None:
        print(f"  (seen by a classifier of these data with a test accuracy of {accuracy:.4f})")
    if note:
        print(note)


def _compare(pair: list[runs.Run], plan: Scoring | None, resamples: int) -> int:
    with progress.counter() as watch:
        found = comparison.compare(pair, plan, resamples=resamples, say=print, watch=watch)
    first, second = found.lines
    _name(pair, [line["step"] for line in found.lines])
    width = max(WIDTH, *map(len, found.differences)) + 1
    print(f"  {'':<{width}}{'A':>10}{'B':>10}{'A - B':>10}   95 % interval")
    for name, difference in found.differences.items():
        row = (first["scores"][name], second["scores"][name], difference.value)
        numbers = "".join(f"{value:10.4g}" for value in row)
        print(f"  {name.replace('_', ' '):<{width}}{numbers}   {difference.low:.4g} to {difference.high:.4g}")
    print(f"the intervals are from {resamples} resamples of the images; one that holds 0 shows no difference")
    if found.note:
        print(found.note)
    return 0


def _name(opened: list[runs.Run], steps: list[int]) -> None:
    for letter, run, step in zip(LETTERS, opened, steps, strict=False):
        print(f"{letter}: {run.folder.path}, {run.model.name} after {step} steps")


def _robustness(opened: list[runs.Run]) -> int:
    with progress.counter() as watch:
        found = robustness.measure_runs(opened, say=print, watch=watch)
    _name(opened, [one.step for one in found])
    protocol = found[0].protocol
    count = protocol["images"]
    print(f"accuracy on {count} test images of {protocol['data']}, changed alike for every run:")
    _row("", LETTERS[: len(found)])
    _row("clean", [one.clean for one in found])
    for change, kind in robustness.CHANGES.items():
        print(f"  {change}, {kind.unit}")
        for number, strength in enumerate(kind.strengths):
            _row(f"{strength:>10g}", [one.changed[change][number] for one in found])
    _row("mean of the changes", [one.mean for one in found])
    print(f"with so many images chance alone moves an accuracy by up to {0.98 / count**0.5:.3f} (95 %)")
    names = " and ".join(robustness.FILES)
    print(f"the results are in {names} in " + ", ".join(str(run.folder.path) for run in opened))
    return 0


def _row(name: str, cells: Iterable[float | str]) -> None:
    shown = (cell if isinstance(cell, str) else format(cell, ".4f") for cell in cells)
    print(f"  {name:<{WIDTH + 1}}" + "".join(f"{cell:>8}" for cell in shown))


def _print(scores: dict[str, Any]) -> None:
    numbers = {
        name.replace("_", " "): value
        for name, value in scores.items()
        if isinstance(value, int | float) and name not in HEAD
    }
    width = max(WIDTH, *map(len, numbers)) + 1
    for name, value in numbers.items():
        print(f"  {name:<{width}}{value if isinstance(value, int) else format(value, '.4f')}")
    if "classes" in scores:
        print(f"  {'class':<24}precision  recall      f1  images")
        for name, row in scores["classes"].items():
            shares = "  ".join(f"{row[key]:.4f}" for key in ("recall", "f1"))
            print(f"  {name:<24}   {row['precision']:.4f}  {shares}  {row['images']:>6}")
