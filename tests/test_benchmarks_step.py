"""The benchmarks of steps: one real run, and what becomes of processes that fail, with tiny stand-ins."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import (
    commands,
    device,
    flops,
    machine,
    options,
    process,
    records,
    scaling,
    screen,
    step,
    tune,
    worker,
)
from benchmarks.contenders import jaxgan as ours
from benchmarks.records import Case, Row
from jaxgan import cli, zoo
from jaxgan.cli import benchmark
from jaxgan.validation import InputError

TINY = ["--features", "2", "--batch-sizes", "4", "--no-roof"]
QUICK = ["--rounds", "1", "--repeats", "3", "--warmup", "1"]


def case(**changes):
    return Case(**{"suite": "step", "contender": "jaxgan", "work": "cnn", "batch_size": 4, **changes})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The report of a real run: a step alone, two of them in a loop, and two networks in one program."""
    out = tmp_path_factory.mktemp("benchmark") / "new" / "step.json"
    arguments = ["step", "cnn", *TINY, *QUICK, "--scan", "2", "--members", "2", "--out", str(out)]
    assert commands.main(arguments) == 0
    return records.read(out)


@pytest.mark.smoke
def test_a_run_leaves_a_report(found):
    assert found.command[:2] == ["step", "cnn"]
    assert found.machine.device_count == 1
    assert found.machine.cores >= 1
    assert found.machine.versions["jax"]
    single, scanned, members = found.rows
    assert [row.status for row in found.rows] == ["ok"] * 3
    assert [row.images for row in found.rows] == [4, 8, 8]
    assert [[len(process) for process in row.samples] for row in found.rows] == [[3]] * 3
    assert scanned.flops == members.flops == 2 * single.flops
    assert single.versions["jax"] == found.machine.versions["jax"]
    for row in (scanned, members):
        expected = row.median / (2 * single.median)
        np.testing.assert_allclose(row.figures["times_single_steps"], expected)
    assert "times_single_steps" not in single.figures


def test_phases_and_memory_are_those_of_the_compiled_step(found):
    row = found.rows[0]
    phases = dataclasses.asdict(row.phases)
    assert all(seconds > 0 for seconds in phases.values()), phases
    assert row.phases.total < row.figures["cold_start"]
    assert row.memory.aliased == row.figures["state_bytes"]  # the new state takes the place of the old one
    assert row.memory.peak > 50e6
    assert [row.compiler_flops for row in found.rows[1:]] == [None, None]  # loop bodies are counted once


def test_the_work_of_a_step_is_counted_by_hand():
    """Forward, and backward with respect to weights and inputs; the first layer has no use for the latter."""
    layers = [26 * 26 * 9 * 1 * 2, 11 * 11 * 9 * 2 * 4, 5 * 5 * 4 * 128, 128 * 10]
    by_hand = 2 * (3 * sum(layers) - layers[0]) * 4
    counted = flops.of_sample(case(options={"features": 2}))
    assert counted == pytest.approx(by_hand, rel=0.15)  # the form of a convolution decides about padding
    assert flops.of_sample(case(options={"features": 2, "steps_in_scan": 3})) == 3 * counted


def refused(capsys, status, words):
    error = capsys.readouterr().err
    assert status == 2, error
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stepp"], "no benchmark 'stepp'; the benchmarks are step, ops"),
        (["step", "dcgn"], "model is 'dcgn'; it must be one of"),
        (["step", "--rounds", "0"], "rounds is 0; it must be >= 1"),
        (["step", "--repeats", "0"], "repeats is 0; it must be >= 1"),
        (["step", "--warmup", "-1"], "warmup is -1; it must be >= 0"),
        (["step", "--timeout", "0"], "timeout is 0.0; it must be > 0"),
        (["step", "--batch-sizes", "0"], "batch_size is 0; it must be >= 1"),
        (["step", "--dtypes", "float8"], "dtype is 'float8'; it must be one of float32"),
        (["step", "--parallel", "threads"], "parallel is 'threads'; it must be one of jit"),
        (["step", "--devices", "0"], "devices is 0; it must be >= 1"),
        (["step", "--devices", "3"], "batch_size is 128; it must be a multiple of 3"),
        (["step", "--devices", "2", "--parallel", "none"], "devices is 2; it must be 1"),
        (["step", "--scan", "1"], "scan is 1; it must be >= 2"),
        (["step", "--data", "mnist"], "data is 'mnist'; it must be one of digits"),
        (
            ["step", "--data", "digits", "--batch-sizes", "9999"],
            "batch_size is 9999; it must be at most 1438",
        ),
        (["step", "--flags", "fast"], "flags is 'fast'; it must be tuned, default"),
        (["step", "--image-size", "30"], "image_size is (30, 30); it must be"),
        (["step", "--out", "/proc/none/step.json"], "/proc/none/step.json cannot be written"),
        (["scaling", "dcgn"], "model is 'dcgn'"),
        (["scaling", "--kinds", "steady"], "kinds is 'steady'; it must be weak or strong"),
        (["scaling", "--parallel", "none"], "parallel is 'none'; it must be one of jit"),
        (["scaling", "--virtual-devices", "0"], "virtual_devices is 0; it must be >= 1"),
        (["tune", "dcgn"], "model is 'dcgn'"),
        (["tune", "--sets", "fast"], "flags is 'fast'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_error_before_anything_runs(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "run", lambda *_, **__: pytest.fail("a process was started"))
    refused(capsys, commands.main(arguments), words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["step", "cnn", *TINY, "--devices", "4"], "devices is 4; it must be at most 1"),
        (["step", "--flags", "xla_nonsense=1"], "Unknown flag in XLA_FLAGS: --xla_nonsense=1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_this_machine_has_not_is_refused(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    refused(capsys, commands.main(arguments), words)
    assert not list(tmp_path.iterdir())


FAKE = """
import os, time
PACKAGES = ("{package}",)
WORKS = ("cnn",)
def prepare(case):
    {body}
    return {{
        "step": lambda: time.sleep(0.001), "images": 4, "phases": {{"first": 0.5}}, "compiler_flops": None,
        "memory": None, "versions": {{"flags": os.environ.get("XLA_FLAGS", "")}},
    }}
"""


@pytest.fixture
def contender(tmp_path, monkeypatch):
    """Makes contenders of a line or two, run by the real worker."""
    shutil.copy(worker.__file__, tmp_path)
    (tmp_path / "contenders").mkdir()
    monkeypatch.setattr(process, "FOLDER", tmp_path)

    def make(name, body="pass", package="json"):
        (tmp_path / "contenders" / f"{name}.py").write_text(FAKE.format(body=body, package=package))
        return case(contender=name)

    return make


def measure(*cases, **options):
    return process.measure(cases, **{"rounds": 1, "repeats": 2, "warmup": 0, **options})


def test_contenders_take_turns_in_fresh_processes(contender):
    log = []
    cases = contender("first"), contender("second")
    rows = measure(*cases, rounds=2, flags={"second": "--flag"}, say=log.append)
    assert [line.split()[6] for line in log] == ["first,", "second,", "first,", "second,"]
    assert [[len(samples) for samples in row.samples] for row in rows] == [[2, 2], [2, 2]]
    assert all(sample >= 0.001 for row in rows for sample in row.seconds)
    assert rows[0].phases.first == 0.5
    assert rows[0].figures["cold_start"] > 0
    assert [row.versions["flags"] for row in rows] == [os.environ.get("XLA_FLAGS", ""), "--flag"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("raise MemoryError", "out_of_memory", "no memory is left"),
        ("raise RuntimeError('RESOURCE_EXHAUSTED: of 9 bytes')", "out_of_memory", "of 9 bytes"),
        ("os.kill(os.getpid(), 9)", "out_of_memory", "killed by the system"),
        ("raise ValueError('a\\n b')", "error", "ValueError: a"),
        ("os.abort()", "error", "ended with status -6"),
        ("os._exit(0)", "error", "ended with status 0"),
        ("raise NotImplementedError('not here')", "skipped", "not here"),
        ("time.sleep(60)", "error", "no result after 1 s"),
    ],
)
def test_a_case_that_fails_is_a_row_and_the_others_go_on(contender, body, status, words):
    cases = contender("bad", body), contender("good")
    bad, good = measure(*cases, timeout=1.0)
    assert (bad.status, bad.samples) == (status, [])
    assert words in bad.message
    assert good.status == "ok"


def test_a_contender_that_cannot_work_is_skipped(contender):
    missing, good = contender("missing", package="no_such_package"), contender("good")
    rows = measure(missing, dataclasses.replace(good, work="dcgan"), good, interpreters={"good": "/none"})
    assert [row.status for row in rows] == ["skipped"] * 3
    assert "not installed" in rows[0].message
    assert "/none cannot be run" in rows[1].message
    assert measure(dataclasses.replace(good, work="dcgan"))[0].message == "good does cnn, not dcgan"


def test_a_process_keeps_to_so_many_cores(contender):
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("the system cannot do that")
    limited = contender("limited", "assert len(os.sched_getaffinity(0)) == 1")
    assert measure(dataclasses.replace(limited, options={"threads": 1}))[0].status == "ok"


def test_a_known_device_has_the_peaks_of_the_table(monkeypatch):
    told = {"platform": "gpu", "device_count": 1, "process_count": 1, "flags": ""}
    unknown = {"flops_per_second": 1e12, "bytes_per_second": 1e11, "device_kind": "New"}
    known = {"flops_per_second": None, "bytes_per_second": None, "device_kind": "TPU v4"}
    for kind, expected in ((known, (275e12, "table")), (unknown, (1e12, "measured"))):
        monkeypatch.setattr(process, "run", lambda *_, kind=kind, **__: {"status": "ok", **told, **kind})
        roof = machine.describe(measure_roof=True).roof
        assert (roof.flops_per_second, roof.flops_source) == expected


def test_a_roof_can_be_measured(monkeypatch):
    monkeypatch.setattr(device, "SIDES", (64,))
    monkeypatch.setattr(device, "COPIED", 1024)
    assert device.measure_product() > 0
    assert device.measure_copy() > 0


def test_steps_in_a_loop_and_members_do_the_same_work_as_single_steps():
    def single(state, batch, key):
        moved = 2 * state + batch["image"].sum() + key
        return moved, {"loss": moved}

    batch = {"image": jnp.arange(6.0)}
    looped, metrics = ours.whole_step(single, {"steps_in_scan": 2})(jnp.float32(1), batch, 0.5)
    expected = single(
        single(jnp.float32(1), {"image": batch["image"][::2]}, 0.5)[0], {"image": batch["image"][1::2]}, 0.5
    )
    np.testing.assert_array_equal(looped, expected[0])
    assert metrics["loss"].shape == (2,)
    states, _ = ours.whole_step(single, {"members": 2})(jnp.array([1.0, 3.0]), batch, 0.5)
    np.testing.assert_array_equal(states, [single(state, batch, 0.5)[0] for state in (1.0, 3.0)])


def test_arithmetic_in_another_dtype_is_refused():
    bf16 = {"work": "dcgan", "dtype": "bfloat16"}
    ours._check_arithmetic(
        bf16, "%1 = stablehlo.dot_general %0 : (tensor<2xbf16>, tensor<2xbf16>) -> tensor<f32>"
    )
    with pytest.raises(NotImplementedError, match="dcgan does not compute in bfloat16"):
        ours._check_arithmetic(bf16, "%1 = stablehlo.convolution(%0) : (tensor<2xbf16>, tensor<2xf32>) -> ")


@pytest.mark.parametrize("parallel", ["jit", "pmap", "shard_map", "none"])
def test_every_way_of_running_has_its_cases(parallel):
    flags = step.Flags(models=("dcgan",), parallel=(parallel,), scan=3, dtypes=("float32", "float64"))
    cases = step.make_cases(flags)
    assert [(case.dtype, case.options) for case in cases] == [
        (dtype, variant) for dtype in ("float32", "float64") for variant in ({}, {"steps_in_scan": 3})
    ]


def test_all_gans_have_their_cases_with_images_that_their_updates_share(monkeypatch):
    for folder in zoo.FOLDERS:
        assert {case.work for case in step.make_cases(step.Flags(models=(folder,)))} == {
            name for name in zoo.trainable() if zoo.folders()[name] == folder
        }
    monkeypatch.setattr(step, "updates", lambda _: 5)
    cases = step.make_cases(step.Flags(models=("dcgan",), batch_sizes=(128, 30), devices=(1, 2), scan=2))
    assert [case.batch_size for case in cases[::2]] == [125, 120, 30, 30]
    with pytest.raises(InputError, match="batch_size is 4; it must be a multiple of 5, the discriminator's"):
        step.make_cases(step.Flags(models=("dcgan",), batch_sizes=(4,)))


def test_efficiency_is_the_speed_of_a_device_against_one_alone():
    flags = scaling.Flags(model="cnn", batch_size=4, virtual_devices=4)
    cases = scaling.make_cases(flags, (1, 4))
    assert [case.batch_size for case in cases] == [4, 16, 4, 4]
    assert all(case.options["virtual_devices"] == 4 for case in cases)
    seconds = (1.0, 2.0, 1.0, 0.5)
    rows = [
        Row(case=case, samples=[[time]], images=case.batch_size)
        for case, time in zip(cases, seconds, strict=True)
    ]
    figures = [row.figures for row in scaling.add_efficiency([*rows, Row(case=cases[1], status="error")])]
    assert [row.get("speedup") for row in figures] == [1.0, 2.0, 1.0, 2.0, None]
    assert [row.get("efficiency") for row in figures] == [1.0, 0.5, 1.0, 0.5, None]


def test_tuning_leaves_out_unknown_flags_and_names_the_fastest(monkeypatch):
    flags = tune.Flags(model="cnn", batch_size=4)
    times = {"default": 0.3, "--xla_good=1": 0.2}
    cases = [tune.make_case(flags, words) for words in ("default", "--xla_unknown=1", "--xla_good=1")]
    monkeypatch.setattr(tune, "probe", lambda words: None if words in times else "unknown flag")
    monkeypatch.setattr(
        process,
        "measure",
        lambda cases, **_: [
            Row(case=case, samples=[[times[case.options["flags"]]]], images=4) for case in cases
        ],
    )
    rows = tune.try_flags(cases, options.Timing(), lambda _: None)
    assert [row.status for row in rows] == ["ok", "skipped", "ok"]
    assert [row.figures.get("gain") for row in rows] == [0.0, None, pytest.approx(0.5)]
    assert "the fastest is --xla_good=1: 50.0% more" in tune.conclude(rows)
    assert tune.conclude(rows[:1]) == "none of the sets is faster than no flags"
    assert tune.conclude(rows[1:2]) == "no set of flags could be timed"


def test_every_candidate_is_a_set_of_flags():
    for words in (words for sets in tune.CANDIDATES.values() for words in sets):
        assert options.read_flags(words) == words


def test_a_run_in_which_nothing_works_ends_with_one(found, tmp_path, capsys):
    row = Row(case=case(), status="out_of_memory", message="no [memory] is left")
    assert screen.finish(["step"], found.machine, [row], tmp_path / "none.json") == 1
    assert "out of memory" in " ".join(capsys.readouterr().out.split())
    assert json.loads((tmp_path / "none.json").read_text())["rows"][0]["message"] == "no [memory] is left"


def test_the_second_door_finds_the_same_benchmarks(capsys):
    assert cli.main(["benchmark", "--help"]) == 0
    assert "jaxgan benchmark NAME" in capsys.readouterr().out
    assert cli.main(["benchmark", "step", "dcgn"]) == 2
    assert "jaxgan benchmark step: error: model is 'dcgn'" in capsys.readouterr().err


def test_an_installation_without_benchmarks_says_so(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, benchmark.PACKAGE, raising=False)
    with pytest.raises(InputError, match="there are no benchmarks"):
        benchmark._find(tmp_path)


@pytest.mark.parametrize("command", ["-m benchmarks --help", "-m jaxgan.cli benchmark --help"])
def test_help_is_answered_without_loading_jax(command):
    root = Path(process.__file__).parents[1]
    arguments = [sys.executable, "-X", "importtime", *command.split()]
    done = subprocess.run(arguments, cwd=root, capture_output=True, text=True, check=True)
    assert "scaling" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"jax", "tyro", "rich", "numpy"}
