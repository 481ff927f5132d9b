"""From a request to a picture: everything is checked first, then worked out, drawn and written."""

from collections.abc import Callable
from pathlib import Path

from jaxgan import runs
from jaxgan.explain import attributions, channels, nearest
from jaxgan.explain.players import open_players
from jaxgan.explain.request import ATTRIBUTIONS, METHODS, Request, check
from jaxgan.explain.scene import Scene
from jaxgan.explain.subjects import from_files
from jaxgan.files import check_writable
from jaxgan.validation import InputError, require

VIEWS: dict[str, Callable[[Scene], list[str]]] = {
    **dict.fromkeys(ATTRIBUTIONS, attributions.draw),
    "features": channels.features,
    "filters": channels.filters,
    "maximize": channels.maximize,
    "neighbors": nearest.draw,
    "generator": channels.generator,
}
ONE = {"features": "images", "generator": "seeds"}
"""What there may be one of."""


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
    check(request, run, open_players(run))
    for method in request.methods:
        if thing := ONE.get(method):
            given = len(request.images) + (request.count or 0) if thing == "images" else _count(request.seeds)
            require(given <= 1, f"the number of {thing}", given, f"1 for {method}")
    require(out.suffix == ".png", "--out", str(out), "a file that ends in .png")
    files = from_files(run, request)
    _write(out, lambda: check_writable(out))
    step, state = runs.restore(run, say)
    players = open_players(run, state)
    player = players[METHODS[request.methods[0]].player or next(reversed(players))]
    scene = Scene(run, request, player, step, state, files, out)
    lines: list[str] = []
    _write(out, lambda: lines.extend(VIEWS[request.methods[0]](scene)))
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


def _write(out: Path, work: Callable[[], None]) -> None:
    try:
        work()
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror or error}") from None


def _count(seeds: object) -> int:
    return 0 if seeds is None else len(seeds)  # type: ignore[arg-type]
