"""``benchmarks sweep``: its cases, one real measurement, and that both ways do the same work."""

import jax
import numpy as np
import pytest

from benchmarks import commands, records
from benchmarks.contenders import sweeps as contender
from jaxgan.classifiers import cnn


def test_members_are_timed_together_and_apart(tmp_path):
    out = tmp_path / "sweep.json"
    tiny = ["--features", "2", "--batch-size", "4", "--members", "2", "--no-roof"]
    quick = ["--rounds", "1", "--repeats", "2", "--warmup", "0"]
    assert commands.main(["sweep", "cnn", *tiny, *quick, "--out", str(out)]) == 0
    apart, together = records.read(out).rows
    assert (apart.case.contender, together.case.contender) == ("apart", "together")
    assert apart.case.options == together.case.options == {"features": 2, "members": 2}
    assert (apart.status, together.status) == ("ok", "ok")
    assert apart.images == together.images == 8
    assert together.figures["times_apart"] == pytest.approx(together.median / apart.median)
    assert apart.figures["all_started"] == 2 * apart.figures["cold_start"]
    assert together.figures["all_started"] == together.figures["cold_start"]


def test_both_ways_do_the_same_work():
    config = cnn.Config(image_size=(10, 10), features=2, hidden=4)
    batch = contender._batch(config, 3, 4)
    ways = [make(cnn.build(config), batch, 3) for make in (contender.apart, contender.together)]
    for _ in range(3):
        apart, together = (step() for step in ways)
        assert apart["loss"].shape == (3,)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), apart, together)
    assert len(set(np.asarray(apart["loss"]).tolist())) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "model is 'nothing'"),
        (["--members", "1"], "members is 1; it must be >= 2"),
        (["--batch-size", "0"], "batch_size is 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    assert commands.main(["sweep", *arguments]) == 2
    assert message in capsys.readouterr().err
