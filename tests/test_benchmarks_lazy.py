"""``benchmarks lazy``: its cases, one real measurement, and what it makes of the times of single steps."""

import dataclasses
import re

import pytest

from benchmarks import commands, flops, grouping, lazy, machine, process, records, tables, worker
from benchmarks.contenders import jaxgan as ours
from benchmarks.options import Sizes, Timing
from benchmarks.records import Report, Row
from jaxgan import zoo

TINY = ["--features", "2", "--image-size", "8", "--batch-size", "4", "--no-roof"]
QUICK = ["--rounds", "1", "--repeats", "2", "--warmup", "0", "--every", "2"]
CONTENDERS = ["no penalty", "every step", "every 4 steps", "every 2 steps"]


def group(**changes):
    flags = {"every": (4, 2), "batch_size": 4, "timing": Timing(repeats=8, warmup=2), **changes}
    return lazy.make_cases(lazy.Flags(sizes=Sizes(features=2, image_size=8), **flags))


def test_a_penalty_is_timed_in_every_interval(monkeypatch, tmp_path, host, capsys):
    """The lazy one for real, though in this process; the others only by their times."""
    nothing = dict.fromkeys(("message", "compiler_flops", "phases", "memory"))

    def run(_script, job, **_):
        spec = job["case"]["options"]["penalties"]
        if spec == "r1:10.0:2":
            return worker.attempt(job, 0.0)
        samples = [0.25 if spec else 0.125] * 2
        return {"status": "ok", "samples": samples, "images": 4, "figures": {}, "versions": {}, **nothing}

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(worker, "load", lambda *_: ours)
    monkeypatch.setattr(ours, "start_jax", lambda _: None)
    monkeypatch.setattr(machine, "describe", lambda **_: host)
    out = tmp_path / "lazy.json"
    assert commands.main(["lazy", *TINY, *QUICK, "--out", str(out)]) == 0
    assert re.search(r"│ dcgan: r1 │ every 2 steps │     4 │", capsys.readouterr().out)
    rows = records.read(out).rows
    none, always, each_second = rows
    assert [row.case.contender for row in rows] == ["no penalty", "every step", "every 2 steps"]
    assert [row.message for row in rows] == [None] * 3
    assert {(row.case.work, row.images, len(row.seconds)) for row in rows} == {("dcgan: r1", 8, 1)}
    assert none.case.options == each_second.case.options == {"features": 2, "image_size": 8, "steps": 2}
    assert (none.median, always.median) == (0.25, 0.5)
    figures = each_second.figures
    assert each_second.median == pytest.approx(figures["due_seconds"] + figures["idle_seconds"])
    assert figures["times_least"] == pytest.approx((each_second.median - 0.25) / 0.125)
    assert none.flops < always.flops
    assert each_second.flops == (none.flops + always.flops) / 2


@pytest.fixture
def timed(monkeypatch):
    """Makes rows of two processes whose single steps took so long, by their interval and their number."""
    monkeypatch.setattr(flops, "of_sample", lambda case: 3.0 if lazy.interval(case) else 1.0)
    (work, cases), *_ = group().items()
    numbers = range(3, 11)  # the first, and two to warm up, come before

    def make(seconds):
        found = [[[seconds(lazy.interval(case), number) for number in numbers]] * 2 for case in cases]
        rows = [Row(case=case, samples=samples) for case, samples in zip(cases, found, strict=True)]
        return lazy.finish(work, rows, first=3, period=4)

    return make


def test_a_penalty_that_costs_its_share_and_one_that_slows_every_step(timed):
    fair = timed(lambda every, number: 1.5 if every and number % every == 0 else 1.0)
    assert [row.case.contender for row in fair] == CONTENDERS
    assert [row.samples for row in fair] == [[[total] * 2] * 2 for total in (4.0, 6.0, 4.5, 5.0)]
    assert [row.flops for row in fair] == [4.0, 12.0, 6.0, 8.0]
    assert [row.figures["step_seconds"] for row in fair] == [1.0, 1.5, 1.125, 1.25]
    assert [(row.figures["due_seconds"], row.figures["idle_seconds"]) for row in fair] == [
        (None, 1.0), (1.5, None), (1.5, 1.0), (1.5, 1.0),
    ]  # fmt: skip
    assert [row.figures.get("times_least") for row in fair] == [None, None, 1.0, 1.0]
    slow = timed(lambda every, _: 1.0 if every is None else 1.5)
    assert [row.figures.get("times_least") for row in slow] == [None, None, 4.0, 2.0]
    dear = {None: 1.0, 1: 1.5, 2: 6.0, 4: 6.0}
    ten_times = timed(lambda every, number: dear[every] if every and number % every == 0 else 1.0)
    assert [row.figures.get("times_least") for row in ten_times] == [None, None, 10.0, 10.0]


def test_what_is_not_known_has_no_share(monkeypatch):
    monkeypatch.setattr(flops, "of_sample", lambda _: 1.0)
    (work, cases), *_ = group().items()
    rows = [Row(case=case, samples=[[1.0] * 4]) for case in cases]
    rows[1] = dataclasses.replace(rows[1], status="out_of_memory", samples=[])
    finished = lazy.finish(work, rows, first=0, period=4)
    assert [row.figures.get("times_least") for row in finished] == [None] * 4
    assert [row.status for row in finished] == ["ok", "out_of_memory", "ok", "ok"]
    assert finished[1].figures["step_seconds"] is None


def test_the_penalty_is_that_of_the_game_and_the_least_work_is_none():
    cases = group(penalties=("gradient_penalty:0.5",))["dcgan: gradient_penalty:0.5"]
    games = [ours.configuration(case.work, case.options)[1].game for case in cases]
    assert [game.penalties for game in games] == [
        (), *((f"gradient_penalty:0.5:{every}",) for every in (1, 4, 2))
    ]  # fmt: skip
    assert games[0] == zoo.get("dcgan").config().game
    assert flops.of_sample(cases[0]) < flops.of_sample(cases[1])


def test_the_page_of_reports_compares_them(host, timed):
    rows = timed(lambda every, number: 1.5 if every and number % every == 0 else 1.0)
    report = Report(command=["lazy"], created="now", machine=host, rows=rows)
    (suite, entries), *others = grouping.by_suite({"lazy.json": report}).items()
    assert (suite, others) == ("lazy", [])
    lines = tables.suite(suite, entries).splitlines()
    assert lines[0] == "## Lazy penalties"
    assert next(line for line in lines if line.startswith("All cases: ")).endswith("steps 4.")
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "dcgan: r1" in line]
    assert [(cells[1], cells[2], *cells[-4:]) for cells in found] == [
        ("no penalty", "4,000", "–", "1.00 s", "1.00 s", "–"),
        ("every 4 steps", "4,500", "1.50 s", "1.00 s", "1.12 s", "1"),
        ("every 2 steps", "5,000", "1.50 s", "1.00 s", "1.25 s", "1"),
        ("every step", "6,000", "1.50 s", "–", "1.50 s", "–"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "model is 'nothing'"),
        (["cnn"], "model is 'cnn'; it must be a GAN"),
        (["--penalties", "r3"], "penalty is 'r3'"),
        (["--penalties", "r1:1:8"], "penalty is 'r1:1:8'; it must be NAME[:WEIGHT]"),
        (["--every", "1"], "every is 1; it must be >= 2"),
        (["--repeats", "24"], "repeats is 24; it must be a multiple of 16"),
        (["--batch-size", "0"], "batch_size is 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    assert commands.main(["lazy", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
