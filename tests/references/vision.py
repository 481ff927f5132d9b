"""What torchvision's VGG and ResNet give for random weights: the numbers that the tests compare with.

A program for an environment of its own, with PyTorch in it, which jaxgan does not need:

    python -m venv torch && torch/bin/pip install torch torchvision
    torch/bin/python tests/references/vision.py

It takes a minute on two cores and writes next to itself `vision.json` (names and shapes of the weights and of
the outputs, and the versions) and `vision.npz` (some values of every output). The tests import the functions
below that need only NumPy, so that both sides have the same weights and images.
"""

import importlib.metadata
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent
NETWORKS = ("vgg16", "vgg19", "vgg11_bn", "resnet18", "resnet50")
PLACES = 48
SIDE = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def random_state(shapes, seed=0):
    """Draws weights, named as torchvision has them; activations keep their size through the layers."""
    generator = np.random.default_rng(seed)
    return {name: _draw(generator, name, tuple(shape)) for name, shape in shapes.items()}


def _draw(generator, name, shape):
    if name.endswith("num_batches_tracked"):
        return np.zeros((), np.int64)
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    if name.endswith("weight") and len(shape) == 1:
        return generator.uniform(0.5, 1.0, shape).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    return generator.standard_normal(shape, np.float32) * np.float32(scale)


def random_images():
    """Draws two images f32[2, H, W, 3] in [0, 1], soft and with noise, that are not square."""
    generator = np.random.default_rng(7)
    coarse = generator.uniform(size=(2, 4, 5, 3)).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
    return np.clip(coarse + 0.1 * generator.standard_normal(coarse.shape), 0, 1).astype(np.float32)


def places(number, size):
    """Draws where the values are compared that are kept of an output."""
    return np.random.default_rng(number).choice(size, min(PLACES, size), replace=False)


def _run(name):
    """Runs a network with random weights; gives the shapes of these, and of its outputs some values."""
    import torch
    import torchvision

    network = torchvision.models.get_model(name, weights=None).eval()
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict({key: torch.from_numpy(value) for key, value in random_state(shapes).items()})
    about, arrays = {}, {}

    def keep(layer):
        def hook(_module, _inputs, output):
            values = output.detach().double()
            values = (values.permute(0, 2, 3, 1) if values.ndim == 4 else values).numpy().copy()
            about[layer] = {"shape": values.shape, "mean": values.mean(), "deviation": values.std()}
            arrays[f"{name} {layer}"] = values.ravel()[places(len(about), values.size)].astype(np.float32)

        return hook

    for layer, module in network.named_modules():
        repeated = layer.startswith("layer") and layer.endswith("relu")  # one module for several places
        if layer and not repeated:
            module.register_forward_hook(keep(layer))
    images = (random_images() - np.float32(MEAN)) / np.float32(DEVIATION)
    with torch.no_grad():
        network(torch.from_numpy(images).permute(0, 3, 1, 2))
    return {"shapes": shapes, "outputs": about}, arrays


def main():
    """Writes the files."""
    found, arrays = {}, {}
    for name in NETWORKS:
        found[name], more = _run(name)
        arrays |= more
    versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision", "numpy")}
    (FOLDER / "vision.json").write_text(json.dumps({"versions": versions, "networks": found}) + "\n")
    np.savez_compressed(FOLDER / "vision.npz", **arrays)


if __name__ == "__main__":
    main()
