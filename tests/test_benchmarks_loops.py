"""``benchmarks loops``: its cases, one real measurement, and that both places do the same work."""

import jax
import numpy as np
import pytest

from benchmarks import commands, loops, records
from benchmarks.contenders import loops as contender
from benchmarks.contenders.loops import CONSTRUCTS, PLACES
from jaxgan.classifiers import cnn
from jaxgan.gans import dcgan

TINY = ["--features", "2", "--batch-size", "4", "--parts", "2", "--no-roof"]
QUICK = ["--rounds", "1", "--repeats", "2", "--warmup", "0"]


def test_each_construct_is_timed_in_both_places(tmp_path):
    out = tmp_path / "loops.json"
    assert commands.main(["loops", "cnn", *TINY, *QUICK, "--out", str(out)]) == 0
    rows = records.read(out).rows
    assert [(row.case.work, row.case.contender) for row in rows] == [
        (f"cnn: {construct}", place) for construct in CONSTRUCTS for place in PLACES
    ]
    assert {row.status for row in rows} == {"ok"}
    for outside, inside in zip(rows[::2], rows[1::2], strict=True):
        assert outside.figures["times_outside"] == 1
        assert inside.figures["times_outside"] == pytest.approx(inside.median / outside.median)
        assert outside.case.options == inside.case.options


def test_the_gradients_are_those_of_the_networks():
    """What a penalty cannot depend on has none; the gradient of a whole batch is the mean of its halves."""
    networks = cnn.networks(cnn.Config(image_size=(10, 10), features=2, hidden=4))
    params, inputs = contender._arguments(networks, 4, "float32")
    slope = contender.penalty_gradient(networks)(params, inputs)
    bias = slope["params"]["Dense_1"]["bias"]  # of the last layer: no gradient by the image depends on it
    np.testing.assert_allclose(bias, 0, atol=1e-7)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope)) > 0
    gradient = contender.network_gradient(networks)
    whole = gradient(params, inputs)
    halves = [gradient(params, {"network": inputs["network"][part]}) for part in (slice(2), slice(2, 4))]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *halves)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), whole, mean)


def test_both_places_find_the_same():
    networks = cnn.networks(cnn.Config(image_size=(10, 10), features=2, hidden=4))
    params, inputs = contender._arguments(networks, 4, "float32")
    parts = jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), inputs)
    for make, gradient, arrays in (
        (contender._penalty, contender.penalty_gradient(networks), inputs),
        (contender._accumulation, contender.network_gradient(networks), parts),
    ):
        outside, inside = (make(gradient, params, arrays, inside=place)() for place in (False, True))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), outside, inside)
        assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(inside)) > 0


def test_the_last_network_of_a_gan_is_the_one_that_is_penalised():
    assert list(dcgan.networks())[-1] == "discriminator"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "model is 'nothing'"),
        (["--parts", "1"], "parts is 1"),
        (["--batch-size", "6"], "batch_size is 6; it must be a multiple of 4"),
        (["--repeats", "0"], "repeats is 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    assert commands.main(["loops", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert loops.Flags().parts == 4
