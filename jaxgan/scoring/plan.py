"""What is to be scored: the settings, checked before anything is computed."""

import dataclasses
import difflib
from typing import Literal

from jaxgan import data, extractors
from jaxgan.scoring.table import METRICS
from jaxgan.typing import Watch, unwatched
from jaxgan.validation import InputError, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """How images are scored, whatever is measured.

    Attributes:
        samples: the number of generated images.
        real: the number of real images, chosen by the seed; all of them by default.
        extractor: what sees the images: cnn, trained on the data within a minute, or inception, whose scores
            are those of the literature.
        resize: how images come to Inception's size: legacy (the default), or clean.
        split: the real images: train or test.
        seed: the seed of the generated images and of the choice of real ones.
    """

    samples: int = 10_000
    real: int | None = None
    extractor: Literal["cnn", "inception"] = "cnn"
    resize: Literal["legacy", "clean"] | None = None
    split: Literal["train", "test"] = "train"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.samples >= 2, "samples", self.samples, ">= 2")
        require(self.real is None or self.real >= 2, "real", self.real, ">= 2")
        require(self.extractor in ("cnn", "inception"), "extractor", self.extractor, "'cnn' or 'inception'")
        require(self.split in ("train", "test"), "split", self.split, "'train' or 'test'")
        require(0 <= self.seed < 2**32, "seed", self.seed, "in [0, 2**32)")
        allowed = "left out: only inception resizes"
        require(self.resize is None or self.extractor == "inception", "resize", self.resize, allowed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scoring(Protocol):
    """What is scored, and how.

    Attributes:
        metrics: fid, kid, is (Inception Score), pr (precision, recall, density, coverage), modes (and KL to
            uniform), ppl (perceptual path length), ms_ssim, with commas between them.
    """

    metrics: str = "fid,kid,is,pr,modes"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.names:
            least = METRICS[name].least
            require(self.samples >= least, "samples", self.samples, f"at least {least} for {name}")
        counted = "modes" not in self.names or self.extractor == "cnn"
        require(counted, "extractor", self.extractor, "'cnn' for modes, which are classes of the data")

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics, each once, in the order given.

        Raises:
            InputError: one that is not known, or none at all.

        >>> Scoring(metrics="kid, fid").names
        ('kid', 'fid')
        """
        names = tuple(dict.fromkeys(name.strip() for name in self.metrics.split(",") if name.strip()))
        allowed = ", ".join(METRICS)
        require(bool(names), "metrics", self.metrics, f"some of {allowed}, with commas between them")
        for name in names:
            close = difflib.get_close_matches(name, METRICS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            require(name in METRICS, "metrics", name, f"some of {allowed}{hint}")
        return names

    def check_real(self, images: data.Dataset) -> int:
        """Works out how many real images there will be.

        Raises:
            InputError: too few for the metrics, or fewer than were asked for.
        """
        count = len(images) if self.real is None else self.real
        known = f"at most {len(images)}, the number of images in {images.spec} {images.split}"
        require(count <= len(images), "real", count, known)
        for name in self.names:
            least = METRICS[name].least_real
            if count < least:
                raise InputError(
                    f"{name} needs at least {least} real images; {images.spec} {images.split} gives {count}"
                )
        return count


def choose_extractor(
    plan: Scoring, train: data.Dataset | None, test: data.Dataset | None, *, watch: Watch = unwatched
) -> extractors.Extractor:
    """Gives the extractor that the settings ask for.

    Args:
        plan: the settings.
        train: the images that the cnn extractor learns from.
        test: those that its accuracy is measured on, if there are any.
        watch: told how its training goes on.

    Raises:
        InputError: it cannot be had: no labels, or no weights.
    """
    if plan.extractor == "inception":
        return extractors.inception_2015(plan.resize or "legacy")
    if train is None:
        raise InputError("the cnn extractor needs train images to learn from")
    return extractors.classifier(train, test, watch=watch)
