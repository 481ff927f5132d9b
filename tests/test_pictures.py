"""Pictures: every pixel where it belongs, and files that are whole or absent."""

import numpy as np
import pytest
from PIL import Image

from jaxgan import pictures
from jaxgan.validation import InputError


def read(path):
    with Image.open(path) as picture:
        return picture.mode, np.asarray(picture)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_holds_every_image_in_order(channels):
    images = np.random.default_rng(0).integers(0, 255, (7, 4, 6, channels), np.uint8)
    pixels = pictures.grid(images, columns=3, gap=2)
    assert pixels.shape == (3 * 6 + 2, 3 * 8 + 2, channels)
    for number, image in enumerate(images):
        row, column = divmod(number, 3)
        np.testing.assert_array_equal(pixels[2 + 6 * row :, 2 + 8 * column :][:4, :6], image)
    assert (pixels[:2] == 255).all()
    assert (pixels[14:, 9:] == 255).all()  # no eighth and ninth image


def test_sixty_four_square_images_make_a_square():
    assert pictures.grid(np.zeros((64, 28, 28, 1), np.uint8)).shape == (233, 233, 1)


@pytest.mark.parametrize("images", [np.zeros((0, 4, 4, 1), np.uint8), np.zeros((4, 4, 1), np.uint8)])
def test_a_grid_of_no_images_is_refused(images):
    with pytest.raises(InputError, match="shape of the images"):
        pictures.grid(images)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_saved_grid_is_enlarged_by_a_whole_factor(tmp_path, channels, mode):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, channels))
    path = tmp_path / "grid.png"
    pictures.save_grid(path, images, (-1, 1))
    found, pixels = read(path)
    assert found == mode
    small = pictures.grid(pictures.to_uint8(images, (-1, 1)))
    factor = pixels.shape[0] // small.shape[0]
    assert factor > 1
    np.testing.assert_array_equal(pixels.reshape(*pixels.shape[:2], -1)[::factor, ::factor], small)
    assert [file.name for file in tmp_path.iterdir()] == ["grid.png"]


def test_scaling_covers_the_range_and_cuts_off_the_rest():
    values = np.linspace(-1.5, 1.5, 301)
    scaled = pictures.to_uint8(values, (-1, 1))
    assert (scaled.min(), scaled.max()) == (0, 255)
    inside = np.abs(values) <= 1
    np.testing.assert_allclose(scaled[inside] / 127.5 - 1, values[inside], atol=1 / 255 + 1e-9)


def test_curves_and_confusion_are_drawn(tmp_path):
    generator = np.random.default_rng(0)
    lines = [
        {
            "step": step,
            "generator_loss": generator.normal(),
            "real_accuracy": generator.uniform(),
            "time": 1.0,
        }
        for step in range(300)
    ]
    pictures.save_curves(tmp_path / "curves.png", lines, "a run of $^$")
    pictures.save_curves(tmp_path / "none.png", [], "a run of no lines")
    pictures.save_confusion(
        tmp_path / "confusion.png", np.eye(10, dtype=int) * 9, [f"class {k}" for k in range(10)]
    )
    for name in ("curves", "none", "confusion"):
        _, pixels = read(tmp_path / f"{name}.png")
        assert min(pixels.shape[:2]) > 200
    assert len(np.unique(read(tmp_path / "curves.png")[1].reshape(-1, 4), axis=0)) > 100
