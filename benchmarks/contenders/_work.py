"""The work that every peer must do, in numbers; what does not depend on a framework.

The networks are those of `jaxgan.gans.dcgan` and `jaxgan.classifiers.cnn` with their default settings. One
update of the DCGAN draws latents, makes fakes of them once, judges real and fake images once each, takes the
gradient of both players at that point (non-saturating losses) and moves both with Adam. A step of a style
transfer moves the pixels of one picture with Adam, along the gradient of the loss of `jaxgan.style.gatys`
through the paper's VGG-19 with averages and random weights. The peers must run where jaxgan is not installed,
so the numbers stand here again; a test compares them with jaxgan's.
"""

import importlib.metadata
import math
import os
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

LATENT_SIZE = 100
KERNEL = 4
SLOPE = 0.3
DROPOUT = 0.3
BN_MOMENTUM = 0.99
BN_EPSILON = 1e-3
GAN_ADAM = {"learning_rate": 2e-4, "b1": 0.5, "b2": 0.999, "eps": 1e-7}

CLASSES = 10
CNN_FEATURES = (32, 64)
CNN_HIDDEN = 128
CNN_ADAM = {"learning_rate": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-7}
CNN_PARAMETERS = 225_034

IMAGE_SHAPE = (28, 28, 1)

VGG_DEPTH = 19
VGG_STACKS = (2, 2, 4, 4, 4)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONTENT_LAYERS = ("relu3_1",)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 1.0, 60.0, 1.0
GATYS_ADAM = {"learning_rate": 0.02, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
PICTURE_SHAPE = (256, 384, 3)


class Sizes(NamedTuple):
    """The widths of the DCGAN, and the parameters that they make.

    Attributes:
        features: the channels next to the image.
    """

    features: int

    @property
    def stem(self) -> tuple[int, int, int]:
        """(H, W, C) of what the generator's dense layer makes."""
        return (7, 7, 4 * self.features)

    @property
    def generator_parameters(self) -> int:
        """What the generator trains: kernels without biases, and two numbers a channel of each norm.

        >>> Sizes(64).generator_parameters
        1936256
        """
        near, middle, far = self.features, 2 * self.features, 4 * self.features
        dense = math.prod(self.stem)
        kernels = LATENT_SIZE * dense + KERNEL**2 * (far * middle + middle * near + near)
        return kernels + 2 * (dense + middle + near)

    @property
    def discriminator_parameters(self) -> int:
        """What the discriminator trains: kernels and biases.

        >>> Sizes(64).discriminator_parameters
        138561
        """
        near, far = self.features, 2 * self.features
        return KERNEL**2 * (near + near * far) + near + far + 7 * 7 * far + 1


def sizes(case: Mapping[str, Any]) -> Sizes:
    """Reads the widths of the DCGAN from a case: those of the paper's networks unless it says otherwise."""
    return Sizes(features(case))


def features(case: Mapping[str, Any]) -> int:
    """Reads the width of a network next to the image: the papers' 64 unless a case says otherwise."""
    return int(case["options"].get("features") or 64)


def check_parameters(found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Refuses networks of another size.

    >>> check_parameters({"network": 3}, {"network": 4})
    Traceback (most recent call last):
    ...
    ValueError: the network has 3 parameters; the work asks for 4
    """
    for name, count in expected.items():
        if found[name] != count:
            raise ValueError(f"the {name} has {found[name]:,} parameters; the work asks for {count:,}")


def threads(case: Mapping[str, Any]) -> int:
    """Gives the threads that a framework may have: those of the case, or one for each core there is."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(case["options"].get("threads") or there or 1)


def check_platform(case: Mapping[str, Any], available: str) -> str:
    """Gives the platform that the case asks for: ``"cpu"`` if it names none.

    Raises:
        NotImplementedError: the contender has another one here; its times would say nothing.
    """
    wanted = str(case["options"].get("platform") or "cpu")
    if wanted != available:
        raise NotImplementedError(f"{case['contender']} can run on {available} here, not on {wanted}")
    return wanted


def versions(*packages: str) -> dict[str, str]:
    """Finds the versions of installed packages."""
    return {name: importlib.metadata.version(name) for name in packages}


def host_peak() -> int:
    """Finds the most memory that this process has had, in bytes.

    On Linux `resource` would begin with what the parent process had, so the kernel's own count is read.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def batch(work: str, count: int) -> dict[str, Any]:
    """Makes synthetic images f32[N, 28, 28, 1], and labels int32[N] for the classifier."""
    import numpy as np

    random = np.random.default_rng(0)
    images = random.random((count, *IMAGE_SHAPE), dtype=np.float32)
    if work == "dcgan":
        return {"image": 2 * images - 1}
    return {"image": images, "label": random.integers(CLASSES, size=count, dtype=np.int32)}


def pictures() -> tuple[Any, Any]:
    """Makes a synthetic content and style, f32[1, H, W, 3] in [0, 1] each."""
    import numpy as np

    first, second = np.random.default_rng(0).random((2, 1, *PICTURE_SHAPE), dtype=np.float32)
    return first, second
