"""How much training images are turned, shifted, scaled, sheared and mirrored, on the host or on the device.

This file stands alone, without JAX, because `jaxgan.data` has the same settings and does not load it.
"""

import dataclasses

from jaxgan.validation import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Affine:
    """How images are changed at random; by default not at all.

    Attributes:
        rotation: degrees, in [0, 180]; each image turns by an angle drawn from [-rotation, rotation].
        shift: a share of the side, in [0, 1); drawn from [-shift, shift] for each side.
        scale: in [0, 1); each image grows by a factor drawn from [1 - scale, 1 + scale].
        shear: degrees, in [0, 90); drawn from [-shear, shear].
        flip: mirror half of the images left to right.

    Raises:
        InputError: a setting outside its range.

    >>> Affine().enabled, Affine(rotation=10).enabled
    (False, True)
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.rotation <= 180, "rotation", self.rotation, "in [0, 180]")
        require(0 <= self.shift < 1, "shift", self.shift, "in [0, 1)")
        require(0 <= self.scale < 1, "scale", self.scale, "in [0, 1)")
        require(0 <= self.shear < 90, "shear", self.shear, "in [0, 90)")

    @property
    def enabled(self) -> bool:
        """Whether it changes anything."""
        return any(dataclasses.astuple(self))
