"""``jaxgan evaluate RUN``."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxgan import evaluation, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Measures a trained model on the test images.

    Attributes:
        run: the folder that `jaxgan train` made.
    """

    run: Annotated[Path, tyro.conf.Positional]


def run(arguments: list[str]) -> int:
    """Measures a model."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan evaluate")
    opened = runs.open_run(flags.run)
    step, scores, written = evaluation.evaluate(opened, print)
    print(f"{opened.model.name} after {step} steps, on {scores['images']} test images of {scores['data']}:")
    _print(scores)
    print("the results are in " + ", ".join(map(str, written)))
    return 0


def _print(scores: dict[str, Any]) -> None:
    for name, value in scores.items():
        if isinstance(value, float):
            print(f"  {name.replace('_', ' '):<24}{value:.4f}")
    if "classes" in scores:
        print(f"  {'class':<24}precision  recall      f1  images")
        for name, row in scores["classes"].items():
            numbers = "  ".join(f"{row[key]:.4f}" for key in ("recall", "f1"))
            print(f"  {name:<24}   {row['precision']:.4f}  {numbers}  {row['images']:>6}")
