"""The optimiser of a network, its hyper-parameters in the state as arrays."""

import dataclasses
import math

import jax.numpy as jnp
import optax

from jaxgan.validation import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    r"""Adam, with the gradient clipped before it if asked for.

    .. math:: \theta \leftarrow \theta - \eta \, \hat{m} / (\sqrt{\hat{v}} + \epsilon)

    Attributes:
        learning_rate: eta, > 0.
        b1: the decay of the mean m, in [0, 1).
        b2: the decay of the mean square v, in [0, 1).
        eps: epsilon, > 0.
        clip_norm: the largest global norm of the gradient, > 0, or None.
        clip_value: the largest absolute value of each of its entries, > 0, or None.

    >>> state = Adam(learning_rate=1e-3).build().init({"w": jnp.zeros(2)})
    >>> round(state.hyperparams["learning_rate"].item(), 6)
    0.001

    Source: Kingma and Ba, arXiv:1412.6980.
    """

    learning_rate: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-7
    clip_norm: float | None = None
    clip_value: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "> 0 and finite")
        require(0 <= self.b1 < 1, "b1", self.b1, "in [0, 1)")
        require(0 <= self.b2 < 1, "b2", self.b2, "in [0, 1)")
        require(0 < self.eps < math.inf, "eps", self.eps, "> 0 and finite")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            require(value is None or 0 < value < math.inf, name, value, "> 0 and finite, or None")

    def build(self) -> optax.GradientTransformation:
        """Makes the transformation; ``state.hyperparams`` holds the numbers as f32[] arrays."""
        numbers = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return optax.inject_hyperparams(_clipped_adam, hyperparam_dtype=jnp.float32)(**numbers)


def _clipped_adam(
    learning_rate: float,
    b1: float,
    b2: float,
    eps: float,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> optax.GradientTransformation:
    clips = []
    if clip_norm is not None:
        clips.append(optax.clip_by_global_norm(clip_norm))
    if clip_value is not None:
        clips.append(optax.clip(clip_value))
    return optax.chain(*clips, optax.adam(learning_rate, b1=b1, b2=b2, eps=eps))
