"""``benchmarks ops``: its cases, its forms, and one real measurement."""

import json

import jax
import numpy as np
import pytest

from benchmarks import commands, ops, records
from benchmarks.contenders.ops import LAYERS, MAPS, OTHERS, forms_of, program
from jaxgan.ops import forms


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("ops") / "ops.json"
    layer = "conv 4x4/2 1>64 on 28x28"
    short = ["--rounds", "1", "--repeats", "2", "--warmup", "0", "--no-roof", "--out", str(path)]
    assert commands.main(["ops", "--layers", layer, "--batch-size", "2", *short]) == 0
    return path


def test_each_form_has_a_row_with_its_work(report):
    rows = records.read(report).rows
    assert [(row.case.work.rpartition(": ")[2], row.case.contender) for row in rows] == [
        ("output", "lax"),
        ("output", "patches"),
        ("image", "lax"),
        ("image", "product"),
        ("kernel", "lax"),
        ("kernel", "canonical"),
        ("kernel", "patches"),
    ]
    assert {row.status for row in rows} == {"ok"}
    assert {row.flops for row in rows} == {2.0 * 2 * 14 * 14 * 4 * 4 * 64}
    assert all(row.figures["times_lax"] == 1 for row in rows if row.case.contender == "lax")
    assert sum(row.figures["chosen"] for row in rows) == len(MAPS)
    assert json.loads(report.read_text())["rows"][0]["summary"]["flops_per_second"] > 0


def test_every_form_is_measured():
    measured = {(wanted, form) for layer in LAYERS for wanted in MAPS for form in forms_of(layer, wanted)}
    assert measured == {(wanted, form) for wanted in MAPS for form in forms.FORMS[wanted]}


@pytest.mark.parametrize("wanted", ["forward", "gradient"])
@pytest.mark.parametrize("layer", sorted(set(OTHERS) - {"dropout"}))
def test_the_rivals_of_an_op_compute_the_same(layer, wanted):
    results = []
    for form in forms_of(layer, wanted):
        function, shapes = program({"layer": layer, "wanted": wanted, "form": form}, 2)
        generator = np.random.default_rng(0)
        arrays = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
        results.append(jax.jit(function)(*arrays))
    for ours, theirs in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layers", "conv 9x9"], "layer is 'conv 9x9'"),
        (["--dtype", "int8"], "dtype is 'int8'"),
        (["--repeats", "0"], "repeats is 0"),
        (["--batch-size", "0"], "batch_size is 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    assert commands.main(["ops", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert ops.Flags().batch_size == 128
