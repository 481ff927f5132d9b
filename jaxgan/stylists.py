"""Stylists of a run at work: with trained weights, on held-out contents and styles, and in grids."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from jaxgan import data, parallel, run_scores, translation, weights
from jaxgan.loop import Drawing
from jaxgan.settings import Settings, read_data
from jaxgan.steps import Built, Stylist, StylistState
from jaxgan.style import colors, encoders
from jaxgan.translation import Measure
from jaxgan.typing import Array, PyTree

BATCH = 20
"""Pictures drawn and seen together: as maps they are large."""


def with_weights(built: Built, config: Any) -> Built:
    """Gives a stylist the encoder that its settings name, where its weights are those of others.

    Args:
        built: what a module of the zoo builds; what is no stylist stays.
        config: its settings.

    Returns:
        The same, whose ``init`` puts these weights into the state; random ones come with the stylist.

    Raises:
        InputError: they are not there.
    """
    if not isinstance(built, Stylist) or config.weights == encoders.RANDOM:
        return built
    variables, _ = weights.load(config.weights)
    own = encoders.cut(variables, config.vgg, config.layers[-1])
    plain = built.init

    def init(key: Array) -> StylistState:
        return dataclasses.replace(plain(key), encoder=own)

    return built._replace(init=init)


def prepare(stylist: Stylist, settings: Settings, *, test: data.Dataset | None = None) -> Measure:
    """Puts together what scores a stylist, by held-out contents and styles of its run.

    The scores are the losses of what it draws, and those of three other pictures: of the content itself
    (``_unchanged``), of the content with the mean and covariance of the style's colours (``_recolored``), and
    of what it draws without any style (``_copied``), which shows what its decoder loses.

    Args:
        stylist: what the model of the run builds.
        settings: its settings; at most ``scoring.samples`` pairs are looked at.
        test: the held-out images, if they are read already.

    Raises:
        InputError: there are no held-out images.
    """
    test = read_data(settings, "test") if test is None else test
    used = min(settings.scoring.samples, len(test))

    def score(state: PyTree, _: str, arrays: dict[str, Array]) -> dict[str, Array]:
        contents, styles = arrays["image"], arrays["target"]
        drawn = {
            "": stylist.stylize(state, contents, [styles]),
            "_unchanged": contents,
            "_recolored": colors.match(contents, styles),
            "_copied": stylist.stylize(state, contents, [styles], strength=0.0),
        }
        return {
            name + end: losses
            for end, images in drawn.items()
            for name, losses in stylist.measure(state, images, arrays).items()
        }

    return Measure(
        sources={"stylize": test},
        score=parallel.compile_function(score, static_argnums=(1,)),
        used=used,
        value_range=settings.model.value_range,
        protocol=run_scores.held_out_protocol(settings, test, used),
        batch=BATCH,
    )


def make_drawing(stylist: Stylist, settings: Settings) -> Drawing:
    """Says how a run shows its pictures: content, style and result in a row (twice), always of the same.

    Raises:
        InputError: the images cannot be read.
    """
    contents, styles = translation.read_shown(settings)

    def draw(state: PyTree) -> Array:
        columns = [contents, styles, stylist.stylize(state, contents, [styles])]
        return jnp.stack(columns, axis=1).reshape(-1, *contents.shape[1:])

    return Drawing(parallel.compile_function(draw), settings.model.value_range, translation.COLUMNS)
