"""The records of pure functions that the zoo builds."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from jaxgan.steps.state import ClassifierState, GANState, StylistState, TranslatorState
from jaxgan.typing import Array, Batch, Metrics


class Sample(Protocol):
    """How images are drawn."""

    def __call__(self, state: GANState, key: Array, count: int, labels: Array | None = None) -> Array:
        """Draws f32[count, H, W, C]."""


class GAN(NamedTuple):
    """A generative adversarial network as three pure functions, none of them compiled.

    Attributes:
        init: ``(key) -> state``.
        step: ``(state, batch, key) -> (state, metrics)``; ``batch["image"]`` is f32[N, H, W, C] in the
            model's value range, and ``batch["label"]`` int32[N] for a model with classes; ``key`` is the
            root key of the run, the same at every step.
        sample: ``(state, key, count, labels=None) -> images`` f32[count, H, W, C]; image i depends on the key
            and on i, not on the count. A model with classes takes labels int32[count], or draws them.
    """

    init: Callable[[Array], GANState]
    step: Callable[[GANState, Batch, Array], tuple[GANState, Metrics]]
    sample: Sample


class Classifier(NamedTuple):
    """A classifier as three pure functions, none of them compiled.

    Attributes:
        init: ``(key) -> state``.
        step: ``(state, batch, key) -> (state, metrics)``; ``batch`` holds ``image`` f32[N, H, W, C] in the
            model's value range and ``label`` int32[N].
        predict: ``(state, images) -> probabilities`` f32[N, K], each row a distribution.
    """

    init: Callable[[Array], ClassifierState]
    step: Callable[[ClassifierState, Batch, Array], tuple[ClassifierState, Metrics]]
    predict: Callable[[ClassifierState, Array], Array]


class Translate(Protocol):
    """How images are translated."""

    def __call__(
        self, state: TranslatorState, images: Array, *, direction: str = "a_to_b", key: Array | None = None
    ) -> Array:
        """Translates f32[N, H, W, C]."""


class Translator(NamedTuple):
    """A model from images to images as three pure functions, none of them compiled.

    Attributes:
        init: ``(key) -> state``.
        step: ``(state, batch, key) -> (state, metrics)``; ``batch["image"]`` and ``batch["target"]`` are
            f32[N, H, W, C] in the model's value range, of the domains A and B.
        translate: ``(state, images, direction="a_to_b", key=None) -> images`` f32[N, H, W, C]; with a key the
            network draws its noise, if it has any, from it.
        directions: those in which it translates, ``"a_to_b"`` and perhaps ``"b_to_a"``.
    """

    init: Callable[[Array], TranslatorState]
    step: Callable[[TranslatorState, Batch, Array], tuple[TranslatorState, Metrics]]
    translate: Translate
    directions: tuple[str, ...]


class Stylize(Protocol):
    """How pictures are drawn in the style of others."""

    def __call__(
        self,
        state: StylistState,
        images: Array,
        styles: Sequence[Array],
        *,
        shares: Array | None = None,
        strength: float | Array = 1.0,
    ) -> Array:
        """Draws f32[N, H, W, 3]."""


class Stylist(NamedTuple):
    """Style transfer in one pass, as pure functions, none of them compiled.

    Attributes:
        init: ``(key) -> state``.
        step: ``(state, batch, key) -> (state, metrics)``; contents ``batch["image"]`` and styles
            ``batch["target"]`` are f32[N, H, W, 3] in [0, 1].
        stylize: ``(state, images, styles, shares=None, strength=1.0) -> images`` f32[N, H, W, 3] in [0, 1]:
            contents f32[N, H, W, 3] of any size that the encoder takes, at least one batch of styles f32[N,
            H', W', 3], how much each counts, f32[S] (all alike by default), and how far it goes from the
            contents to them, in [0, 1].
        measure: ``(state, images, batch) -> losses`` f32[N] by name, of pictures drawn of the contents and
            styles of a batch, whoever drew them; ``loss`` is what is made small, the others are its parts.
    """

    init: Callable[[Array], StylistState]
    step: Callable[[StylistState, Batch, Array], tuple[StylistState, Metrics]]
    stylize: Stylize
    measure: Callable[[StylistState, Array, Batch], Metrics]


Built = GAN | Classifier | Translator | Stylist
"""What a module of the zoo builds."""


class Recipe(NamedTuple):
    """How a model is trained when nothing else is asked for: on images that are part of it, within minutes.

    Attributes:
        config: the model's settings.
        batch_size: the images of one step.
        steps: the number of steps.
        data: the images, as `jaxgan.data.load` takes them.
        images: the number of training images of the set that it was chosen on.
        score: what it was measured to reach there: for a GAN the FID by the CNN that is trained on the set,
            for a classifier the accuracy on its test images; None where it was not measured.
    """

    config: Any
    batch_size: int
    steps: int
    data: str = "digits"
    images: int = 1_438
    score: float | None = None
