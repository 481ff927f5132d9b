"""The ranking of models: each rule by itself, in numbers."""

import itertools
import math

import pytest

from jaxgan.recommend import devices, rules
from jaxgan.recommend.rules import Candidate, Data, Device
from jaxgan.validation import InputError

DATA = Data("digits", 1_438, (28, 28), 1, 10)
DEVICE = Device("a device", 1e12, 0.0, 10**9, "measured")
FINE = Candidate(
    model="dcgan",
    preset="default",
    options=(),
    image_size=(28, 28),
    channels=1,
    batch_size=32,
    recipe_steps=1_000,
    recipe_images=1_438,
    recipe_size=28,
    score=20.0,
    parameters=1_000,
    judging=500,
    updates=2,
    step_flops=10**9,
    memory=10**6,
)
AGAINST = {
    "memory": {"memory": 900_000_000},
    "time": {"step_flops": 10**13},
    "size": {"image_size": (24, 24)},
    "few images": {"judging": 300 * 1_438 + 1},
}


def judge(candidate=FINE, data=DATA, device=DEVICE, hours=1.0, **how):
    return rules.judge(candidate, data, device, hours, **how)


def ranked(*candidates, images=1_438, higher_is_better=False):
    choices = [judge(candidate) for candidate in candidates]
    return [choice.candidate for choice in rules.rank(choices, images, higher_is_better=higher_is_better)]


@pytest.mark.parametrize("name", AGAINST)
def test_each_rule_speaks_against_what_breaks_it_and_nothing_else(name):
    assert judge().complaints == {}
    assert list(judge(FINE._replace(**AGAINST[name])).complaints) == [name]


def test_the_limits_themselves_are_allowed():
    allowed = FINE._replace(memory=8 * 10**8, judging=300 * 1_438, step_flops=3_600 * 10**9)
    assert judge(allowed).complaints == {}
    assert judge(allowed).hours == pytest.approx(1)


def test_a_graver_rule_goes_before_all_lesser_ones_and_before_any_score():
    worse = [FINE, *(FINE._replace(**AGAINST[name], score=1.0) for name in reversed(AGAINST))]
    for order in itertools.permutations(worse):
        assert ranked(*order) == worse


def test_of_those_that_take_too_long_or_shrink_images_the_least_bad_comes_first():
    slow, slower = (FINE._replace(step_flops=flops) for flops in (10**13, 2 * 10**13))
    assert ranked(slower, slow) == [slow, slower]
    small, smaller = (FINE._replace(image_size=(side, side)) for side in (20, 16))
    assert ranked(smaller, small) == [small, smaller]


def test_recipes_of_similar_sets_come_first_then_good_scores_then_fast_steps():
    large = FINE._replace(recipe_images=60_000, score=1.0)
    good, bad = FINE._replace(score=10.0), FINE._replace(score=None)
    fast = FINE._replace(step_flops=1)
    assert ranked(large, bad, FINE, fast, good) == [good, fast, FINE, bad, large]
    assert ranked(large, FINE, images=60_000) == [large, FINE]
    assert ranked(good, FINE, higher_is_better=True) == [FINE, good]


def test_steps_grow_with_the_root_of_the_images_and_with_the_side():
    assert rules.scaled_steps(FINE, 1_438 * 9) == 3_000
    assert rules.scaled_steps(FINE._replace(image_size=(56, 56)), 1_438) == 2_000
    assert rules.scaled_steps(FINE, 10) == 1_000


def test_a_step_takes_its_work_or_the_least_that_any_takes():
    device = DEVICE._replace(least_seconds=0.01)
    assert rules.step_seconds(FINE, DEVICE) == pytest.approx(1e-3)
    assert rules.step_seconds(FINE, device) == pytest.approx(0.01)
    assert rules.step_seconds(FINE._replace(updates=6), device) == pytest.approx(0.03)


def test_measured_seconds_take_the_place_of_estimated_ones():
    choice = judge(measured=1.0)
    assert choice.is_measured
    assert (choice.images_per_hour, choice.hours) == (32 * 3600, pytest.approx(1_000 / 3_600))
    assert (choice.affordable_steps(0.1), choice.affordable_steps(10)) == (360, 1_000)


@pytest.mark.parametrize("hours", [0, -1, math.inf, math.nan])
def test_hours_must_be_a_time(hours):
    with pytest.raises(InputError, match="hours is"):
        judge(hours=hours)


def test_a_ranking_is_refined_until_its_first_are():
    costs = {"a": 1, "b": 2, "c": 3}
    seen = []

    def refine(name):
        if name in seen:
            return False
        seen.append(name)
        costs[name] += 10
        return True

    assert rules.settle(lambda: sorted(costs, key=costs.get), refine, 1) == ["a", "b", "c"]
    assert seen == ["a", "b", "c"]


def test_devices_reach_no_more_than_their_peak_and_keep_to_the_ratio_of_bandwidths():
    for name in devices.PUBLISHED:
        device, sheet = devices.known(name), devices.PUBLISHED[name]
        assert 0 < device.flops_per_second <= sheet.peak
        assert "measured" in device.source
    ratio = devices.known("h200").flops_per_second / devices.known("h100").flops_per_second
    assert ratio == pytest.approx(4.8 / 3.35)
    assert devices.known("gpu") == devices.known("h100")
    with pytest.raises(InputError, match="device is 'abacus'; it must be one of here, cpu"):
        devices.known("abacus")


def test_the_numbers_of_devices_are_those_of_the_reports():
    import json
    from pathlib import Path
    from statistics import median

    folder = Path(__file__).parents[1] / "benchmarks" / "results"

    def rows(name):
        found = json.loads((folder / name).read_text())["rows"]
        return [row for row in found if row["case"]["contender"] == "jaxgan"]

    def reached(row):
        return row["flops"] / median(itertools.chain(*row["samples"]))

    (row,) = rows("peers-gpu.json")
    assert devices.BASES["h100"].flops_per_second == pytest.approx(reached(row), rel=0.01)
    assert devices.BASES["h100"].least_seconds == pytest.approx(row["flops"] / reached(row), rel=0.01)
    planned = rows("estimate-tpu.json")[0]
    seconds = planned["figures"]["estimated_seconds"]
    assert devices.BASES["tpu-v5e"].flops_per_second == pytest.approx(planned["flops"] / seconds, rel=0.01)
    steps = [row for row in rows("gans-cpu.json") if "steps_in_scan" not in row["case"]["options"]]
    assert devices.XEON.flops_per_second == pytest.approx(median(map(reached, steps)), rel=0.01)
