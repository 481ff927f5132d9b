"""``jaxgan explain RUN [IMAGE ...] --method METHOD``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan import explain, runs
from jaxgan.cli.sample import parse_seeds

DESCRIPTION = """Draws what the networks of a trained model see, as a PNG file.

Methods, of which the first four may stand side by side, with commas between them:
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """See `DESCRIPTION`.

    Attributes:
        run: the folder that `jaxgan train` made.
        images: image files to look at; without any, some of the run's test images, and for a GAN some that
            it draws.
        method: what is shown, see above; saliency,smoothgrad,integrated,gradcam by default.
        layer: the layer of gradcam, features, filters, maximize, neighbors or generator; --method layers
            lists them. By default one that suits, or several.
        network: whose features or filters, by the names of --method layers: one of a translator's networks,
            by default the one that translates from A to B, or of a GAN's, by default the discriminator.
        label: the class whose score is explained or raised, the predicted one by default; for a GAN with
            classes, the class of the images.
        count: how many test images, instead of those that suit the method.
        seeds: the seeds of the images that a GAN draws, such as 7 or 0-3.
        out: the PNG file; RUN/explain-METHOD.png by default.
    """

    run: Annotated[Path, tyro.conf.Positional]
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    method: str = ",".join(explain.ATTRIBUTIONS)
    layer: str | None = None
    network: str | None = None
    label: Annotated[int | None, tyro.conf.arg(aliases=("--class",))] = None
    count: int | None = None
    seeds: str | None = None
    out: Path | None = None


def run(arguments: list[str]) -> int:
    """Draws a picture, or lists layers."""
    methods = "\n".join(f"- {name}: {method.shows}" for name, method in explain.METHODS.items())
    flags = tyro.cli(Flags, args=arguments, prog="jaxgan explain", description=DESCRIPTION + methods)
    request = explain.Request(
        methods=tuple(flags.method.split(",")),
        images=flags.images,
        count=flags.count,
        seeds=None if flags.seeds is None else parse_seeds(flags.seeds),
        layer=flags.layer,
        label=flags.label,
        network=flags.network,
    )
    opened = runs.open_run(flags.run)
    if request.methods == ("layers",):
        return _list_layers(opened, request)
    name = "-".join(request.methods) if len(request.methods) < len(explain.ATTRIBUTIONS) else "attributions"
    out = flags.out or opened.folder.path / f"explain-{name}.png"
    step, lines = explain.explain(opened, request, out, print)
    print(f"{opened.model.name} after {step} steps:")
    print("\n".join(f"  {line}" for line in lines))
    print(f"the picture is {out}")
    return 0


def _list_layers(opened: runs.Run, request: explain.Request) -> int:
    for network, layers in explain.list_layers(opened, request).items():
        print(f"{network}:")
        width = max(map(len, layers))
        for name, shape in layers.items():
            print(f"  {name:<{width}}  {' x '.join(map(str, shape))}")
    return 0
