"""Scoring while a run goes on: when, in which order, after a stop, and when it fails."""

import threading
import time

import jax
import jax.numpy as jnp
import pytest

from jaxgan import run_folder
from jaxgan.assessment import MOST, Assessment, Assessor, ScoringError
from jaxgan.progress import Silence
from jaxgan.validation import InputError

PROTOCOL = {"samples": 3}


def begin(step, state):
    values = state * 2  # the work of the device

    def finish():
        return {"step": step, "scores": {"twice": float(jax.device_get(values))}, "protocol": PROTOCOL}

    return finish


@pytest.fixture
def folder(tmp_path):
    return run_folder.create(tmp_path / "run", {"model": "test"})


EVERY_THIRD = Assessment(3, begin, PROTOCOL)


def assessor(folder, assessment=EVERY_THIRD, *, writes=True):
    return Assessor(assessment, folder, writes=writes, display=Silence())


def steps(folder):
    return [line["step"] for line in folder.read_scores()]


def run(scores, first, last):
    for step in range(first, last + 1):
        scores.begin(step, jnp.float32(step), last=step == last)
    scores.collect(wait=True)
    scores.close()


def test_every_third_step_and_the_last_one_are_scored(folder):
    run(assessor(folder), 1, 7)
    assert [(line["step"], line["scores"]["twice"]) for line in folder.read_scores()] == [
        (3, 6),
        (6, 12),
        (7, 14),
    ]


def test_nothing_is_scored_unless_asked_and_others_do_not_write(folder):
    run(assessor(folder, None), 1, 7)
    run(assessor(folder, writes=False), 1, 7)
    assert not folder.scores_file.exists()


def test_a_resumed_run_drops_what_comes_again_and_makes_up_for_what_was_lost(folder):
    run(assessor(folder), 1, 9)
    scores = assessor(folder)
    scores.resume(6, jnp.float32(6))
    assert steps(folder) == [3, 6]
    run(scores, 7, 9)
    assert steps(folder) == [3, 6, 9]
    folder.write_scores(folder.read_scores()[:1])  # killed after step 6, before its score was there
    scores = assessor(folder)
    scores.resume(6, jnp.float32(6))
    run(scores, 7, 9)
    assert steps(folder) == [3, 6, 9]


def test_what_goes_wrong_in_the_other_thread_is_raised(folder):
    def fail(_step, _state):
        def finish():
            raise InputError("features are not finite")

        return finish

    scores = assessor(folder, Assessment(1, fail, PROTOCOL))
    scores.begin(1, jnp.float32(1))
    with pytest.raises(ScoringError, match="cannot be scored: features are not finite"):
        scores.collect(wait=True)
    scores.close()


def test_the_score_of_the_end_is_made_up_for_too(folder):
    run(assessor(folder), 1, 7)
    folder.write_scores(folder.read_scores()[:2])  # killed after the checkpoint of step 7
    folder.append_scores({"step": 7, "scores": {"people": 0.5}, "protocol": {"judge": "a person"}})
    scores = assessor(folder)
    scores.resume(7, jnp.float32(7), last=True)
    scores.collect(wait=True)
    scores.close()
    assert [(line["step"], list(line["scores"])) for line in folder.read_scores()[2:]] == [
        (7, ["people"]),
        (7, ["twice"]),
    ]


def test_scores_do_not_pile_up(folder):
    gate = threading.Event()

    def slow(step, _state):
        def finish():
            gate.wait(timeout=30)
            return {"step": step, "scores": {"x": 1.0}, "protocol": PROTOCOL}

        return finish

    scores = assessor(folder, Assessment(1, slow, PROTOCOL))
    for step in range(1, MOST + 1):
        scores.begin(step, None)
    assert steps(folder) == []
    threading.Timer(0.1, gate.set).start()
    scores.begin(MOST + 1, None)  # waits for the oldest
    assert steps(folder)[0] == 1
    scores.collect(wait=True)
    scores.close()
    assert steps(folder) == list(range(1, MOST + 2))


def test_what_is_done_is_written_when_a_run_ends_early(folder):
    scores = assessor(folder)
    scores.begin(3, jnp.float32(3))
    while not scores._under_way[0].done():
        time.sleep(0.01)
    scores.close()
    assert steps(folder) == [3]


def test_scores_that_cannot_be_written_are_one_error(folder):
    folder.scores_file.mkdir()
    for use in (folder.read_scores, folder.check_scores, lambda: folder.append_scores({"step": 1})):
        with pytest.raises(InputError, match=r"scores\.jsonl cannot be"):
            use()


def test_a_line_that_was_cut_short_spoils_no_other(folder):
    folder.append_scores({"step": 1, "scores": {}, "protocol": {}})
    with folder.scores_file.open("a") as file:
        file.write('{"step": 2, "sco')
    folder.append_scores({"step": 3, "scores": {}, "protocol": {}})
    assert steps(folder) == [1, 3]
