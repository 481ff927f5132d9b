"""torch-fidelity: its FID of features and its Inception, in PyTorch, with denormals flushed."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import _metrics as given
from . import _work as work

PACKAGES = ("torch_fidelity", "torch", "numpy")
WORKS = ("fid", "inception")
FEATURES = "2048"
"""torch-fidelity's name of the features of the last pool."""


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Gets the work of a case ready and does it once; see `benchmarks.worker` for what it returns."""
    began = time.perf_counter()
    import torch

    torch.set_num_threads(work.threads(case))
    torch.set_flush_denormal(True)
    device = _device(case) if case["work"] == "inception" else "cpu"
    with torch.no_grad():
        found = {"fid": _fid, "inception": _inception}[case["work"]](case, device, began)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else work.host_peak()
    versions = work.versions("torch", "torch-fidelity", "numpy")
    return {**found, "memory": {"peak": peak}, "versions": versions}


def _device(case: Mapping[str, Any]) -> str:
    import torch

    platform = work.check_platform(case, "gpu" if torch.cuda.is_available() else "cpu")
    return "cuda" if platform == "gpu" else "cpu"


def _fid(case: Mapping[str, Any], _device: str, began: float) -> dict[str, Any]:
    import torch
    from torch_fidelity import metric_fid  # type: ignore[import-not-found,unused-ignore]

    sets = [torch.from_numpy(x) for x in given.features(case["batch_size"], case["options"]["features"])]
    phases = {"load": time.perf_counter() - began}

    def step() -> float:
        statistics = [metric_fid.fid_features_to_statistics(features) for features in sets]
        found = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
        return float(found[metric_fid.KEY_METRIC_FID])

    began = time.perf_counter()
    value = step()
    phases["first"] = time.perf_counter() - began
    return {"step": step, "phases": phases, "figures": {"fid": value}}


def _inception(case: Mapping[str, Any], device: str, began: float) -> dict[str, Any]:
    import torch

    network = _network().to(device)
    pixels = torch.from_numpy(given.pixels(case["batch_size"])).permute(0, 3, 1, 2).contiguous()
    phases = {"load": time.perf_counter() - began}

    def step() -> Any:
        with torch.no_grad():
            return network(pixels.to(device))[0].cpu().numpy()

    began = time.perf_counter()
    found = step()
    phases["first"] = time.perf_counter() - began
    given.check_features(found, case["batch_size"])
    return {"step": step, "images": case["batch_size"], "phases": phases}


def _network() -> Any:
    """Makes the extractor with random weights, through a file, since it reads them from one."""
    import numpy as np
    import torch
    from torch_fidelity import (  # type: ignore[import-not-found,unused-ignore]
        feature_extractor_inceptionv3 as extractor,
    )

    class Blank(extractor.FeatureExtractorInceptionV3):
        """Keeps the weights that it begins with, which tell the names and shapes."""

        def load_state_dict(self, *_: Any) -> None:
            """Reads nothing."""

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.pth"
        torch.save({}, file)
        state = Blank("blank", [FEATURES], feature_extractor_weights_path=file).state_dict()
        for name, value in state.items():
            if name.endswith(("conv.weight", "fc.weight")):
                drawn = given.weight(generator, value.shape, value[0].numel())
                state[name] = torch.from_numpy(drawn)
            elif name.endswith("bias"):
                state[name] = torch.from_numpy(given.weight(generator, value.shape))
        torch.save(state, file)
        return extractor.FeatureExtractorInceptionV3(
            "random", [FEATURES], feature_extractor_weights_path=file
        )
