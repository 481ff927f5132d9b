"""Feature extractors: what they see, how they are kept, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import data, extractors, parallel
from jaxgan.classifiers import cnn
from jaxgan.validation import InputError

STEPS = 60


@pytest.fixture(scope="module")
def digits():
    return {split: data.load("digits", split, image_size=(12, 12), channels=1) for split in ("train", "test")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(extractors, "STEPS", STEPS)


@pytest.fixture
def classifier(digits, folder, few_steps):
    del few_steps
    return extractors.classifier(digits["train"], digits["test"], folder=folder)


def see(extractor, pixels):
    return jax.device_get(parallel.compile_function(extractor.extract)(extractor.variables, pixels))


def test_the_classifier_is_trained_once_and_then_found(classifier, digits, folder):
    steps = []
    again = extractors.classifier(
        digits["train"], digits["test"], folder=folder, watch=lambda *call: steps.append(call)
    )
    assert not steps
    assert again.protocol == classifier.protocol
    assert len(classifier.protocol["extractor_sha256"]) == 64
    assert 0.3 < classifier.protocol["extractor_accuracy"] <= 1
    assert classifier.name == "digits_cnn"


@pytest.mark.usefixtures("few_steps")
def test_a_damaged_classifier_is_trained_again_to_the_same_weights(classifier, digits, folder, tmp_path):
    (file,) = (folder / "classifiers").iterdir()
    damaged = tmp_path / "classifiers" / file.name
    damaged.parent.mkdir()
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    damaged.write_bytes(content)
    steps = []
    again = extractors.classifier(digits["train"], folder=tmp_path, watch=lambda *call: steps.append(call))
    assert len(steps) == STEPS
    assert again.protocol["extractor_sha256"] == classifier.protocol["extractor_sha256"]
    assert again.protocol["extractor_accuracy"] is None


def test_features_are_the_inputs_of_the_last_layer(classifier, digits):
    pixels = digits["test"].read(np.arange(5))["image"]
    features, logits = see(classifier, pixels)
    assert features.shape == (5, 128)
    last = classifier.variables["Dense_1"]
    np.testing.assert_allclose(features @ last["kernel"] + last["bias"], logits, rtol=1e-4, atol=1e-5)
    network = cnn.Network(cnn.Config(image_size=(12, 12)))
    wanted = network.apply({"params": classifier.variables}, jnp.float32(pixels) / 255, train=False)
    np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)


def test_stacks_are_seen_channel_by_channel(classifier, folder):
    stacks = data.load("stacked:digits", image_size=(12, 12), channels=3)
    extractor = extractors.classifier(stacks, folder=folder)
    assert extractor.name == "stacked_digits_cnn"
    assert extractor.protocol["extractor_sha256"] == classifier.protocol["extractor_sha256"]
    pixels = stacks.read(np.arange(4))["image"]
    features, logits = see(extractor, pixels)
    parts = [see(classifier, pixels[..., channel : channel + 1]) for channel in range(3)]
    np.testing.assert_allclose(features, np.concatenate([part.features for part in parts], 1), rtol=1e-4)
    classes = [part.logits.argmax(1) for part in parts]
    np.testing.assert_array_equal(logits.argmax(1), 100 * classes[0] + 10 * classes[1] + classes[2])
    shares = [jax.nn.softmax(part.logits) for part in parts]
    wanted = np.einsum("na,nb,nc->nabc", *shares).reshape(4, 1000)
    np.testing.assert_allclose(jax.nn.softmax(logits), wanted, rtol=1e-4, atol=1e-7)


def test_images_without_labels_and_tiny_ones_are_refused(digits, tmp_path):
    np.savez(tmp_path / "faces.npz", images=np.zeros((20, 12, 12), np.uint8))
    unlabelled = data.load(f"npz:{tmp_path / 'faces.npz'}", image_size=(12, 12), channels=1)
    with pytest.raises(
        InputError,
        match="has no labels; the cnn extractor learns from images with labels: choose the inception",
    ):
        extractors.classifier(unlabelled)
    tiny = data.load("digits", image_size=(8, 8), channels=1)
    with pytest.raises(
        InputError, match=r"the cnn extractor cannot see these images: image_size is \(8, 8\)"
    ):
        extractors.classifier(tiny)
    del digits


def test_inception_without_weights_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(InputError, match="jaxgan weights inception"):
        extractors.inception_2015()
    with pytest.raises(InputError, match="resize is 'bicubic'; it must be 'legacy' or 'clean'"):
        extractors.inception_2015("bicubic")
