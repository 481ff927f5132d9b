"""``jaxgan weights NETWORK``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan import progress, weights
from jaxgan.validation import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Fetches the weights of a trained network, or takes them from a file, for `jaxgan evaluate`.

    Attributes:
        network: inception, whose features give the FID of the literature (96 MB), or one that torchvision has
            trained on ImageNet: vgg11, vgg13, vgg16, vgg19 (about 550 MB), each also with _bn at its end,
            resnet18 (47 MB), resnet34, resnet50, resnet101 or resnet152.
        source: a file that has them, as torch-fidelity, pytorch-fid, torchvision or timm publish it, or as
            this command makes it.
        download: whether to fetch them.
        out: the folder to write into; the user's data folder by default, where the other commands look.
        unchecked: take a file whose SHA-256 is not that of the published one, such as timm's; scores by such
            an Inception are not comparable.
    """

    network: Annotated[str, tyro.conf.Positional]
    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FILE")] = None
    download: bool = False
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    unchecked: bool = False


def run(arguments: list[str]) -> int:
    """Fetches or converts."""
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan weights", config=(tyro.conf.FlagCreatePairsOff,))
    if (flags.source is None) != flags.download:
        raise InputError("where the weights come from: give either --download or --from FILE")
    if flags.source is None:
        if flags.unchecked:
            raise InputError("--unchecked is for --from FILE; what is downloaded is always checked")
        with progress.counter() as watch:
            made = weights.download(flags.network, folder=flags.out, watch=watch)
    else:
        made = weights.convert(flags.network, flags.source, folder=flags.out, unchecked=flags.unchecked)
    print(f"the weights of {flags.network} are in {made}")
    return 0
