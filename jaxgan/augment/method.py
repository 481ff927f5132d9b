"""Augmentation of what a discriminator sees, as a setting: which kind, and its controller's state."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from jaxgan.augment import ada, controller, diffaugment
from jaxgan.augment.controller import Ada
from jaxgan.typing import Array
from jaxgan.validation import require

DIFFAUGMENT = "color,translation,cutout"
ADA = "bgc"
KINDS = ("none", "diffaugment", "ada")


class Method(NamedTuple):
    """One way of augmenting.

    Attributes:
        kind: ``"none"``, ``"diffaugment"`` or ``"ada"``.
        detail: the policy of DiffAugment, or the pipeline of ADA.
    """

    kind: str
    detail: str = ""

    def bind(self, state: Ada | dict) -> Callable[[Array, Array], Array]:
        """Gives ``(key, images) -> images`` f[N, H, W, C] in [-1, 1], as strong as the state says.

        Args:
            state: the controller's, for ADA; {} else.
        """
        if self.kind == "diffaugment":
            return functools.partial(diffaugment.apply, policy=self.detail)
        if isinstance(state, Ada):
            p = state.p
            return lambda key, images: ada.apply(key, images, p, pipeline=self.detail)
        return lambda _, images: images

    def init(self) -> Ada | dict:
        """The controller's state at the beginning: {} where nothing is controlled."""
        return controller.init() if self.kind == "ada" else {}

    def check_channels(self, channels: int) -> None:
        """Refuses what images of so many channels cannot be put through.

        Raises:
            InputError: colours that they have not.
        """
        if self.kind == "diffaugment":
            diffaugment.check_policy(self.detail, channels)
        if self.kind == "ada":
            ada.check_pipeline(self.detail, channels)


def parse(spec: str) -> Method:
    """Reads ``none``, ``diffaugment[:POLICY]`` or ``ada[:PIPELINE]``.

    Raises:
        InputError: an unknown kind, or a policy or pipeline that none of its kind has.

    >>> parse("diffaugment:color,cutout")
    Method(kind='diffaugment', detail='color,cutout')
    >>> parse("ada").detail
    'bgc'
    """
    kind, _, detail = spec.partition(":")
    require(kind in KINDS, "augment", kind, "one of " + ", ".join(KINDS))
    require(not detail or kind != "none", "augment", spec, "none, without more")
    method = Method(kind, detail or {"none": "", "diffaugment": DIFFAUGMENT, "ada": ADA}[kind])
    method.check_channels(3)
    return method
