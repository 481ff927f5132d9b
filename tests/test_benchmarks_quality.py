"""``benchmarks quality``: generators trained and judged, and what it reports."""

import dataclasses
import importlib.util
import json
import shlex
import sys
import threading

import numpy as np
import pytest

from benchmarks import (
    commands,
    grouping,
    machine,
    process,
    quality,
    records,
    tables,
    trained,
    variants,
    worker,
)
from benchmarks.contenders import jaxgan_train, judge, keras_gan
from benchmarks.options import Training
from benchmarks.records import Case, Report, Row
from jaxgan import cli, data, extractors, run_folder, scoring
from jaxgan.cli import train as cli_train
from jaxgan.gans import dcgan
from jaxgan.validation import InputError

TABLE = """
[base]
dcgan = "--model.features 2 --batch-size 4 --cadence.log-every 1"

[variants]
slow = "dcgan"
fast = "dcgan --model.game.generator.learning-rate 1e-3"
wild = "dcgan --model.game.discriminator.learning-rate 1e30"
"""
SMALL = ["--data", "digits", "--steps", "4", "--batch-size", "8", "--samples", "100"]


def by_rows(_, pixels):
    """What stands for a classifier: the brightness of groups of rows, the last of which are most dark."""
    means = pixels.reshape(len(pixels), 14, 2, 28).mean((2, 3))[:, :10]
    return extractors.Seen(means, means)


@pytest.fixture
def here(monkeypatch, tmp_path, host):
    """Does the work of all processes in this one, with a plain function for a classifier, and notes it."""
    jobs = []

    def run(_script, job, **_):
        jobs.append(job)
        return worker.attempt(job, 0.0)

    def choose(*_, **__):
        protocol = {"extractor": "rows", "extractor_sha256": "0123456789abcdef"}
        return extractors.Extractor("digits_cnn", protocol, (), by_rows, of_the_data=True)

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(machine, "describe", lambda **_: host)
    monkeypatch.setattr(worker, "load", lambda name, _: {"jaxgan_train": jaxgan_train, "judge": judge}[name])
    for module in (jaxgan_train, judge):
        monkeypatch.setattr(module, "start_jax", lambda _: None)
    monkeypatch.setattr(scoring, "choose_extractor", choose)
    monkeypatch.setattr(quality, "METRICS", "fid,modes")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "table.toml").write_text(TABLE)
    return jobs


def measured(tmp_path, *arguments):
    places = ["--table", str(tmp_path / "table.toml"), "--out", str(tmp_path / "quality.json")]
    status = commands.main(["quality", *SMALL, "--contenders", "jaxgan", *places, *arguments])
    return status, records.read(tmp_path / "quality.json")


def row(name, fid=None, *, contender="jaxgan", seed=0, extractor="0123", **options):
    options = {"variant": name, "data": "digits", "steps": 4, "seed": seed, "samples": 10, **options}
    case = Case(suite="quality", contender=contender, work="dcgan", batch_size=8, options=options)
    figures = {} if fid is None else {"fid_digits_cnn": fid}
    return Row(case=case, samples=[[2.0]], figures=figures, versions={"extractor": extractor})


class TestQuality:
    @pytest.mark.usefixtures("here")
    def test_scores_are_those_that_the_command_line_gives(self, tmp_path, capsys):
        status, report = measured(tmp_path, "--variants", "fast", "--runs", str(tmp_path / "runs"))
        assert status == 0
        (found,) = report.rows
        assert (found.case.suite, found.case.contender, found.case.batch_size) == ("quality", "jaxgan", 8)
        assert (found.case.options["variant"], found.case.options["seed"]) == ("fast", 0)
        assert found.case.options["train"].endswith("learning-rate 1e-3")
        run = run_folder.open_run(tmp_path / "runs" / "fast-seed0")
        assert run.read_config()["steps"] == 4
        assert run.read_config()["settings"]["model"]["game"]["generator"]["learning_rate"] == 1e-3
        assert cli.main(["evaluate", str(run.path), "--metrics", quality.METRICS, "--samples", "100"]) == 0
        (line,) = run.read_scores()
        assert {name: found.figures[name] for name in line["scores"]} == line["scores"]
        low, high = (found.figures[f"fid_digits_cnn_{end}"] for end in ("low", "high"))
        assert low < found.figures["fid_digits_cnn"] < high
        assert found.images == 32
        assert found.figures["step_seconds"] > 0
        assert found.versions["extractor"] == "0123456789ab"
        assert str(tmp_path) not in json.dumps(dataclasses.asdict(found))
        assert "│ fast" in capsys.readouterr().out

    def test_a_training_that_diverges_stops_no_other(self, here, tmp_path, monkeypatch):
        def train(arguments):
            print("step 3", "jaxgan train: error: at step 4 the loss is nan", sep="\n", file=sys.stderr)
            return 1 if arguments[-1].endswith("wild-seed0") else 0

        monkeypatch.setattr(cli_train, "run", train)
        status, report = measured(tmp_path, "--variants", "wild,slow")
        assert status == 1
        assert [(found.case.options["variant"], found.status) for found in report.rows] == [
            ("wild", "error"),
            ("slow", "error"),
        ]
        wild, slow = (found.message for found in report.rows)
        assert wild == "FloatingPointError: jaxgan train: error: at step 4 the loss is nan"
        assert "slow-seed0 does not exist" in slow
        assert [job["case"]["contender"] for job in here] == ["jaxgan_train"] * 2

    @pytest.mark.usefixtures("here")
    def test_a_report_is_gone_on_with_after_an_interrupt_or_a_failure(self, tmp_path, monkeypatch, capsys):
        asked = []

        def do(task, *_, **__):
            asked.append(task.case.options["variant"])
            if asked == ["wild", "slow", "fast"]:
                raise KeyboardInterrupt
            if asked == ["wild"]:
                return Row(case=task.case, status="error", message="it diverged")
            return Row(case=task.case, samples=[[1.0]])

        monkeypatch.setattr(trained, "do", do)
        status, first = measured(tmp_path, "--variants", "wild,slow,fast")
        assert status == 130
        assert [(found.case.options["variant"], found.status) for found in first.rows] == [
            ("wild", "error"),
            ("slow", "ok"),
        ]
        status, second = measured(tmp_path, "--variants", "slow,fast", "--resume")
        assert status == 0
        assert asked == ["wild", "slow", "fast", "fast"]
        assert [found.case.options["variant"] for found in second.rows] == ["wild", "slow", "fast"]
        assert second.rows[:2] == first.rows
        _, third = measured(tmp_path, "--variants", "wild,slow", "--resume", "--seeds", "0,1")
        assert asked[4:] == ["wild", "wild", "slow"]
        assert [found.status for found in third.rows] == ["ok"] * 5
        assert commands.main(["quality", *SMALL, "--out", str(tmp_path / "quality.json")]) == 2
        assert "quality.json exists: --resume adds to it" in capsys.readouterr().err

    @pytest.mark.usefixtures("here")
    def test_several_are_trained_at_once_where_wanted(self, tmp_path, monkeypatch):
        both = threading.Barrier(2)

        def do(task, *_, **__):
            both.wait(timeout=30)
            return Row(case=task.case, samples=[[1.0]])

        monkeypatch.setattr(trained, "do", do)
        status, report = measured(tmp_path, "--variants", "slow,fast", "--seeds", "0,1", "--at-once", "2")
        assert (status, len(report.rows)) == (0, 4)
        assert {found.case.options["at_once"] for found in report.rows} == {2}

    @pytest.mark.usefixtures("here")
    def test_images_of_others_are_judged_as_those_of_a_run_are(self, tmp_path):
        images = data.load("digits", "train", image_size=(28, 28), channels=1).read(np.arange(1000))["image"]
        np.savez(tmp_path / "drawn.npz", images=images.astype(np.float32) / 127.5 - 1)
        options = {"images": str(tmp_path / "drawn.npz"), "data": "digits", "metrics": "fid,modes"}
        job = {"case": dataclasses.asdict(row("x").case) | {"contender": "judge", "batch_size": 1000}}
        job["case"]["options"] = options
        found = process.run("worker.py", job | {"warmup": 0, "repeats": 1})
        assert found["status"] == "ok", found["message"]
        train = data.load("digits", "train", image_size=(28, 28), channels=1)
        plan = scoring.Scoring(samples=1000, metrics="fid,modes")
        expected = scoring.score_images(images, train, scoring.choose_extractor(), plan)
        assert {name: found["figures"][name] for name in expected} == pytest.approx(expected, rel=1e-4)
        shares = np.bincount(by_rows(None, images).logits.argmax(1), minlength=10) / 1000
        assert found["figures"]["least_class_share"] == shares.min()
        assert found["figures"]["largest_class_share"] == shares.max()

    @pytest.mark.parametrize("bad", [np.zeros((3, 28, 28, 1)), np.zeros((2, 28, 28, 1), np.float32)])
    def test_images_of_another_type_or_number_are_refused(self, bad, tmp_path):
        np.savez(tmp_path / "bad.npz", images=bad)
        with pytest.raises(ValueError, match=r"it must hold float32\[3, H, W, C\]"):
            judge.read_images(str(tmp_path / "bad.npz"), 3)

    def test_the_interval_of_the_distance_is_as_wide_as_it_varies(self):
        random = np.random.default_rng(0)
        real = scoring.METRICS["fid"].init(scoring.Sizes(2000, 2, 1))
        batch = scoring.Batch(np.arange(2000), random.normal(size=(2000, 2)), np.zeros((2000, 1)), {})
        real = scoring.METRICS["fid"].update(real, batch)

        def drawn(seed):
            features = np.random.default_rng([1, seed]).normal(1.0, 1.0, size=(400, 2)).astype(np.float32)
            return scoring.Batch(np.arange(400), features, np.zeros((400, 1)), {})

        class Evaluator:
            plan = scoring.Scoring(samples=400, metrics="fid")
            extractor = extractors.of_function(lambda pixels: pixels, name="rows", digest="1")

        Evaluator.real = scoring.Real(2000, "", real, None)
        metric = scoring.METRICS["fid"]
        sizes = scoring.Sizes(400, 2, 1)
        many = [
            metric.compute(Evaluator.real, metric.update(metric.init(sizes), drawn(seed)))["fid"]
            for seed in range(200)
        ]
        width = np.quantile(many, 0.975) - np.quantile(many, 0.025)
        found = judge.fid_interval(Evaluator, drawn(0))
        assert found["fid_rows_low"] < many[0] < found["fid_rows_high"]
        assert found["fid_rows_high"] - found["fid_rows_low"] == pytest.approx(width, rel=0.3)

    def test_distances_are_compared_with_the_mean_of_the_peer_where_they_can_be(self):
        rows = [
            row("keras_tensorflow", 20.0, contender="keras_tensorflow"),
            row("keras_tensorflow", 40.0, contender="keras_tensorflow", seed=1),
            row("ema", 15.0),
            row("ema", 15.0, extractor="other"),
            row("ema", 15.0, steps=5),
            row("ema"),
        ]
        ratios = [found.figures.get("times_peer") for found in quality.with_ratios(rows)]
        assert ratios == [pytest.approx(2 / 3), pytest.approx(4 / 3), 0.5, None, None, None]

    def test_the_table_says_why_there_are_no_numbers(self):
        failed = dataclasses.replace(row("wild"), status="error", message="at step 4 it is nan", samples=[])
        made = quality.table([row("ema", 12.34), failed])
        cells = {str(column.header): list(column.cells) for column in made.columns}
        assert list(map(str, cells["FID"])) == ["12.3", "–"]
        assert list(map(str, cells["s"])) == ["2.00", "error"]
        assert str(made.caption).endswith("wild: at step 4 it is nan")

    def test_several_seeds_are_put_together_and_the_best_comes_first(self):
        def scored(name, fid, share, **more):
            made = row(name, fid, **more)
            return dataclasses.replace(made, figures={**made.figures, "least_class_share": share})

        rows = [
            scored("a", 30.0, 0.04),
            scored("b", 10.0, 0.05),
            scored("a", 20.0, 0.01, seed=1),
            scored("b", 14.0, 0.06, seed=1),
            scored("c", 1.0, 0.1),
        ]
        made = quality.table(rows)
        cells = {str(column.header): list(map(str, column.cells))[5:] for column in made.columns}
        assert cells["variant"] == ["b", "a"]
        assert cells["seed"] == ["all 2", "all 2"]
        assert cells["FID"] == ["12.0", "25.0"]
        assert cells["interval"] == ["10.0-14.0", "20.0-30.0"]
        assert cells["least class"] == ["5.0 %", "1.0 %"]

    def test_the_peer_comes_first_and_gets_the_images(self, tmp_path):
        flags = quality.Flags(data="digits", variants=("ema",), training=Training(seeds=("0,3",)))
        tasks = quality.make_tasks(flags)
        assert [task.name for task in tasks] == [
            "keras_tensorflow-seed0", "ema-seed0", "keras_tensorflow-seed3", "ema-seed3",
        ]  # fmt: skip
        images = quality.read_images("digits")
        theirs, ours = (quality.with_archive(task, images, tmp_path) for task in tasks[:2])
        assert ours == tasks[1]
        with np.load(theirs.options["images"]) as archive:
            assert archive["images"].shape == (len(images), 28, 28, 1)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "data"),
            (["--data", "no"], "'no'"),
            (
                ["--data", "digits", "--variants", "emma"],
                "variant is 'emma'; it must be one of baseline, ema",
            ),
            (["--data", "digits", "--contenders", "torch"], "it must be one of jaxgan, keras_tensorflow"),
            (["--data", "digits", "--python", "torch=/bin/sh"], "it must be one of keras_tensorflow"),
            (["--data", "digits", "--seeds", "0,x"], "seeds is '0,x'; it must be whole numbers"),
            (["--data", "digits", "--steps", "0"], "steps is 0; it must be >= 1"),
            (["--data", "digits", "--timeout", "0"], "timeout is 0.0; it must be > 0"),
            (["--data", "digits", "--at-once", "0"], "at_once is 0; it must be >= 1"),
            (["--data", "digits", "--samples", "10"], "samples is 10; it must be at least 1000 for kid"),
            (["--data", "digits", "--batch-size", "0"], "batch_size is 0"),
            (["--data", "digits", "--table", "no.toml"], "no.toml cannot be read"),
            (["--data", "digits", "--out", "/"], "--out is '/'"),
        ],
    )
    def test_bad_input_is_said_before_anything_is_trained(self, arguments, message, capsys, monkeypatch):
        monkeypatch.setattr(process, "run", None)
        try:
            status = commands.main(["quality", *arguments])
        except SystemExit as ended:  # tyro's own, of options that are not there
            status = ended.code
        assert status == 2
        assert message in capsys.readouterr().err


class TestVariants:
    def test_the_base_of_the_ablation_and_its_best_are_presets(self):
        table = variants.read_table(quality.TABLE)
        base = variants.settings_of(table["baseline"]).model
        assert base == dcgan.MNIST
        ema = variants.settings_of(table["ema"]).model
        assert ema == dataclasses.replace(base, game=dataclasses.replace(base.game, ema_decay=0.98))
        best = variants.settings_of(table["r1-fast-alternating-no-dropout-ema"]).model
        assert best == dcgan.STEADY.config
        assert variants.settings_of(variants.Variant("a", "dcgan", ("--preset", "steady"))).model == best
        made = {name: variants.settings_of(variant).model for name, variant in table.items()}
        assert len(set(map(repr, made.values()))) == len(table)

    def test_the_command_is_what_a_shell_takes(self):
        variant = variants.Variant("a", "dcgan", ("--data", "folder:a b"))
        assert shlex.split(variant.command) == ["dcgan", "--data", "folder:a b"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[variants", "is not TOML"),
            ("", "must hold [variants]"),
            ("[variants]\na = 1", "must hold [variants]"),
            ("[variants]\na = 'dcgan'\n[more]\nb = 'c'", "must hold [variants]"),
            ("[variants]\na = 'dcgan \"'", "cannot be divided into words"),
            ("[variants]\na = 'dcgam'", "'dcgam'"),
            ("[variants]\na = ''", "must be"),
            (
                "[variants]\na = 'dcgan --model.slop 1'",
                "jaxgan train dcgan --model.slop 1: Unrecognized options",
            ),
            ("[variants]\na = 'dcgan --model.slope=-1'", "slope is -1.0; it must be >= 0"),
        ],
    )
    def test_a_table_that_cannot_be_used_is_refused(self, text, message, tmp_path):
        path = tmp_path / "table.toml"
        path.write_text(text)
        with pytest.raises(InputError) as raised:
            variants.settings_of(*variants.choose(variants.read_table(path), ()))
        assert message in str(raised.value)


class TestKeras:
    def test_batches_hold_each_image_once_in_each_pass(self):
        images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
        stream = keras_gan.batches(images, 4, seed=0)
        seen = np.concatenate([next(stream) for _ in range(5)]).ravel()
        pixels = np.round((seen + 1) * 127.5).astype(int)
        assert sorted(pixels[:10]) == sorted(pixels[10:]) == list(range(10))
        assert list(pixels[:10]) != list(pixels[10:])
        assert next(keras_gan.batches(np.full((4, 1, 1, 1), 255, np.uint8), 4, seed=0)).max() == 1

    def test_trains_and_leaves_images(self, tmp_path):
        if missing := [name for name in keras_gan.PACKAGES if importlib.util.find_spec(name) is None]:
            pytest.skip(f"not installed: {', '.join(missing)}")
        places = {"images": str(tmp_path / "real.npz"), "to": str(tmp_path / "drawn.npz")}
        np.savez(
            places["images"], images=np.random.default_rng(0).integers(256, size=(9, 28, 28, 1)).astype("u1")
        )
        options = {"steps": 3, "seed": 0, "samples": 7, "features": 2, **places}
        case = {"contender": "keras_gan", "work": "dcgan", "batch_size": 4, "options": options}
        found = process.run("worker.py", {"case": case, "warmup": 0, "repeats": 1})
        assert found["status"] == "ok", found["message"]
        assert (found["images"], len(found["samples"])) == (12, 1)
        assert 0 < found["figures"]["step_seconds"] < found["samples"][0]
        with np.load(places["to"]) as archive:
            drawn = archive["images"]
        assert (drawn.shape, drawn.dtype) == ((7, 28, 28, 1), np.float32)
        assert np.abs(drawn).max() <= 1
        assert np.abs(drawn[0] - drawn[1]).max() > 0

    def test_is_skipped_where_it_is_not_installed(self, monkeypatch, tmp_path):
        monkeypatch.setattr(keras_gan, "PACKAGES", ("no_such_package",))
        monkeypatch.setattr(worker, "load", lambda *_: _missing())
        monkeypatch.setattr(process, "run", lambda _, job, **__: worker.attempt(job, 0.0))
        task = quality.make_tasks(quality.Flags(data="digits", variants=("ema",)))[0]
        found = trained.do(task, tmp_path, timeout=1.0, interpreters={})
        assert (found.status, found.case, found.figures) == ("skipped", task.case, {})


def _missing():
    raise NotImplementedError("not installed: tensorflow")


def test_the_page_of_reports_shows_both(host):
    stack = dataclasses.replace(row("dcgan").case, suite="stacked")
    report = Report(
        command=["quality"], created="now", machine=host, rows=[row("ema", 12.0), Row(case=stack)]
    )
    pages = {name: tables.suite(name, found) for name, found in grouping.by_suite({"q.json": report}).items()}
    assert list(pages) == ["quality", "stacked"]
    assert "fid digits cnn" in pages["quality"]
    assert pages["stacked"].startswith("## Modes of stacked digits\n\nGenerators trained")


@pytest.mark.slow
def test_trainings_in_processes_of_their_own_are_judged_or_say_how_they_failed(tmp_path):
    """Also Keras, where this environment has it."""
    (tmp_path / "table.toml").write_text(TABLE)
    out, contenders = tmp_path / "quality.json", ["jaxgan"]
    if importlib.util.find_spec("tensorflow"):
        contenders.append("keras_tensorflow")
    places = ["--table", str(tmp_path / "table.toml"), "--out", str(out)]
    sizes = ["--data", "digits", "--steps", "4", "--batch-size", "8", "--samples", "1000"]
    arguments = [*sizes, *places, "--variants", "wild,fast", "--contenders", *contenders]
    assert commands.main(["quality", *arguments]) == 0
    rows = records.read(out).rows
    assert {found.case.contender for found in rows} == set(contenders)
    wild = next(found for found in rows if found.case.options["variant"] == "wild")
    assert wild.status == "error"
    assert wild.message.startswith("FloatingPointError: jaxgan train: error: at step ")
    for found in rows:
        if found is not wild:
            assert found.status == "ok", found.message
            assert found.figures["fid_digits_cnn"] > found.figures["fid_digits_cnn_low"] > 0
            assert found.figures["recall_digits_cnn"] >= 0
