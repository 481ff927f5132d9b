"""``jaxgan judge RUN`` and ``jaxgan judge RUN_A RUN_B``."""

import contextlib
import dataclasses
import math
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgan.app import judging, pages, server, sessions, votes
from jaxgan.run_folder import RunFolder
from jaxgan.validation import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Shows images to a person, on a local page, and measures how real those of a GAN look.

    With one run: real or fake? With two: which looks more real? The same command goes on where it stopped.

    Attributes:
        run: the folder that `jaxgan train` made.
        other: the folder of a second run on the same data, to be compared with the first.
        images: how many images, or pairs of them, are shown.
        exposure: seconds that an image is shown for; no limit by default.
        split: where the real images come from.
        seed: decides which images are shown, and in which order.
        judge: the name of the person, so that several may judge one run.
        host: the address or name of this machine at which the page is to be found.
        port: the port; 0 for any that is free.
        votes: the file that the votes are added to; RUN/votes.jsonl by default.
    """

    run: Annotated[Path, tyro.conf.Positional]
    other: Annotated[Path | None, tyro.conf.Positional] = None
    images: int = 40
    exposure: float | None = None
    split: Literal["train", "test"] = "test"
    seed: int = 0
    judge: str = "anonymous"
    host: str = "127.0.0.1"
    port: int = 8000
    votes: Path | None = None


def run(arguments: list[str]) -> int:
    """Lets a person judge."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan judge")
    _check(flags)
    opened = sessions.open_runs([path for path in (flags.run, flags.other) if path is not None])
    file = flags.votes or flags.run / "votes.jsonl"
    votes.read(file)
    options = {field.name: getattr(flags, field.name) for field in dataclasses.fields(sessions.Options)}
    with contextlib.closing(server.listen(flags.host, flags.port)) as listening:
        session, show = sessions.prepare(opened, sessions.Options(**options), print)
        votes.check_writable(file)
        end = _End(session, file, opened[0].folder)
        desk = pages.Desk(session=session, pictures=show, votes=file, finished=end.record)
        if end.complete():
            end.record()
        print(f"judge at {server.url(flags.host, listening)} (Ctrl-C ends)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve(pages.make_app(desk, flags.host), listening)
    return end.say()


def _check(flags: Flags) -> None:
    exposure = flags.exposure
    fine = exposure is None or (exposure > 0 and math.isfinite(exposure))
    require(fine, "--exposure", exposure, "> 0 and finite, in seconds")
    require(2 <= flags.images <= judging.MOST, "--images", flags.images, f"in [2, {judging.MOST}]")
    require(0 <= flags.seed < 2**32, "--seed", flags.seed, "in [0, 2**32)")
    named = flags.judge.isprintable() and 1 <= len(flags.judge.strip()) <= 100
    require(named, "--judge", flags.judge, "a name of 1 to 100 printable characters")


@dataclasses.dataclass(frozen=True)
class _End:
    """What is done with the votes of a session."""

    session: judging.Session
    votes: Path
    folder: RunFolder

    def answers(self) -> dict[int, str]:
        return judging.counted(self.session, votes.read(self.votes))

    def complete(self) -> bool:
        return judging.next_trial(self.session, self.answers()) is None

    def record(self) -> None:
        """Keeps the result with the run."""
        try:
            sessions.record(self.folder, self.session, judging.results(self.session, self.answers()))
        except OSError as error:
            print(f"{self.folder.scores_file} cannot be written: {error.strerror}", file=sys.stderr)
        else:
            print(f"all votes are in; the result is in {self.folder.scores_file}", flush=True)

    def say(self) -> int:
        """Prints the result so far.

        Returns:
            0 when all votes are in, 130 as after Ctrl-C otherwise.
        """
        answers = self.answers()
        print(f"\n{len(answers)} of {len(self.session.trials)} votes are in {self.votes}")
        for name, rate in judging.results(self.session, answers).items():
            print(f"  {name.replace('_', ' '):<18}{rate}")
        if not self.complete():
            print("the same command goes on with them")
        return 0 if self.complete() else 130
