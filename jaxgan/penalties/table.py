"""Every penalty by its name, in one form."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgan.penalties import logits, slopes
from jaxgan.penalties.logits import Anchors
from jaxgan.penalties.slopes import Discriminate
from jaxgan.typing import Array
from jaxgan.validation import InputError, require

Augment = Callable[[Array, Array], Array]


class Inputs(NamedTuple):
    """What a penalty may look at; each looks at what it needs.

    Attributes:
        real_images: f[N, ...].
        fake_images: f[N, ...].
        real_logits: f32[N], the discriminator's logits on the real images.
        fake_logits: f32[N], those on the generated images.
        key: a typed PRNG key.
        anchors: for ``"lecam"``.
        augment: for ``"consistency"`` and ``"balanced_consistency"``: (key, images) -> images.
    """

    real_images: Array
    fake_images: Array
    real_logits: Array
    fake_logits: Array
    key: Array
    anchors: Anchors | None = None
    augment: Augment | None = None


Penalty = Callable[[Discriminate, Inputs], Array]


def _gradient_penalty(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.gradient_penalty(discriminate, inputs.real_images, inputs.fake_images, inputs.key)


def _gradient_penalty_one_sided(discriminate: Discriminate, inputs: Inputs) -> Array:
    images = inputs.real_images, inputs.fake_images
    return slopes.gradient_penalty(discriminate, *images, inputs.key, one_sided=True)


def _r1(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.r1(discriminate, inputs.real_images)


def _r2(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.r2(discriminate, inputs.fake_images)


def _r1_forward(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.estimated_squared_slopes(discriminate, inputs.real_images, inputs.key) / 2


def _r2_forward(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.estimated_squared_slopes(discriminate, inputs.fake_images, inputs.key) / 2


def _dragan(discriminate: Discriminate, inputs: Inputs) -> Array:
    return slopes.dragan(discriminate, inputs.real_images, inputs.key)


def _lecam(_: Discriminate, inputs: Inputs) -> Array:
    if inputs.anchors is None:
        raise InputError("anchors is None; it must be the averages that lecam compares logits with")
    return logits.lecam(inputs.real_logits, inputs.fake_logits, inputs.anchors)


def _augmented(discriminate: Discriminate, inputs: Inputs, images: Array, number: int) -> Array:
    if inputs.augment is None:
        raise InputError("augment is None; it must be a function (key, images) -> images")
    return discriminate(inputs.augment(jax.random.fold_in(inputs.key, number), images))


def _consistency(discriminate: Discriminate, inputs: Inputs) -> Array:
    return logits.consistency(inputs.real_logits, _augmented(discriminate, inputs, inputs.real_images, 0))


def _balanced_consistency(discriminate: Discriminate, inputs: Inputs) -> Array:
    fakes = logits.consistency(inputs.fake_logits, _augmented(discriminate, inputs, inputs.fake_images, 1))
    return _consistency(discriminate, inputs) + fakes


PENALTIES: dict[str, Penalty] = {
    "balanced_consistency": _balanced_consistency,
    "consistency": _consistency,
    "dragan": _dragan,
    "gradient_penalty": _gradient_penalty,
    "gradient_penalty_one_sided": _gradient_penalty_one_sided,
    "lecam": _lecam,
    "r1": _r1,
    "r1_forward": _r1_forward,
    "r2": _r2,
    "r2_forward": _r2_forward,
}
"""Every penalty by its name: ``(discriminate, inputs) -> f32[N]``, before its weight."""


def get(name: str) -> Penalty:
    """Finds a penalty by its name.

    Raises:
        InputError: an unknown name; the message lists the known ones.

    >>> get("r1") is PENALTIES["r1"]
    True
    """
    require(name in PENALTIES, "penalty", name, "one of " + ", ".join(sorted(PENALTIES)))
    return PENALTIES[name]
