"""Random changes of training images on the host: rotation, shift, scale, shear and flip."""

import dataclasses
import math

import numpy as np

from jaxgan.augment.affine_settings import Affine


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augment(Affine):
    """How images are changed at random on the host; the settings are those of `jaxgan.augment.affine`."""

    def apply(self, images: np.ndarray, generator: np.random.Generator, *, fill: float) -> np.ndarray:
        """Changes each image by a transformation of its own.

        Args:
            images: f32[N, H, W, C].
            generator: where the randomness comes from.
            fill: the value beyond the borders.

        Returns:
            f32[N, H, W, C].
        """
        changed = [self._change(image, generator, fill) for image in images]
        return np.stack(changed) if changed else images

    def _change(self, image: np.ndarray, generator: np.random.Generator, fill: float) -> np.ndarray:
        """Draws every number, used or not, so that one setting does not change another's draws."""
        angle, shear, growth, down, right = generator.uniform(-1, 1, 5)
        mirrored = generator.random() < 0.5
        matrix = affine(
            angle=math.radians(self.rotation * angle),
            shear=math.radians(self.shear * shear),
            scale=1 + self.scale * growth,
        )
        if self.flip and mirrored:
            image = image[:, ::-1]
        shift = np.array([down * image.shape[0], right * image.shape[1]]) * self.shift
        return warp(image, matrix, shift, fill=fill)


def affine(*, angle: float, shear: float, scale: float) -> np.ndarray:
    r"""Makes the matrix that moves (row, column) about an image's centre.

    .. math:: A = s \, R(\alpha) \begin{pmatrix} 1 & 0 \\ \tan \beta & 1 \end{pmatrix}

    Args:
        angle: alpha, in radians; positive turns an image against the clock.
        shear: beta, in radians.
        scale: s, > 0.

    Returns:
        f64[2, 2].

    >>> affine(angle=0.0, shear=0.0, scale=2.0).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    cos, sin = math.cos(angle), math.sin(angle)
    return scale * np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, 0.0], [math.tan(shear), 1.0]])


def warp(image: np.ndarray, matrix: np.ndarray, shift: np.ndarray, *, fill: float) -> np.ndarray:
    """Moves the points of an image about its centre, and reads the new pixels by linear interpolation.

    Args:
        image: f32[H, W, C].
        matrix: f64[2, 2], from `affine`.
        shift: f64[2], in pixels, down and right.
        fill: the value beyond the borders.

    Returns:
        f32[H, W, C].
    """
    if np.array_equal(matrix, np.eye(2)) and not shift.any():
        return image
    from scipy.ndimage import affine_transform

    inverse = np.linalg.inv(matrix)
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre - inverse @ (centre + shift)
    channels = [
        affine_transform(image[:, :, channel], inverse, offset, order=1, mode="grid-constant", cval=fill)
        for channel in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1).astype(np.float32)
