"""Sessions of runs: opened, decided, their images drawn, their result kept with the run."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan import config, data, pictures, runs
from jaxgan.app import images, judging
from jaxgan.run_folder import RunFolder
from jaxgan.settings import FREE_ON_RESUME, read_data
from jaxgan.steps import GAN
from jaxgan.typing import PyTree
from jaxgan.validation import InputError

Show = Callable[[int], list[images.Shown]]
"""From the number of a trial to its images."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What else decides a session.

    Attributes:
        images: how many images, or pairs of them, are shown.
        exposure: seconds that they are shown for, or None.
        split: where the real images come from.
        seed: decides which images are shown, and in which order.
        judge: the name of the person.
    """

    images: int
    exposure: float | None
    split: str
    seed: int
    judge: str


class Artist(NamedTuple):
    """A run, ready to draw."""

    run: runs.Run
    gan: GAN
    step: int
    state: PyTree

    def draw(self, seeds: np.ndarray) -> np.ndarray:
        """Draws an image for each seed: uint8[N, H, W, C]."""
        drawn = runs.draw(self.gan, self.state, seeds.astype(np.uint32))
        return pictures.to_uint8(drawn, self.run.settings.model.value_range)


def open_runs(paths: Sequence[Path]) -> list[runs.Run]:
    """Opens one run, or two to be compared.

    Raises:
        InputError: one is no run or draws no images, or the two were trained on different data.
    """
    opened = [runs.open_run(path) for path in paths]
    for run in opened:
        _gan(run)
    first, last = opened[0], opened[-1]
    if first.settings.data != last.settings.data:
        raise InputError(
            f"{last.folder.path} is a run on {last.settings.data}; it must be one on {first.settings.data}, "
            f"as {first.folder.path} is"
        )
    return opened


def prepare(
    opened: Sequence[runs.Run], options: Options, say: Callable[[str], None]
) -> tuple[judging.Session, Show]:
    """Decides what is shown and gets it: for one run with real images between, for two in pairs.

    Args:
        opened: what `open_runs` gave.
        options: what else decides.
        say: gets a sentence for each checkpoint that cannot be read.

    Raises:
        InputError: there is no state or no data, or there are too few real images.
    """
    sources: dict[str, images.Source] = {}
    if len(opened) == 1:
        real = read_data(opened[0].settings, options.split)
        sources["data"] = _reader(real)
        trials = judging.one_by_one(options.images, held=len(real), seed=options.seed)
        shown = {"question": judging.ONE, "split": options.split}
    else:
        trials = judging.side_by_side(options.images, seed=options.seed)
        shown = {"question": judging.TWO}
    artists = [_restore(run, say) for run in opened]
    sources |= zip("ab", [artist.draw for artist in artists], strict=False)
    protocol = {
        **dataclasses.asdict(options),
        "split": None,
        **shown,
        "data": opened[0].settings.data,
        "runs": [_identity(artist) for artist in artists],
    }
    found = images.fetch(trials, sources)
    session = judging.make_session(protocol, trials)
    return session, lambda number: images.shown([found[picture] for picture in trials[number - 1].pictures])


def _gan(run: runs.Run) -> GAN:
    gan = run.model.build(run.settings.model)
    if not isinstance(gan, GAN):
        raise InputError(f"{run.folder.path} is a run of {run.model.name}, which draws no images of its own")
    return gan


def _restore(run: runs.Run, say: Callable[[str], None]) -> Artist:
    return Artist(run, _gan(run), *runs.restore(run, say))


def _reader(real: data.Dataset) -> images.Source:
    return lambda numbers: real.read(numbers)["image"]


def _identity(artist: Artist) -> dict[str, Any]:
    """Names a run by what it learnt; so it may be moved to another place."""
    run = artist.run
    settings = {k: v for k, v in config.to_dict(run.settings).items() if k not in FREE_ON_RESUME}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "run": run.folder.path.resolve().name,
        "model": run.model.name,
        "step": artist.step,
        "settings": digest,
    }


def record(folder: RunFolder, session: judging.Session, rates: Mapping[str, judging.Rate]) -> None:
    """Adds the result of a session to the scores of its first run, once.

    Raises:
        OSError: the scores cannot be written.
    """
    protocols = [line.get("protocol") for line in folder.read_scores()]
    if any(isinstance(protocol, dict) and protocol.get("session") == session.id for protocol in protocols):
        return
    line = {
        "step": session.protocol["runs"][0]["step"],
        "scores": judging.scores(rates),
        "protocol": {"session": session.id, **session.protocol},
        "time": round(time.time(), 3),
    }
    folder.append_scores(line)
