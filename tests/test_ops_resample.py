"""The two resizings against torch-fidelity and Pillow."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from references.inception import RESIZED, random_images

from jaxgan.ops.resample import resize_clean, resize_legacy

EXPECTED = Path(__file__).parent / "references" / "inception.npz"


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), RESIZED)
def test_legacy_is_what_torch_fidelity_does(height, width, new_height, new_width):
    images = random_images(0, 2, height, width)
    found = resize_legacy(images, (new_height, new_width))
    with np.load(EXPECTED) as expected:
        np.testing.assert_allclose(found, expected[f"legacy {height}x{width}"], atol=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "new_height", "new_width"), [*RESIZED, (37, 90, 80, 31), (9, 64, 64, 9)]
)
def test_clean_is_what_pillow_does(height, width, new_height, new_width):
    images = random_images(3, 2, height, width) * np.float32(1.01)  # not whole numbers
    found = np.asarray(resize_clean(images, (new_height, new_width)))
    for image, resized in zip(images, found, strict=True):
        for channel in range(3):
            source = Image.fromarray(image[:, :, channel])
            expected = source.resize((new_width, new_height), Image.Resampling.BICUBIC)
            np.testing.assert_allclose(resized[:, :, channel], np.clip(expected, 0, 255), atol=2e-4)


def test_clean_stays_in_range_where_the_curve_would_overshoot():
    edge = jnp.where(jnp.arange(8) < 4, 0.0, 255.0).reshape(1, 1, 8, 1)
    found = resize_clean(edge, (1, 32))
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize("resize", [resize_legacy, resize_clean])
@pytest.mark.parametrize("size", [(3, 9), (11, 2)])
def test_the_gradient_is_the_transposed_map(resize, size):
    generator = np.random.default_rng(0)
    images = generator.uniform(100, 150, (2, 6, 5, 3)).astype(np.float32)  # so that nothing is clipped
    weights = generator.uniform(0, 1, (2, *size, 3)).astype(np.float32)
    value, gradient = jax.value_and_grad(lambda images: jnp.sum(weights * resize(images, size)))(images)
    np.testing.assert_allclose(jnp.sum(gradient * images), value, rtol=1e-5)


@pytest.mark.parametrize("resize", [resize_legacy, resize_clean])
def test_what_cannot_be_resized_is_refused(resize):
    with pytest.raises(ValueError, match=r"images has shape \(4, 4, 3\)"):
        resize(jnp.zeros((4, 4, 3)), 2)
    with pytest.raises(ValueError, match="there must be pixels"):
        resize(jnp.zeros((1, 0, 4, 3)), 2)
    with pytest.raises(ValueError, match="size is 0"):
        resize(jnp.zeros((1, 4, 4, 3)), 0)
