"""Scoring while a run goes on: when, in which order, after a stop, and when it fails."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan import run_folder
from jaxgan.assessment import Assessment, Assessor
from jaxgan.progress import Silence
from jaxgan.validation import InputError


def begin(step, state):
    values = state * 2  # the work of the device

    def finish():
        return {"step": step, "scores": {"twice": float(jax.device_get(values))}, "protocol": {}}

    return finish


@pytest.fixture
def folder(tmp_path):
    return run_folder.create(tmp_path / "run", {"model": "test"})


EVERY_THIRD = Assessment(3, begin)


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

    scores = assessor(folder, Assessment(1, fail))
    scores.begin(1, jnp.float32(1))
    with pytest.raises(InputError, match="not finite"):
        scores.collect(wait=True)
    scores.close()


def test_a_line_that_was_cut_short_spoils_no_other(folder):
    folder.append_scores({"step": 1, "scores": {}, "protocol": {}})
    with folder.scores_file.open("a") as file:
        file.write('{"step": 2, "sco')
    folder.append_scores({"step": 3, "scores": {}, "protocol": {}})
    assert steps(folder) == [1, 3]
