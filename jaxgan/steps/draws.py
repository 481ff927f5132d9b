"""What one update of a game works on: its images, its labels, and all that it draws."""

from typing import NamedTuple

import jax

from jaxgan import batch_axis
from jaxgan.typing import Array, Batch


class Draws(NamedTuple):
    """The images of one update, its latents, and a key for each pass through a network.

    Attributes:
        images: f32[N, H, W, C], real.
        conditions: (labels int32[N],), of the real and of the generated images alike, or () without labels.
        latents: f32[N, L].
        generator_key: for the generator.
        real_key: for the discriminator on real images.
        fake_key: for the discriminator on generated images.
        penalty_key: for the penalties.
    """

    images: Array
    conditions: tuple[Array, ...]
    latents: Array
    generator_key: Array
    real_key: Array
    fake_key: Array
    penalty_key: Array


def draw(key: Array, images: Array, conditions: tuple[Array, ...], latent_size: int) -> Draws:
    """Draws what an update on some images needs."""
    keys = jax.random.split(key, 4)
    latents = draw_latents(keys[0], images.shape[0], latent_size)
    return Draws(images, conditions, latents, keys[1], keys[2], keys[3], jax.random.fold_in(key, 4))


def draw_latents(key: Array, count: int, size: int) -> Array:
    """Draws standard normal latents, each from the key of its own example.

    >>> draw_latents(jax.random.key(0), 2, 5).shape
    (2, 5)
    """
    keys = batch_axis.example_keys(key, count)
    return jax.vmap(lambda key: jax.random.normal(key, (size,)))(keys)


def draw_labels(key: Array, count: int, num_classes: int) -> Array:
    """Draws labels int32[count], each class as likely, each from the key of its own example.

    >>> draw_labels(jax.random.key(0), 3, 1).tolist()
    [0, 0, 0]
    """
    keys = batch_axis.example_keys(key, count)
    return jax.vmap(lambda key: jax.random.randint(key, (), 0, num_classes))(keys)


def split_batch(
    batch: Batch, parts: int, image_shape: tuple[int, int, int], *, labelled: bool
) -> tuple[Array, ...]:
    """Divides a batch among the discriminator's updates; adjacent images go to different ones.

    The order makes the parts the same however the batch is divided over devices.

    Args:
        batch: ``image`` f32[N, *image_shape], and ``label`` int32[N] where it is wanted.
        parts: the updates, >= 1.
        image_shape: (H, W, C).
        labelled: whether labels are wanted.

    Returns:
        The images of each update, f32[parts, N / parts, *image_shape], and, where they are wanted, their
        labels int32[parts, N / parts].

    Raises:
        ValueError: the batch has not that form, or cannot be divided equally.
    """
    images = batch["image"]
    if images.ndim != 4 or images.shape[1:] != image_shape:
        raise ValueError(
            f"batch['image'] has shape {images.shape}; the model takes [N, {str(image_shape)[1:-1]}]"
        )
    count = images.shape[0]
    if count == 0 or count % parts:
        raise ValueError(
            f"batch['image'] holds {count} images; "
            f"with discriminator_steps {parts} it must be a positive multiple of that"
        )
    arrays = [images]
    if labelled:
        if "label" not in batch:
            raise ValueError("the batch has no 'label'; a model with classes is trained on labelled images")
        if batch["label"].shape != (count,):
            raise ValueError(f"batch['label'] has shape {batch['label'].shape}; it must be ({count},)")
        arrays.append(batch["label"])
    return tuple(array.reshape(-1, parts, *array.shape[1:]).swapaxes(0, 1) for array in arrays)
