"""What torch-fidelity's Inception gives for random weights: the numbers that the tests compare with.

A program for an environment of its own, with PyTorch in it, which jaxgan does not need:

    python -m venv torch && torch/bin/pip install torch torch-fidelity
    torch/bin/python tests/references/inception.py

It takes about ten minutes on two cores and writes next to itself `inception.json` (names and shapes of the
weights, the versions and the distance), `inception.npz` (arrays), `zip.pth` and `legacy.pth` (small files of
PyTorch). The tests import the functions below that need only NumPy, so that both sides have the same weights
and images.
"""

import collections
import importlib.metadata
import json
import pathlib
import sys
import tempfile

import numpy as np

FOLDER = pathlib.Path(__file__).parent
PLACES = 64
IMAGES = 1000
RESIZED = ((5, 7, 11, 4), (12, 9, 6, 5), (4, 4, 9, 9), (6, 5, 6, 5), (1, 3, 4, 2))
"""Heights and widths, before and after."""


def random_state(shapes, seed=0):
    """Draws weights, named as torch-fidelity has them; activations keep their size through the layers."""
    generator = np.random.default_rng(seed)
    return {name: _draw(generator, name, tuple(shape)) for name, shape in shapes.items()}


def _draw(generator, name, shape):
    if name.endswith("num_batches_tracked"):
        return np.zeros((), np.int64)
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    if name.endswith("bn.weight"):
        return generator.uniform(0.8, 1.2, shape).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    return (generator.standard_normal(shape, np.float32) * scale).astype(np.float32)


def random_images(seed, count, height, width):
    """Draws uint8 images [N, H, W, 3] of waves and noise; how fine and how bright depends on the seed."""
    generator = np.random.default_rng(seed)
    rows, columns = np.linspace(0, np.pi, height), np.linspace(0, np.pi, width)
    waves = np.arange(4 + seed)
    weights = generator.standard_normal((count, 3, len(waves), len(waves))) / (1 + waves[:, None] + waves)
    soft = np.einsum(
        "nckl,kh,lw->nhwc", weights, np.cos(np.outer(waves, rows)), np.cos(np.outer(waves, columns))
    )
    noise = generator.standard_normal(soft.shape)
    return np.clip(118 + 10 * seed + 50 * soft + 12 * noise, 0, 255).astype(np.uint8)


def places(seed, size):
    """Draws where the values are compared that are kept of an output."""
    return np.random.default_rng(seed).choice(size, PLACES, replace=False)


def _network(folder, shapes):
    """Makes torch-fidelity's extractor with random weights, and notes the shapes of what it has."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Random(FeatureExtractorInceptionV3):
        def load_state_dict(self, _):
            shapes.update((name, list(value.shape)) for name, value in self.state_dict().items())
            state = {name: torch.from_numpy(value) for name, value in random_state(shapes).items()}
            return super().load_state_dict(state)

    torch.save({}, folder / "none.pth")
    outputs = ["2048", "logits_unbiased", "logits"]
    return Random("random", outputs, feature_extractor_weights_path=folder / "none.pth")


def _blocks(network):
    """Runs two images and keeps of every block's output some numbers and some values."""
    import torch

    kept, arrays = {}, {}

    def keep(name):
        def hook(_module, _inputs, output):
            values = output.permute(0, 2, 3, 1).double().numpy()
            kept[name] = {"shape": values.shape, "mean": values.mean(), "deviation": values.std()}
            arrays[f"block {name}"] = values.ravel()[places(len(kept), values.size)].astype(np.float32)

        return hook

    children = [(name, child) for name, child in network.named_children() if name != "fc"]
    handles = [child.register_forward_hook(keep(name)) for name, child in children]
    images = torch.from_numpy(random_images(1, 2, 40, 56)).permute(0, 3, 1, 2)
    found = network(images)
    for handle in handles:
        handle.remove()
    for name, values in zip(("pool3", "logits_unbiased", "logits"), found, strict=True):
        arrays[name] = values.numpy()
    return kept, arrays


def _resized():
    import torch
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    arrays = {}
    for height, width, *size in RESIZED:
        images = torch.from_numpy(random_images(0, 2, height, width)).permute(0, 3, 1, 2).float()
        found = interpolate_bilinear_2d_like_tensorflow1x(images, size=size, align_corners=False)
        arrays[f"legacy {height}x{width}"] = found.permute(0, 2, 3, 1).numpy()
    return arrays


def _distance(network):
    """The FID between two sets of small images, by torch-fidelity's own functions."""
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = []
    for seed in (1, 2):
        images = torch.from_numpy(random_images(seed, IMAGES, 32, 32)).permute(0, 3, 1, 2)
        features = torch.cat([network(part)[0] for part in images.split(8)])
        statistics.append(fid_features_to_statistics(features))
        print(f"{IMAGES} images", file=sys.stderr)
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


def _small_files():
    """Writes tensors of many kinds in both formats of PyTorch, and gives what they hold."""
    import torch

    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = collections.OrderedDict(
        whole=whole,
        transposed=whole.T,
        inner=whole[1:3, 1::2],  # of the same storage, at an offset, with gaps
        parameter=torch.nn.Parameter(torch.linspace(0, 1, 5)),
        half=torch.linspace(-2, 2, 7).half(),
        double=torch.linspace(-2, 2, 3).double(),
        count=torch.tensor(7),
        nothing=torch.zeros(0, 3),
    )
    tensors._metadata = collections.OrderedDict(version=1)  # as every state_dict has
    torch.save(tensors, FOLDER / "zip.pth")
    torch.save(tensors, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    return {f"tensor {name}": value.detach().numpy() for name, value in tensors.items()}


def main():
    """Writes the files."""
    import torch

    torch.set_num_threads(2)
    shapes = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        network = _network(pathlib.Path(folder), shapes)
        blocks, arrays = _blocks(network)
        arrays |= _resized() | _small_files()
        versions = {name: importlib.metadata.version(name) for name in ("torch", "torch-fidelity", "numpy")}
        found = {"versions": versions, "fid": _distance(network), "blocks": blocks, "shapes": shapes}
    np.savez_compressed(FOLDER / "inception.npz", **arrays)
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    (FOLDER / "inception.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
