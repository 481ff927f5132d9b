"""The folder of one run: its settings, its metrics, its pictures, its checkpoints."""

import dataclasses
import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

from jaxgan.files import whole
from jaxgan.validation import InputError

CONFIG = "config.json"


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes.

    ``config.json`` has the settings, ``metrics.jsonl`` a line for each logged step, ``scores.jsonl`` one for
    each evaluation, ``health.jsonl`` one for each failure that was recognised, ``votes.jsonl`` one for each
    answer of a person, ``samples/`` the grids, ``checkpoints/`` the states, ``losses.png`` and ``scores.png``
    the curves. A folder that holds ``config.json`` is a run.
    """

    path: Path

    @property
    def metrics_file(self) -> Path:
        """One JSON object in each line, in the order of the steps."""
        return self.path / "metrics.jsonl"

    @property
    def scores_file(self) -> Path:
        """One JSON object in each line, in the order of the evaluations."""
        return self.path / "scores.jsonl"

    @property
    def health_file(self) -> Path:
        """One JSON object in each line, for each failure that was recognised; absent without any."""
        return self.path / "health.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints, one folder for each step."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of the sample grids, one picture for each step."""
        return self.path / "samples"

    @property
    def curves(self) -> Path:
        """The plot of the losses."""
        return self.path / "losses.png"

    @property
    def score_curves(self) -> Path:
        """The plot of the scores, if there are any."""
        return self.path / "scores.png"

    def read_config(self) -> dict[str, Any]:
        """Reads the settings.

        Raises:
            InputError: the file is missing or not a JSON object.
        """
        try:
            config = json.loads((self.path / CONFIG).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} cannot be read as a run: {CONFIG}: {error}") from None
        if not isinstance(config, dict):
            raise InputError(f"{self.path} cannot be read as a run: {CONFIG} holds no JSON object")
        return config

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes the settings, whole or not at all."""
        with whole(self.path / CONFIG) as partial:
            partial.write_text(json.dumps(config, indent=2) + "\n", "utf-8")

    def read_metrics(self) -> list[dict[str, Any]]:
        """Reads the metrics; lines that were cut short or damaged are left out."""
        return _read_lines(self.metrics_file)

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Adds one line to the metrics."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def write_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Replaces the metrics."""
        _write_lines(self.metrics_file, lines)

    def read_scores(self) -> list[dict[str, Any]]:
        """Reads the scores; lines that were cut short or damaged are left out."""
        lines = _read_lines(self.scores_file)
        return [line for line in lines if isinstance(line.get("scores"), dict) and "protocol" in line]

    def append_scores(self, line: dict[str, Any]) -> None:
        """Adds one line to the scores: ``step``, ``scores``, ``protocol`` and what else belongs to them."""
        append_line(self.scores_file, line)

    def check_scores(self) -> None:
        """Makes sure that scores can be added, before they are worked out.

        Raises:
            InputError: they cannot.
        """
        try:
            existed = self.scores_file.exists()
            with self.scores_file.open("ab"):
                pass
            if not existed:
                self.scores_file.unlink()
        except OSError as error:
            raise InputError(f"{self.scores_file} cannot be written: {error.strerror}") from None

    def write_scores(self, lines: list[dict[str, Any]]) -> None:
        """Replaces the scores."""
        _write_lines(self.scores_file, lines)

    def read_health(self) -> list[dict[str, Any]]:
        """Reads the failures that were recognised; lines that were cut short or damaged are left out."""
        return [line for line in _read_lines(self.health_file) if isinstance(line.get("kind"), str)]

    def append_health(self, line: dict[str, Any]) -> None:
        """Adds one failure: ``step``, ``kind``, ``sentence`` and ``numbers``."""
        append_line(self.health_file, line)

    def write_health(self, lines: list[dict[str, Any]]) -> None:
        """Replaces the failures."""
        _write_lines(self.health_file, lines)


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Adds one JSON object to a file of lines, so that a power cut loses none that was added before.

    A line that a killed program left unfinished is ended first, so that it spoils no other.

    Raises:
        InputError: the file cannot be written.
    """
    text = json.dumps(line) + "\n"
    try:
        with path.open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return [line for line in map(_parse, text.splitlines()) if line is not None]


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    try:
        with whole(path) as partial:
            partial.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _parse(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None


def next_free(model: str, parent: Path = Path("runs")) -> Path:
    """Names the first folder ``runs/MODEL-N`` that does not exist yet."""
    return next(path for number in itertools.count(1) if not (path := parent / f"{model}-{number}").exists())


def check_free(path: Path) -> None:
    """Refuses a folder that a new run cannot have.

    Raises:
        InputError: it holds something already, is a file, or cannot be written.
    """
    try:
        if (path / CONFIG).exists():
            raise InputError(f"--out {path} holds another run; choose another folder, or add --resume")
        if path.exists() and not path.is_dir():
            raise InputError(f"--out {path} is a file; it must be a new folder")
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"--out {path} is not empty; it must be a new or an empty folder")
    except OSError as error:
        raise InputError(f"--out {path} cannot be used: {error.strerror}") from None
    parent = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not parent.is_dir():
        raise InputError(f"--out {path} cannot be made: {parent} is a file")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"--out {path} cannot be written: no permission to write in {parent}")


def create(path: Path, config: dict[str, Any]) -> RunFolder:
    """Makes the folder of a new run.

    Raises:
        InputError: as `check_free`; nothing is left behind.
    """
    check_free(path)
    existed = path.exists()
    folder = RunFolder(path)
    try:
        folder.checkpoints.mkdir(parents=True)
    except FileExistsError:  # another program was faster
        raise InputError(f"--out {path} holds another run; choose another folder") from None
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error.strerror}") from None
    try:
        folder.write_config(config)
    except OSError as error:
        shutil.rmtree(folder.checkpoints if existed else path, ignore_errors=True)
        raise InputError(f"--out {path} cannot be written: {error.strerror}") from None
    return folder


def open_run(path: Path) -> RunFolder:
    """Opens the folder of a run.

    Raises:
        InputError: there is no run.
    """
    try:
        if not (path / CONFIG).is_file():
            found = "is no run: it has no config.json" if path.exists() else "does not exist"
            raise InputError(f"{path} {found}; it must be a folder that `jaxgan train` made")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return RunFolder(path)
