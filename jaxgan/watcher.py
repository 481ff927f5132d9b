"""The watcher of a run: it looks at what is logged, drawn and scored, and says once what goes wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan import health, parallel
from jaxgan.health import Finding, Health
from jaxgan.progress import Display
from jaxgan.run_folder import RunFolder

IMAGES = 64
"""Real images that samples are compared with: as many as there are in a grid of samples."""
LABELS = 10_000
"""Labels from which the shares of the real classes are known."""
BETWEEN_SPREADS = 100
"""Steps between the grids of samples that are looked at."""
OFTEN = 5
"""Lines of metrics from one look at them to the next."""


class Watcher:
    """What is known of the health of one run. It asks nothing of a device.

    Args:
        folder: the folder of the run; ``health.jsonl`` gets what is found.
        thresholds: where health ends.
        stop_on: the kinds for which the run is to stop.
        writes: whether this process writes; another one looks at nothing.
        display: where findings are said.
    """

    def __init__(
        self,
        folder: RunFolder,
        thresholds: Health,
        stop_on: tuple[str, ...] = (),
        *,
        writes: bool,
        display: Display,
    ):
        self._folder = folder
        self._health = thresholds
        self._stop_on = stop_on
        self._writes = writes
        self._display = display
        self._said: set[str] = set()
        self._fatal: Finding | None = None
        self._lines: list[Mapping[str, Any]] = []
        self._count = 0
        self._real: list[np.ndarray] = []
        self._labels = np.zeros(0, np.int64)
        self._spreads: list[health.Spread] = []
        self._shares: list[health.Shares] = []

    def resume(self, step: int) -> None:
        """Goes on after a step: what was found by then is not said again, what came later is forgotten."""
        if not self._writes:
            return
        found = [line for line in self._folder.read_health() if line["step"] <= step]
        self._said = {line["kind"] for line in found}
        if self._folder.health_file.exists():
            self._folder.write_health(found)
        for line in self._folder.read_metrics():
            self._keep(line)

    def see_batch(self, batch: Mapping[str, np.ndarray]) -> None:
        """Looks at real images, until it has seen enough of them."""
        if not self._writes:
            return
        missing = IMAGES - sum(map(len, self._real))
        if missing > 0:
            self._real.append(np.array(batch["image"][:missing]))
        if "label" in batch and self._labels.sum() < LABELS:
            counts = np.bincount(batch["label"], minlength=len(self._labels))
            counts[: len(self._labels)] += self._labels
            self._labels = counts

    def see_metrics(self, line: Mapping[str, Any]) -> None:
        """Looks at a line of the metrics, and with it at those before, now and then."""
        if self._writes and self._keep(line) and self._count % OFTEN == 0:
            for found in health.examine_lines(self._lines, self._health):
                self._say(found)

    def _keep(self, line: Mapping[str, Any]) -> bool:
        """Keeps a line of those at the beginning and of the newest; not one that is close to another."""
        if self._lines and line["step"] - self._lines[-1]["step"] < self._health.every:
            return False
        self._lines.append(line)
        self._count += 1
        if len(self._lines) > health.BEGINNING + health.most_lines(self._health):
            del self._lines[health.BEGINNING]
        return True

    def see_samples(self, step: int, images: np.ndarray) -> None:
        """Looks at a grid of samples."""
        if not self._real or (self._spreads and step - self._spreads[-1].step < BETWEEN_SPREADS):
            return
        found = health.spread(step, images, np.concatenate(self._real))
        if found is not None:
            self._spreads.append(found)
            self._say(health.examine_spreads(self._spreads, self._health))

    def see_scores(self, line: Mapping[str, Any]) -> None:
        """Looks at a line of the scores."""
        found = health.shares(line["step"], line["scores"], self._labels)
        if found is not None:
            self._shares.append(found)
            self._say(health.examine_shares(self._shares, self._health))

    def _say(self, found: Finding | None) -> None:
        if found is None or found.kind in self._said:
            return
        self._said.add(found.kind)
        self._folder.append_health(found._asdict())
        self._display.say(f"step {found.step}: {found.sentence}")
        if found.kind in self._stop_on and self._fatal is None:
            self._fatal = found

    def verdict(self) -> Finding | None:
        """Gives what the run must stop for; every process must ask, at the same point of its work."""
        if not self._stop_on:
            return None
        kinds = health.KINDS
        number = kinds.index(self._fatal.kind) if self._fatal else -1
        agreed = int(parallel.from_first_process({"kind": np.array(number)})["kind"])
        if agreed < 0 or self._fatal is not None:
            return self._fatal
        return Finding(kinds[agreed], 0, f"{kinds[agreed]}: the first process says more", {})
