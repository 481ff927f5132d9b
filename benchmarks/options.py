"""The flags that several subcommands share."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from jaxgan import zoo
from jaxgan.validation import require

from . import process
from .records import Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """How often and how long to measure.

    Attributes:
        rounds: the processes of each case.
        repeats: the timed steps of each process.
        warmup: the steps before them, after the first.
        timeout: the seconds that a process may take.
    """

    rounds: int = 3
    repeats: int = 20
    warmup: int = 3
    timeout: float = 600.0

    def __post_init__(self) -> None:
        process.check_counts(**dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of the model, where they are not its own.

    Attributes:
        features: the width of the networks.
        image_size: the height and width of the images.
        channels: 1 or 3.
    """

    features: int | None = None
    image_size: int | None = None
    channels: int | None = None

    def chosen(self) -> dict[str, Scalar]:
        """Gives those that were chosen, as options of a case.

        >>> Sizes(features=4).chosen()
        {'features': 4}
        """
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How whole trainings are done.

    Attributes:
        seeds: the seeds of the trainings, with commas between them.
        threads: the cores that each may use; by default all that this process may.
        timeout: the seconds that a training may take.
        runs: where the runs are left; by default they are removed.
        resume: go on with the report in --out, without what it has already.
    """

    seeds: tuple[str, ...] = ("0",)
    threads: int | None = None
    timeout: float = 21_600.0
    runs: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        require(self.timeout > 0, "timeout", self.timeout, "> 0")

    def chosen(self) -> dict[str, Scalar]:
        """Gives what tells cases apart, as options of a case."""
        return {} if self.threads is None else {"threads": self.threads}


def read_models(names: Sequence[str]) -> list[str]:
    """Reads the names of models, where that of a folder stands for all in it that are trained here.

    >>> read_models(["cnn", "classifiers"])
    ['cnn', 'resnet', 'vgg']
    """
    found: list[str] = []
    for name in names:
        inside = [model for model in zoo.trainable() if zoo.folders()[model] == name]
        found += inside if name in zoo.FOLDERS else [name]
    return list(dict.fromkeys(found))


def read_flags(text: str) -> str:
    """Reads XLA flags, which may stand without their dashes, as those of the command line must.

    Returns:
        The flags with dashes, or the name ``"tuned"`` or ``"default"``. Whether JAX knows the flags is found
        out later.

    Raises:
        InputError: it is something else.

    >>> read_flags("xla_cpu_enable_fast_math=true --xla_cpu_use_onednn=true")
    '--xla_cpu_enable_fast_math=true --xla_cpu_use_onednn=true'
    """
    if text in ("tuned", "default"):
        return text
    words = text.split()
    are_flags = bool(words) and all(re.fullmatch(r"(--)?xla_\w+(=\S*)?", word) for word in words)
    require(are_flags, "flags", text, "tuned, default, or XLA flags such as xla_cpu_enable_fast_math=true")
    return " ".join(f"--{word.removeprefix('--')}" for word in words)
