"""``jaxgan weights NETWORK``."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgan import progress, weights
from jaxgan.validation import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """Fetches the weights of a trained network, or takes them from a file, for `jaxgan evaluate`.

    Attributes:
        network: the network: the Inception of 2015-12-05, whose features give the FID of the literature.
        source: a file that has them, as torch-fidelity or pytorch-fid publish it or this command makes it.
        download: whether to fetch them, 96 MB.
        out: the folder to write into; the user's data folder by default, where the other commands look.
        unchecked: take a file whose SHA-256 is not that of the published one; its scores are not comparable.
    """

    network: Annotated[Literal["inception"], tyro.conf.Positional]
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
            made = weights.download(folder=flags.out, watch=watch)
    else:
        expected = None if flags.unchecked else weights.INCEPTION.sha256
        made = weights.convert(flags.source, folder=flags.out, expected=expected)
    print(f"the weights of {flags.network} are in {made}")
    return 0
