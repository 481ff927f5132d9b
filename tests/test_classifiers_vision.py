"""VGG and ResNet against torchvision's, both with the same random weights."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict
from references import vision as reference

from jaxgan import foreign, interpret, parallel, published, settings, zoo
from jaxgan.classifiers import resnet, vgg
from jaxgan.steps.state import parameter_count
from jaxgan.validation import InputError

FOLDER = Path(reference.__file__).parent
FAST = "resnet18"
SLOW = [name for name in reference.NETWORKS if name != FAST]
EXPECTED = json.loads((FOLDER / "vision.json").read_text())["networks"]


def configuration(name):
    return vgg if name.startswith("vgg") else resnet, published.configuration(name)


@functools.cache
def arrays():
    with np.load(FOLDER / "vision.npz") as file:
        return dict(file)


def ours(name, layer):
    """The name of one of torchvision's layers here; None where it is none of ours."""
    if name.startswith("resnet"):
        parts = layer.split(".")
        block = "_".join(parts[:2]) if layer.startswith("layer") and len(parts) > 1 else ""
        rest = {"downsample.0": "downsample_conv", "downsample.1": "downsample_bn"}
        inside = ".".join(parts[2:])
        if not block:
            return layer if layer in ("conv1", "bn1", "relu", "maxpool", "fc") else None
        return ".".join(filter(None, (block, rest.get(inside, inside)))) if inside != "downsample" else None
    return _of_vgg(name).get(layer)


@functools.cache
def _of_vgg(name):
    _, config = configuration(name)
    layers = {theirs[0]: layer for layer, theirs in foreign.vgg_layers(config).items()}
    for theirs, layer in list(layers.items()):
        kind, _, place = theirs.partition(".")
        follows = "bn" if config.batch_norm else "conv"
        if layer.startswith(follows):
            layers[f"{kind}.{int(place) + 1}"] = f"relu{layer.removeprefix(follows)}"
    pools = [at + 1 for at in range(60) if f"features.{at}" in layers and f"features.{at + 1}" not in layers]
    layers |= {f"features.{at}": f"pool{number}" for number, at in enumerate(pools, start=1)}
    return layers | {"classifier.1": "relu6", "classifier.4": "relu7"}


@pytest.mark.parametrize("name", [FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_every_layer_gives_what_torchvisions_gives(name):
    module, config = configuration(name)
    expected = EXPECTED[name]
    flat = foreign.convert(config, Path(name), reference.random_state(expected["shapes"]))
    variables = unflatten_dict(flat, sep=".")

    def run(variables, images):
        with jax.default_matmul_precision("highest"):
            return interpret.activations(module.Network(config), variables, images)

    found = jax.device_get(parallel.compile_function(run)(variables, reference.random_images()))
    compared = set()
    for number, (layer, about) in enumerate(expected["outputs"].items(), start=1):
        if ours(name, layer) is None:
            continue
        output, scale = found[ours(name, layer)], about["deviation"]
        compared.add(ours(name, layer))
        assert list(output.shape) == about["shape"], layer
        values = output.ravel()[reference.places(number, output.size)]
        wanted = arrays()[f"{name} {layer}"]
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-4 * scale, err_msg=layer)
    unlike = {"avgpool", "grid", "drop6", "drop7"}
    inside = {layer for layer in found if ".relu" in layer}  # of which torchvision's blocks have one for all
    assert set(found) - compared <= unlike | inside


@pytest.mark.parametrize("name", ["vgg16", "resnet18"])
def test_a_network_stops_where_it_is_told_to_and_needs_no_more_weights(name):
    module, config = configuration(name)
    network = module.Network(dataclasses.replace(config, features=2))
    images = jnp.zeros((1, 33, 40, 3))
    until = {"vgg16": "relu2_1", "resnet18": "layer2_0"}[name]
    variables = network.init(jax.random.key(0), images, train=False, until=until)
    found = interpret.activations(network, variables, images, until=until)
    assert list(found)[-1].startswith(until)
    assert found[until].shape[0] == 1
    assert not {"fc8", "fc", "conv5_1", "layer4_1"} & set(variables["params"])
    with pytest.raises(ValueError, match=r"has no (layer|block) 'relu9_9'"):
        jax.eval_shape(lambda: network.init(jax.random.key(0), images, train=False, until="relu9_9"))


def test_the_parameters_are_as_many_as_published():
    counts = {"vgg16": 138_357_544, "vgg19": 143_667_240, "resnet18": 11_689_512, "resnet50": 25_557_032}
    for name, count in counts.items():
        module, config = configuration(name)
        assert _count(module, config) == count
    thin = resnet.Config(depth=20, shortcut="zeros", features=16)
    assert _count(resnet, thin) == 269_722


def _count(module, config):
    network, shape = module.networks(config)["network"]
    init = functools.partial(network.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, *shape)))
    return parameter_count(variables["params"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: vgg.Config(depth=12), "depth is 12; it must be one of 11, 13, 16, 19"),
        (lambda: vgg.Config(pooling="min"), "pooling is 'min'; it must be one of max, average"),
        (lambda: vgg.Config(head="long"), "head is 'long'; it must be one of dense, mean"),
        (
            lambda: vgg.Config(standardize=True, channels=1),
            "standardize is True; it must be False for images",
        ),
        (lambda: vgg.Config(label_smoothing=1.0), "label_smoothing is 1.0"),
        (
            lambda: resnet.Config(depth=19),
            "depth is 19; it must be one of 18, 20, 32, 34, 44, 50, 56, 101, 152",
        ),
        (lambda: resnet.Config(stem="tiny"), "stem is 'tiny'; it must be one of imagenet, small"),
        (lambda: resnet.Config(shortcut="none"), "shortcut is 'none'; it must be one of projection, zeros"),
        (lambda: resnet.Config(image_size=(4, 32)), "image_size is"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(InputError) as raised:
        make()
    assert words in str(raised.value)


def test_a_preset_is_a_model_by_its_own_name():
    model = zoo.get("resnet20")
    assert (model.name, settings.defaults(model).preset) == ("resnet", "resnet20")
    assert settings.defaults(model).model.depth == 20
    assert settings.defaults(zoo.get("resnet")).model.depth == 18
    assert settings.defaults(zoo.get("vgg11")).model == vgg.VGG11.config
    for name in ("resnet21", "dcgan2"):
        with pytest.raises(InputError, match=f"model is '{name}'"):
            zoo.get(name)
