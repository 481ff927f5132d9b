"""Two players so small that what a step does to them can be worked out by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import batch_axis
from jaxgan.steps import Adam, Adversarial, adversarial

SHAPE = (8, 8, 1)
KEY = jax.random.key(0)
PLAIN = Adam(b1=0.0)
"""Without a memory of gradients: the first moment is the last one."""


class Painter(nn.Module):
    """Makes one picture, lighter or darker by its label, and by its latent where ``spread`` is not 0."""

    classes: int = 0
    spread: float = 0.0

    @nn.compact
    def __call__(self, latents, labels=None, *, train):
        del train
        levels = self.spread * latents.mean(1)
        if self.classes:
            shade = self.param("shade", nn.initializers.normal(0.3), (self.classes,))
            levels = levels + shade[labels].astype(latents.dtype)
        picture = self.param("picture", nn.initializers.normal(0.3), SHAPE)
        return picture[None].astype(latents.dtype) + levels.reshape(-1, 1, 1, 1)


class Critic(nn.Module):
    """Gives w . x, more by its label; ``bend`` curves it, and as a classifier it gives V . x too."""

    classes: int = 0
    auxiliary: bool = False
    bend: float = 0.0

    @nn.compact
    def __call__(self, images, labels=None, *, train):
        seen = self.variable("statistics", "seen", jnp.zeros, ())
        if train:
            seen.value = 0.9 * seen.value + batch_axis.pmean(images.mean(dtype=jnp.float32))
        w = self.param("w", nn.initializers.normal(0.2), SHAPE).astype(images.dtype)
        logits = (w[None] * images).sum((1, 2, 3))
        logits = logits + self.bend * logits**2
        if self.classes:
            bias = self.param("bias", nn.initializers.normal(1.0), (self.classes,))
            logits = logits + bias[labels].astype(images.dtype)
        if not self.auxiliary:
            return logits
        v = self.param("v", nn.initializers.normal(0.2), (64, self.classes)).astype(images.dtype)
        return logits, images.reshape(-1, 64) @ v


def game(painter=None, critic=None, *, per_image=True, num_classes=None, **options):
    """A game of Wasserstein's loss, if no other is named: its derivatives do not depend on the logits."""
    options = {"loss": "wasserstein", "generator": PLAIN, "discriminator": PLAIN} | options
    return adversarial(
        painter or Painter(),
        critic or Critic(),
        latent_size=2,
        image_shape=SHAPE,
        config=Adversarial(**options),
        per_image=per_image,
        num_classes=num_classes,
    )


def started(gan):
    """The first state, made without compiling a program for it, and the compiled step."""
    return gan.init(KEY), jax.jit(gan.step)


def reals(count=6, seed=0):
    values = np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE))
    return jnp.asarray(values, jnp.float32)


def gradient(network):
    """The gradient of a network's last update, by the names of its params."""
    return optax.tree.get(network.opt_state, "mu")


def close(found, expected, tolerance=1e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), found, expected
    )


def same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)
