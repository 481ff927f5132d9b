"""``benchmarks metrics``: its cases, one real measurement, and what it concludes of what was measured."""

import dataclasses
import sys

import jax
import numpy as np
import pytest

from benchmarks import commands, grouping, metrics, process, records, tables
from benchmarks.contenders import _metrics as given
from benchmarks.contenders import metrics as contender
from benchmarks.contenders import torch_fidelity as peer
from benchmarks.options import Timing
from benchmarks.records import Case, Row
from jaxgan import extractors, scoring, settings, zoo
from jaxgan.classifiers import inception

QUICK = ["--rounds", "1", "--repeats", "2", "--warmup", "0", "--no-roof"]


def row(contender, work, seconds, *, size=4, **figures):
    case = Case(suite="metrics", contender=contender, work=work, batch_size=size, parallel="none")
    return Row(case=case, samples=[[seconds]] if seconds else [], figures=figures)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("metrics") / "metrics.json"
    arguments = ["metrics", "fid", "--samples", "50", "--features", "3", "--contenders", "jaxgan"]
    assert commands.main([*arguments, *QUICK, "--out", str(path)]) == 0
    return records.read(path)


def test_the_distance_of_features_is_timed_and_reported(report):
    [found] = report.rows
    assert (found.case.work, found.case.contender, found.status) == ("fid", "jaxgan", "ok")
    assert (found.case.batch_size, found.case.options) == (50, {"features": 3})
    assert len(found.seconds) == 2
    real, fake = (x.astype(np.float64) for x in given.features(50, 3))
    product = np.cov(real, rowvar=False) @ np.cov(fake, rowvar=False)
    traces = np.cov(real, rowvar=False).trace() + np.cov(fake, rowvar=False).trace()
    shift = ((real.mean(0) - fake.mean(0)) ** 2).sum()
    expected = shift + traces - 2 * np.sqrt(np.linalg.eigvals(product)).sum()
    assert found.figures["fid"] == pytest.approx(expected, rel=1e-4)


def test_the_page_of_reports_explains_it(report):
    (entries,) = grouping.by_suite({"metrics.json": report}).values()
    page = tables.suite("metrics", entries)
    assert page.startswith("## Metrics\n\nfid: the distance of two sets")
    assert "fid" in page.splitlines()[-5]


def test_the_features_hang_together():
    real, fake = given.features(400, 6)
    assert (real.shape, fake.shape, fake.dtype) == ((400, 6), (400, 6), np.float32)
    between = np.corrcoef(real, rowvar=False)[np.triu_indices(6, 1)]
    assert np.abs(between).max() > 0.3
    assert not np.allclose(real[:5], fake[:5])


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A generator with few channels and an extractor that is as if trained at the first call."""
    whole, calls = settings.defaults, []

    def defaults(model):
        chosen = whole(model)
        return dataclasses.replace(chosen, model=dataclasses.replace(chosen.model, features=2))

    def extract(_, pixels):
        means = pixels.reshape(len(pixels), 14, 2, 2, 14).mean((2, 3))[:, :10, 0]
        return extractors.Seen(means, means / 64)

    def choose(plan, *_, watch=None):
        calls.append(plan)
        if len(calls) == 1:
            watch("steps", 1, 1)
        return extractors.Extractor("means", {"extractor": "means"}, (), extract, of_the_data=True)

    monkeypatch.setattr(settings, "defaults", defaults)
    monkeypatch.setattr(scoring, "choose_extractor", choose)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def test_a_pass_gives_the_scores_of_the_command_line(small):
    plan = scoring.Scoring(samples=100, metrics="fid,is,pr,modes")
    found = contender._score({"batch_size": 100, "options": {"metrics": plan.metrics}}, 0.0)
    scores = found["step"]()
    assert {"fid_means", "modes_means"} <= set(scores)
    assert scores == found["step"]()
    assert small == [plan, plan]
    assert found["figures"]["first_pass_seconds"] == found["phases"]["first"] > 0
    assert found["figures"]["extractor_seconds"] > 0
    assert contender._extractor(settings.defaults(zoo.get(contender.MODEL)), plan) == {}


def test_the_weights_are_those_of_the_network():
    network, shape = inception.networks()["network"]
    images = jax.ShapeDtypeStruct((1, *shape), np.float32)
    expected = jax.eval_shape(
        lambda key, x: network.init(key, x, train=False)["params"], jax.random.key(0), images
    )
    found = contender.parameters()
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    kernel = found["Conv2d_4a_3x3"]["kernel"]
    assert (kernel.shape, kernel.dtype) == ((3, 3, 80, 192), np.float32)
    assert kernel.std() == pytest.approx((2 / 720) ** 0.5, rel=0.01)


@pytest.mark.slow
def test_the_features_of_inception_are_healthy():
    found = contender._inception({"batch_size": 2}, 0.0)  # which refuses others
    assert found["step"]().shape == (2, 2048)


@pytest.mark.parametrize("bad", [np.ones((3, 2048)), np.full((2, 2048), np.nan), np.full((2, 2048), 1e-20)])
def test_features_whose_time_says_nothing_are_refused(bad):
    with pytest.raises(ValueError, match=r"the work asks for \(2, 2048\)"):
        given.check_features(bad, 2)
    given.check_features(np.ones((2, 2048)), 2)


def test_the_cases_of_a_work_differ_in_the_contender_only():
    cases = metrics.make_cases(metrics.Flags(samples=2000, features=8, threads=1), platform="gpu")
    assert [(case.work, case.contender, case.batch_size) for case in cases] == [
        ("fid", "metrics", 2000),
        ("fid", "torch_fidelity", 2000),
        ("inception", "metrics", 16),
        ("inception", "torch_fidelity", 16),
        ("inception", "metrics", 32),
        ("inception", "torch_fidelity", 32),
        ("score", "metrics", 2000),
    ]
    assert [case.options for case in cases[::3]] == [
        {"threads": 1, "features": 8},
        {"threads": 1, "platform": "gpu"},
        {"threads": 1, "metrics": "fid,kid,is,pr,modes"},
    ]
    assert set(peer.WORKS) < set(contender.WORKS) == set(metrics.TARGETS)


def test_speeds_are_compared_with_the_best_of_the_peer_and_with_the_target():
    rows = metrics.with_figures(
        [
            row("jaxgan", "fid", 1.0, fid=10.0),
            row("torch_fidelity", "fid", 2.0, fid=10.1),
            row("jaxgan", "inception", 1.0, size=4),
            row("torch_fidelity", "inception", 1.0, size=2),
            row("jaxgan", "inception", 1.0, size=8),
            row("torch_fidelity", "inception", 1.0, size=4),
            row("jaxgan", "score", 5.0, first_pass_seconds=15.0),
        ]
    )
    figures = [found.figures for found in rows]
    assert [found.get("times_torch_fidelity") for found in figures] == [2, 1, 1, 0.5, 2, 1, None]
    reached = [2, None, pytest.approx(1 / 1.3), None, pytest.approx(2 / 1.3), None, 4]
    assert [found.get("times_target") for found in figures] == reached
    assert figures[1]["fid_difference"] == pytest.approx(0.01)
    assert "fid_difference" not in figures[0]


def test_the_table_shows_the_ratios_and_why_there_are_none():
    rows = metrics.with_figures(
        [
            row("jaxgan", "inception", 0.5),
            row("torch_fidelity", "inception", 1.0),
            dataclasses.replace(row("jaxgan", "score", None), status="error", message="no [disk]"),
        ]
    )
    made = metrics.table(rows)
    cells = {str(column.header): list(column.cells) for column in made.columns}
    assert cells["work"] == ["inception 4", "inception 4", "score 4"]
    assert cells["x torch-fidelity"] == ["2", "1", "–"]
    assert cells["x target"] == ["1.54", "–", "–"]
    assert cells["ms"] == ["500", "1,000", "error"]
    assert str(made.caption).endswith("score jaxgan: no [disk]")


def test_without_the_peer_nothing_is_compared():
    absent = dataclasses.replace(row("torch_fidelity", "fid", None), status="skipped", message="not here")
    found = metrics.with_figures([row("jaxgan", "fid", 1.0, fid=10.0), absent])
    assert [each.figures for each in found] == [{"fid": 10.0}, {}]


def test_rows_get_the_contender_and_the_work_of_inception(monkeypatch):
    asked = []

    def measure(cases, **arguments):
        asked.append(arguments["interpreters"])
        return [Row(case=case, samples=[[0.5]]) for case in cases]

    monkeypatch.setattr(process, "measure", measure)
    cases = metrics.make_cases(metrics.Flags(batch_sizes=(3,)))
    rows = metrics.measure_metrics(cases, Timing(), {"torch_fidelity": "/python"})
    assert [found.case.contender for found in rows] == ["jaxgan", "torch_fidelity"] * 2 + ["jaxgan"]
    assert rows[2].flops == rows[3].flops > 3 * 2 * 5.5e9
    assert [found.flops for found in rows if found.case.work != "inception"] == [None] * 3
    assert asked == [{"torch_fidelity": "/python"}] * 3


def test_a_peer_that_is_not_installed_is_skipped(monkeypatch):
    monkeypatch.setattr(peer, "PACKAGES", ("no_such_package",))
    [case] = metrics.make_cases(metrics.Flags(works=("score",), contenders=("torch_fidelity",)))
    [found] = metrics.measure_metrics([case], Timing(rounds=1, repeats=1, warmup=0), {})
    assert (found.status, found.case.contender, found.flops) == ("skipped", "torch_fidelity", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fdi"], "work is 'fdi'; it must be one of fid, inception, score"),
        (["--contenders", "torch"], "peer is 'torch'; it must be one of jaxgan, torch_fidelity"),
        (["--python", "torch_fidelity"], "NAME=PATH, such as torch_fidelity=/usr/bin/python3"),
        (["--python", f"jaxgan={sys.executable}"], "it must be one of torch_fidelity"),
        (["--samples", "999"], "samples is 999; it must be at least 1000 for kid"),
        (["fid", "--samples", "1"], "samples is 1; it must be >= 2"),
        (["score", "--metrics", "fdi"], "metrics is 'fdi'; it must be some of fid, "),
        (["--features", "0"], "features is 0; it must be >= 1"),
        (["--batch-sizes", "0"], "batch_size is 0; it must be >= 1"),
        (["--batch-sizes"], "batch_sizes is (); it must be at least one number"),
        (["--repeats", "0"], "repeats is 0"),
        (["--threads", "0"], "threads is 0"),
        (["--out", "/"], "--out is '/'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(process, "run", None)
    assert commands.main(["metrics", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
