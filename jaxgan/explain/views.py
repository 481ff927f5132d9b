"""From a request to a picture: everything is checked first, then worked out, drawn and written."""

from collections.abc import Callable
from pathlib import Path

from jaxgan import pictures, runs
from jaxgan.explain import attributions, channels, nearest
from jaxgan.explain.players import open_players
from jaxgan.explain.request import ATTRIBUTIONS, Request, check
from jaxgan.explain.scene import Scene
from jaxgan.explain.subjects import from_files
from jaxgan.files import check_writable
from jaxgan.validation import require

VIEWS: dict[str, Callable[[Scene], list[str]]] = {
    **dict.fromkeys(ATTRIBUTIONS, attributions.draw),
    "features": channels.features,
    "filters": channels.filters,
    "maximize": channels.maximize,
    "neighbors": nearest.draw,
    "generator": channels.generator,
}
"""How each method is drawn; each gives a line for each thing that it shows."""


def explain(run: runs.Run, request: Request, out: Path, say: Callable[[str], None]) -> tuple[int, list[str]]:
    """Draws what the networks of a run see.

    Args:
        run: the run; its newest state is taken.
        request: what is wanted; for its layers see `list_layers`.
        out: the PNG file.
        say: gets a sentence for each checkpoint that cannot be read.

    Returns:
        The step of the state, and a line for each thing that is shown.

    Raises:
        InputError: what is wanted does not suit the run, an image cannot be used, there is no state, or the
            file cannot be written.
    """
    method = request.methods[0]
    require(method in VIEWS, "the method of a picture", method, "one of " + ", ".join(VIEWS))
    name = check(request, run, open_players(run))
    require(out.suffix == ".png", "--out", str(out), "a file that ends in .png")
    files = from_files(run, request)
    with pictures.writing(out):
        check_writable(out)
    step, state = runs.restore(run, say)
    scene = Scene(run, request, open_players(run, state)[name], step, state, files, out)
    with pictures.writing(out):
        lines = VIEWS[method](scene)
    return step, lines


def list_layers(run: runs.Run, request: Request) -> dict[str, dict[str, tuple[int, ...]]]:
    """Names the layers of the networks of a run.

    Returns:
        For each network its layers in their order, with the shape of what they give for one image or latent.

    Raises:
        InputError: something is chosen that means nothing here.
    """
    players = open_players(run)
    check(request, run, players)
    return {
        name: {layer: shape[1:] for layer, shape in player.layers.items()} for name, player in players.items()
    }
