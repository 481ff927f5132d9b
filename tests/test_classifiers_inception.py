"""Inception against torch-fidelity's, both with the same random weights."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict
from references import inception as reference

from jaxgan import cost, folding, parallel, zoo
from jaxgan.classifiers import inception
from jaxgan.cli import main
from jaxgan.metrics import fid
from jaxgan.validation import InputError

FOLDER = Path(reference.__file__).parent
EXPECTED = json.loads((FOLDER / "inception.json").read_text())


@pytest.fixture(scope="module")
def params():
    folded = folding.fold(Path("random"), reference.random_state(EXPECTED["shapes"]))
    return unflatten_dict({name: jnp.asarray(value) for name, value in folded.items()}, sep=".")


@pytest.fixture(scope="module")
def outputs(params):
    """Every output for two images, and what `extract` finds in them."""

    def run(params, pixels):
        with jax.default_matmul_precision("highest"):
            images = inception.prepare(pixels, resize="legacy")
            every = inception.Network().apply({"params": params}, images, train=False)
        return every, inception.extract(params, pixels, resize="legacy")

    pixels = reference.random_images(1, 2, 40, 56)
    return jax.device_get(parallel.compile_function(run)(params, pixels))


@pytest.fixture(scope="module")
def arrays():
    with np.load(FOLDER / "inception.npz") as file:
        return dict(file)


def test_every_block_gives_what_torch_fidelitys_gives(outputs, arrays):
    every, _ = outputs
    blocks = {name: about for name, about in EXPECTED["blocks"].items() if name != "AvgPool"}
    assert set(blocks) == {name for name in every if every[name].ndim == 4}
    for number, (name, about) in enumerate(blocks.items(), start=1):
        found, scale = every[name], about["deviation"]
        assert list(found.shape) == about["shape"]
        values = found.ravel()[reference.places(number, found.size)]
        np.testing.assert_allclose(values, arrays[f"block {name}"], rtol=0, atol=1e-4 * scale, err_msg=name)
        moments = found.mean(dtype=np.float64), found.std(dtype=np.float64)
        np.testing.assert_allclose(moments, (about["mean"], scale), rtol=0, atol=1e-5 * scale, err_msg=name)


def test_features_and_logits_are_torch_fidelitys(outputs, arrays):
    every, extracted = outputs
    for found, name in (
        (extracted.features, "pool3"),
        (extracted.logits, "logits_unbiased"),
        (every["logits"], "logits"),
    ):
        np.testing.assert_allclose(found, arrays[name], rtol=0, atol=1e-4 * arrays[name].std())
    assert (
        np.abs(arrays["pool3"][0] - arrays["pool3"][1]).mean() > 0.1
    )  # the two images differ, so this means something


@pytest.mark.parametrize("resize", ["legacy", "clean"])
def test_grey_images_and_floats_are_the_same_to_it(resize):
    grey = reference.random_images(2, 2, 9, 7)[..., :1]
    found = inception.prepare(grey, resize=resize)
    assert found.shape == (2, 299, 299, 3)
    assert -1 <= found.min() < found.max() < 1
    for pixels in (np.repeat(grey, 3, axis=3), grey.astype(np.float32)):
        np.testing.assert_array_equal(inception.prepare(pixels, resize=resize), found)


def test_images_that_it_cannot_see_are_refused():
    with pytest.raises(InputError, match=r"\(1, 8, 8, 2\); it must be .*1 or 3"):
        inception.extract({}, jnp.zeros((1, 8, 8, 2)), resize="legacy")
    with pytest.raises(InputError, match="resize is 'area'; it must be 'legacy' or 'clean'"):
        inception.extract({}, jnp.zeros((1, 8, 8, 3)), resize="area")


def test_its_flops_are_those_of_the_published_layers():
    """Counted from the published kernels and the sides of the images that they run over."""
    network, shape = inception.networks()["network"]
    images = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    params = jax.eval_shape(lambda: network.init(jax.random.key(0), jnp.zeros((1, *shape)), train=False))
    found = cost.forward_flops(lambda params, x: network.apply(params, x, train=False), params, images)
    sides = {name: about["shape"][1] for name, about in EXPECTED["blocks"].items()}
    total = 0
    for name, size in EXPECTED["shapes"].items():
        if name.endswith("conv.weight"):
            block, _, layer = name.removesuffix(".conv.weight").partition(".")
            total += 2 * int(np.prod(size)) * _side(sides, block, layer) ** 2
    assert found == total + 2 * int(np.prod(EXPECTED["shapes"]["fc.weight"]))


def _side(sides, block, layer):
    """Inside the blocks that halve, all but the last convolution of a branch run before the halving."""
    early = {"Mixed_6a": ("branch3x3dbl_1", "branch3x3dbl_2"), "Mixed_7a": ("branch3x3_1", "branch7x7x3_1")}
    early["Mixed_7a"] += ("branch7x7x3_2", "branch7x7x3_3")
    before = {"Mixed_6a": "Mixed_5d", "Mixed_7a": "Mixed_6e"}
    return sides[before[block] if layer in early.get(block, ()) else block]


def test_it_is_listed_but_not_trained(capsys):
    assert "inception" in zoo.names()
    assert "inception" not in zoo.trainable()
    assert main(["train"]) == 2
    assert "inception" not in capsys.readouterr().out
    assert main(["train", "inception", "--steps", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "inception is not trained here" in line
    assert ", ".join(zoo.trainable()) in line
    with pytest.raises(InputError, match="not trained here"):
        zoo.get("inception").build(inception.Config())


@pytest.mark.slow
def test_the_distance_between_two_sets_is_torch_fidelitys(params):
    extract = parallel.compile_function(
        lambda params, x: inception.extract(params, x, resize="legacy").features
    )
    features = []
    for seed in (1, 2):
        images = reference.random_images(seed, reference.IMAGES, 32, 32)
        parts = np.split(images, reference.IMAGES // 10)
        features.append(np.concatenate([jax.device_get(extract(params, part)) for part in parts]))
    with pytest.warns(fid.FewSamplesWarning):
        distance = fid.from_features(*features)
    assert distance == pytest.approx(EXPECTED["fid"], rel=1e-3)
