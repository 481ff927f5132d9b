"""Random changes: each does what its name says, and none of them more."""

import dataclasses
import math

import numpy as np
import pytest

from jaxgan.augment.affine_settings import Affine
from jaxgan.data import Augment
from jaxgan.data.augment import affine, warp
from jaxgan.validation import InputError


def picture(side=9, channels=2):
    return np.random.default_rng(0).uniform(size=(side, side, channels)).astype(np.float32)


def moved(image, *, angle=0.0, shear=0.0, scale=1.0, shift=(0.0, 0.0)):
    matrix = affine(angle=math.radians(angle), shear=math.radians(shear), scale=scale)
    return warp(image, matrix, np.array(shift), fill=-1.0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_exact(quarters):
    image = picture()
    np.testing.assert_allclose(moved(image, angle=90 * quarters), np.rot90(image, quarters), atol=1e-6)


def test_a_shift_moves_down_and_right_and_fills_the_rest():
    image = picture()
    shifted = moved(image, shift=(2, 1))
    np.testing.assert_allclose(shifted[2:, 1:], image[:-2, :-1], atol=1e-6)
    assert (shifted[:2] == -1).all()
    assert (shifted[:, :1] == -1).all()


def test_growing_keeps_the_centre_and_spreads_the_rest():
    rows = np.arange(9, dtype=np.float32)[:, np.newaxis, np.newaxis] * np.ones((1, 9, 1), np.float32)
    np.testing.assert_allclose(moved(rows, scale=2.0)[:, 4, 0], 4 + (np.arange(9) - 4) / 2, atol=1e-5)


def test_shearing_slides_rows_along():
    image = np.zeros((9, 9, 1), np.float32)
    image[:, 4] = 1
    sheared = moved(image, shear=45)
    np.testing.assert_array_equal(sheared.argmax(1)[1:8, 0], np.arange(1, 8))


def test_nothing_asked_for_changes_nothing():
    images = np.stack([picture()] * 3)
    assert not Augment().enabled
    np.testing.assert_array_equal(Augment().apply(images, np.random.default_rng(0), fill=0.0), images)


def test_a_flip_mirrors_half_of_the_images():
    image = picture()
    flipped = Augment(flip=True).apply(np.stack([image] * 400), np.random.default_rng(0), fill=0.0)
    mirrored = (flipped == image[:, ::-1]).all((1, 2, 3))
    kept = (flipped == image).all((1, 2, 3))
    assert (mirrored | kept).all()
    assert 150 < mirrored.sum() < 250


def test_draws_cover_their_range_and_stay_in_it():
    dot = np.zeros((41, 41, 1), np.float32)
    dot[20, 20] = 1
    moved_dots = Augment(shift=0.25).apply(np.stack([dot] * 300), np.random.default_rng(0), fill=0.0)
    places = np.array([np.unravel_index(image.argmax(), image.shape)[:2] for image in moved_dots]) - 20
    assert np.abs(places).max() <= 0.25 * 41 + 1
    assert (places.min(0) < -8).all()
    assert (places.max(0) > 8).all()


def test_the_host_and_the_device_have_one_list_of_settings():
    settings = {"rotation": 12.0, "shift": 0.1, "scale": 0.2, "shear": 3.0, "flip": True}
    assert dataclasses.asdict(Augment(**settings)) == dataclasses.asdict(Affine(**settings)) == settings
    assert isinstance(Augment(), Affine)
    assert not Affine().enabled
    for name, value in settings.items():
        assert Affine(**{name: value}).enabled
        assert Augment(**{name: value}).enabled


@pytest.mark.parametrize(
    "options", [{"rotation": -1}, {"rotation": 200}, {"shift": 1.0}, {"scale": 1.0}, {"shear": 90}]
)
def test_a_setting_out_of_range_is_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        Augment(**options)
