"""The names and the order under which torchvision and timm keep weights."""

from pathlib import Path

import numpy as np
import pytest

from jaxgan import foreign, published
from jaxgan.classifiers import resnet, vgg
from jaxgan.validation import InputError

SOURCE = Path("weights.pth")
VGG = vgg.Config(depth=11, head="dense", batch_norm=True, features=2, hidden=3, num_classes=4)
RESNET = resnet.Config(depth=50, features=4, num_classes=4, stem="imagenet")


def theirs(shapes):
    """Tensors of these shapes, each of which holds numbers of its own."""
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def of_vgg(names=("classifier.0", "classifier.3", "classifier.6"), *, convolutional=False):
    shapes, channels, place = {}, 3, 0
    for stack, count in enumerate(vgg.STACKS[11]):
        features = 2 * min(2**stack, 8)
        for _ in range(count):
            shapes[f"features.{place}.weight"] = (features, channels, 3, 3)
            shapes[f"features.{place}.bias"] = (features,)
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"features.{place + 1}.{leaf}"] = (features,)
            shapes[f"features.{place + 1}.num_batches_tracked"] = ()
            channels, place = features, place + 3
        place += 1
    for number, (name, out, into) in enumerate(zip(names, (3, 3, 4), (16 * 49, 3, 3), strict=True)):
        side = 7 if number == 0 else 1
        four = convolutional and number < 2
        shapes[f"{name}.weight"] = (out, into // side**2, side, side) if four else (out, into)
        shapes[f"{name}.bias"] = (out,)
    return theirs(shapes)


def test_the_arrays_of_a_vgg_are_put_in_our_order():
    tensors = of_vgg()
    found = foreign.convert(VGG, SOURCE, tensors)
    assert {name: value.shape for name, value in found.items()} == foreign.shapes_of(VGG)
    kernel = tensors["features.4.weight"]
    assert found["params.conv2_1.kernel"][1, 2, 0, 3] == kernel[3, 0, 1, 2]
    np.testing.assert_array_equal(found["batch_stats.bn2_1.variance"], tensors["features.5.running_var"])
    maps = np.random.default_rng(1).normal(size=(7, 7, 16)).astype(np.float32)
    expected = tensors["classifier.0.weight"] @ maps.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(maps.ravel() @ found["params.fc6.kernel"], expected, rtol=1e-4)


def test_timms_names_give_the_same():
    timm = of_vgg(("pre_logits.fc1", "pre_logits.fc2", "head.fc"), convolutional=True)
    torchvision = of_vgg()
    for name, value in foreign.convert(VGG, SOURCE, timm).items():
        np.testing.assert_array_equal(value, foreign.convert(VGG, SOURCE, torchvision)[name])


def test_every_array_of_a_resnet_has_one_name():
    shapes = foreign.shapes_of(RESNET)
    names = {}
    for path, shape in shapes.items():
        _, _, rest = path.partition(".")
        layer, _, leaf = rest.rpartition(".")
        (name,) = foreign.resnet_layer(layer)
        turned = shape[::-1] if len(shape) < 4 else (*shape[:1:-1], *shape[:2])
        names[f"{name}.{foreign.LEAVES[leaf]}"] = turned
    assert len(names) == len(shapes)
    known = {"layer1.0.downsample.0.weight", "layer4.2.conv3.weight", "bn1.running_mean", "fc.bias"}
    assert known <= set(names)
    found = foreign.convert(RESNET, SOURCE, theirs(names))
    assert {name: value.shape for name, value in found.items()} == shapes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features.0.weight": None}, "weights.pth has no features.0.weight, which this network needs"),
        ({"classifier.0.bias": None}, "has no classifier.0.bias or pre_logits.fc1.bias, which"),
        ({"features.99.weight": np.ones(1)}, "has features.99.weight, which this network lacks"),
        ({"features.0.weight": np.ones((2, 1, 3, 3))}, r"is float64 of shape \[2, 1, 3, 3\]; it must be"),
        ({"features.0.bias": np.ones(2, int)}, "features.0.bias in weights.pth is int64 of shape"),
    ],
)
def test_the_weights_of_another_network_are_refused(change, words):
    tensors = {name: value for name, value in (of_vgg() | change).items() if value is not None}
    with pytest.raises(InputError, match=words):
        foreign.convert(VGG, SOURCE, tensors)


@pytest.mark.parametrize("name", published.NAMES)
def test_every_published_network_has_an_address_that_names_its_digest(name):
    network = published.get(name)
    assert all(network.published.sha256[:8] in url for url in network.published.urls)
    assert network.kept.startswith(name)


def test_an_unknown_network_is_named_with_the_known_ones():
    with pytest.raises(InputError, match="the weights is 'vgg17'; it must be one of inception, vgg11"):
        published.get("vgg17")
