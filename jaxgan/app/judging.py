"""What a person is shown, which votes count, and what follows from them.

Two questions are known. *Real or fake?* shows one image at a time and measures how often the person is wrong:
HYPE (Zhou et al., 2019, arXiv:1904.01121) measures the same, with a limit on how long an image is shown or
without. *Which looks more real?* shows images of two models side by side and measures how often the first
wins.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgan.validation import require

ONE, TWO = "real or fake", "which looks more real"
ANSWERS = {ONE: ("real", "fake"), TWO: ("left", "right")}
"""The questions with their answers."""
MOST = 10_000
"""More images than anybody judges."""


class Picture(NamedTuple):
    """One image, by where it comes from.

    Attributes:
        source: ``"data"``, or the place of a run: ``"a"`` or ``"b"``.
        number: the place among the images of the data, or the seed that a run draws it from.
    """

    source: str
    number: int


class Trial(NamedTuple):
    """One question.

    Attributes:
        pictures: what is shown, from left to right.
        truth: the right answer; for two pictures, the side of run a.
    """

    pictures: tuple[Picture, ...]
    truth: str


class Session(NamedTuple):
    """All that decides what one person is shown.

    Attributes:
        id: names it; two sessions have the same name only if everything else is the same.
        protocol: what it is, as JSON can hold it; ``question`` and ``exposure`` (seconds, or None) are there.
        trials: the trials in their order; they are numbered from 1.
    """

    id: str
    protocol: dict[str, Any]
    trials: tuple[Trial, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers that can be given."""
        return ANSWERS[self.protocol["question"]]


class Rate(NamedTuple):
    """A share, with its 95% interval (Wilson, 1927).

    Attributes:
        hits: how often it happened.
        total: how often it could have, >= 1.
        share: hits / total.
        low: the lower end of the interval.
        high: the upper end.
    """

    hits: int
    total: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        """Says it in a few words."""
        return (
            f"{self.share:.1%} (95% interval {self.low:.1%} to {self.high:.1%}; {self.hits} of {self.total})"
        )


def one_by_one(images: int, *, held: int, seed: int) -> tuple[Trial, ...]:
    """Decides on images to be shown one at a time: half of them real, none twice, in random order.

    Args:
        images: how many, >= 2; of an odd number the generated ones are one more.
        held: how many real images there are.
        seed: decides everything.

    Raises:
        InputError: too few images, or more than there are real ones.

    >>> [trial.truth for trial in one_by_one(4, held=10, seed=0)].count("real")
    2
    """
    most = min(2 * held + 1, MOST)
    require(
        2 <= images <= most,
        "images",
        images,
        f"in [2, {most}], as half are real and there are {held} real ones",
    )
    random = np.random.default_rng(seed)
    real = [Picture("data", int(number)) for number in random.choice(held, images // 2, replace=False)]
    drawn = [Picture("a", number) for number in _seeds(random, images - len(real))]
    trials = [Trial((picture,), "real" if picture.source == "data" else "fake") for picture in real + drawn]
    return tuple(trials[place] for place in random.permutation(images))


def side_by_side(images: int, *, seed: int) -> tuple[Trial, ...]:
    """Decides on pairs of images, one of run a and one of run b, each on the left by chance.

    Args:
        images: how many pairs, >= 2.
        seed: decides everything.

    Raises:
        InputError: too few or too many.

    >>> [picture.source for picture in side_by_side(2, seed=1)[0].pictures]
    ['a', 'b']
    """
    require(2 <= images <= MOST, "images", images, f"in [2, {MOST}]")
    random = np.random.default_rng(seed)
    seeds = _seeds(random, 2 * images)
    pairs = [(Picture("a", seeds[place]), Picture("b", seeds[-1 - place])) for place in range(images)]
    left = random.integers(2, size=images)
    return tuple(
        Trial(pair, "left") if first else Trial(pair[::-1], "right")
        for pair, first in zip(pairs, left, strict=True)
    )


def _seeds(random: np.random.Generator, count: int) -> list[int]:
    seeds: list[int] = random.choice(2**32, count, replace=False).tolist()
    return seeds


def make_session(protocol: dict[str, Any], trials: tuple[Trial, ...]) -> Session:
    """Names a session by all that decides it."""
    text = json.dumps([protocol, trials], sort_keys=True)
    return Session(hashlib.sha256(text.encode()).hexdigest()[:16], protocol, trials)


def counted(session: Session, votes: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Finds the votes that count: of this session, with a possible answer, the first one for each trial.

    Args:
        session: the session.
        votes: records with ``session``, ``trial`` and ``answer``, in the order in which they were given.

    Returns:
        The answers by the numbers of their trials.

    >>> session = make_session({"question": ONE}, one_by_one(2, held=1, seed=0))
    >>> vote = {"session": session.id, "trial": 2, "answer": "real"}
    >>> counted(session, [vote, {**vote, "answer": "fake"}, {**vote, "trial": 3}])
    {2: 'real'}
    """
    numbers = range(1, len(session.trials) + 1)
    answers: dict[int, str] = {}
    for vote in votes:
        fits = (
            vote["session"] == session.id and vote["trial"] in numbers and vote["answer"] in session.answers
        )
        if fits:
            answers.setdefault(vote["trial"], vote["answer"])
    return answers


def next_trial(session: Session, answers: Mapping[int, str]) -> int | None:
    """Finds the first trial without an answer; None when there is none.

    >>> session = make_session({"question": ONE}, one_by_one(2, held=1, seed=0))
    >>> next_trial(session, {1: "real"}), next_trial(session, {1: "real", 2: "real"})
    (2, None)
    """
    return next((number for number in range(1, len(session.trials) + 1) if number not in answers), None)


def rate(hits: int, total: int) -> Rate:
    """Estimates a share and its 95% interval.

    Wilson's interval, the shares p with ``|hits / total - p| <= 1.96 sqrt(p (1 - p) / total)``, never leaves
    [0, 1] and nearly holds what it promises for few votes too.

    Args:
        hits: in [0, total].
        total: >= 1.

    >>> print(rate(10, 40))
    25.0% (95% interval 14.2% to 40.2%; 10 of 40)
    """
    from scipy.stats import binomtest

    interval = binomtest(hits, total).proportion_ci(method="wilson")
    return Rate(hits, total, hits / total, float(interval.low), float(interval.high))


def results(session: Session, answers: Mapping[int, str]) -> dict[str, Rate]:
    """Works out the rates of the answers that are there.

    Returns:
        ``error_rate``, ``error_rate_real`` and ``error_rate_fake`` (of the real and of the generated images
        alone), or ``win_rate`` of run a; what has no answer yet is left out.

    >>> session = make_session({"question": TWO}, side_by_side(2, seed=0))
    >>> results(session, {1: session.trials[0].truth})["win_rate"].share
    1.0
    """
    pairs = [(session.trials[number - 1].truth, answer) for number, answer in answers.items()]
    if session.protocol["question"] == TWO:
        groups = {"win_rate": [truth == answer for truth, answer in pairs]}
    else:
        groups = {"error_rate": [truth != answer for truth, answer in pairs]} | {
            f"error_rate_{kind}": [truth != answer for truth, answer in pairs if truth == kind]
            for kind in session.answers
        }
    return {name: rate(sum(hits), len(hits)) for name, hits in groups.items() if hits}


def scores(rates: Mapping[str, Rate]) -> dict[str, float]:
    """Turns rates into the numbers that a run keeps.

    >>> list(scores({"win_rate": rate(1, 2)}))
    ['human_win_rate', 'human_win_rate_low', 'human_win_rate_high']
    """
    return {
        f"human_{name}{ending}": value
        for name, found in rates.items()
        for ending, value in (("", found.share), ("_low", found.low), ("_high", found.high))
    }
