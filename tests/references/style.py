"""What PyTorch gives for the loss of a style transfer and its gradient: numbers that the tests compare with.

A program for an environment of its own, with PyTorch in it, which jaxgan does not need:

    python -m venv torch && torch/bin/pip install torch torchvision
    (cd tests; ../torch/bin/python -m references.style)

It takes seconds and writes next to itself `style.json`. The weights and pictures are those of `vision.py`.
The loss is written here from its definition, with PyTorch's own operations.
"""

import importlib.metadata
import json
import pathlib

import numpy as np
from references.vision import DEVIATION, MEAN, places, random_images, random_state

FOLDER = pathlib.Path(__file__).parent
NETWORK = "vgg19"
CONTENT = ("relu3_1", "relu4_2")
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
WEIGHTS = {"content": 2.0, "style": 50.0, "variation": 3.0}
POOLINGS = ("average", "max")


def pictures():
    """Makes the picture that is changed, the content and the style, f32[1, H, W, 3] each."""
    first, second = random_images()
    return (0.6 * first + 0.4 * second)[None], first[None], second[None]


def _see(torch, layers, pooling, images):
    mean, deviation = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (MEAN, DEVIATION))
    x, found, stack, number = (images - mean) / deviation, {}, 1, 0
    for layer in layers:
        if isinstance(layer, torch.nn.MaxPool2d):
            x = torch.nn.functional.avg_pool2d(x, 2) if pooling == "average" else layer(x)
            stack, number = stack + 1, 0
        else:
            x = layer(x)
        if isinstance(layer, torch.nn.ReLU):
            number += 1
            found[f"relu{stack}_{number}"] = x
    return found


def _gram(maps):
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def _distance(found, wanted):
    return ((found - wanted) ** 2).sum() / (wanted**2).sum()


def _run(torch, layers, pooling):
    image, content, style = (torch.from_numpy(each).permute(0, 3, 1, 2).contiguous() for each in pictures())
    with torch.no_grad():
        contents, styles = (_see(torch, layers, pooling, each) for each in (content, style))
    image.requires_grad_(True)
    maps = _see(torch, layers, pooling, image)
    parts = {
        "content": sum(_distance(maps[layer], contents[layer]) for layer in CONTENT),
        "style": sum(_distance(_gram(maps[layer]), _gram(styles[layer])) for layer in STYLE) / len(STYLE),
        "variation": sum((image.diff(dim=dim) ** 2).mean() for dim in (2, 3)),
    }
    loss = sum(WEIGHTS[name] * part for name, part in parts.items())
    loss.backward()
    gradient = image.grad.permute(0, 2, 3, 1).numpy()
    return {
        "loss": float(loss.detach()),
        **{name: float(part.detach()) for name, part in parts.items()},
        "gradient_norm": float(np.linalg.norm(gradient)),
        "gradient": [float(each) for each in gradient.ravel()[places(0, gradient.size)]],
    }


def main():
    """Writes the file."""
    import torch
    import torchvision

    network = torchvision.models.get_model(NETWORK, weights=None)
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict({key: torch.from_numpy(value) for key, value in random_state(shapes).items()})
    layers = list(network.features.requires_grad_(False))
    for layer in layers:
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    found = {pooling: _run(torch, layers, pooling) for pooling in POOLINGS}
    versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision", "numpy")}
    (FOLDER / "style.json").write_text(json.dumps({"versions": versions, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
