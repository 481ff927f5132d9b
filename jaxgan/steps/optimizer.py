"""The optimiser of a network, its hyper-parameters in the state as arrays."""

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from jaxgan.validation import require

Schedule = Literal["constant", "linear", "cosine"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "linear", "cosine")

NUMBERS = ("learning_rate", "b1", "b2", "eps", "weight_decay", "clip_norm", "clip_value")
"""The settings that live in the state, as f32[] arrays."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    r"""Adam, with what keeps it steady: clipped gradients, schedules, updates left out, updates gathered.

    .. math:: \theta \leftarrow \theta - \eta \, s_t \, \hat{m} / (\sqrt{\hat{v}} + \epsilon)

    The schedule s goes from 0 to 1 over the warm-up, stays there for ``hold`` updates, then goes down to 0 at
    ``schedule_steps``: as a line, or as half a period of a cosine; a constant one stays at 1.

    Attributes:
        learning_rate: eta, > 0.
        b1: the decay of the mean m, in [0, 1).
        b2: the decay of the mean square v, in [0, 1).
        eps: epsilon, > 0.
        weight_decay: how much of itself, times the learning rate, an update takes from each kernel, >= 0, or
            None (Loshchilov and Hutter, arXiv:1711.05101); biases and scales keep theirs.
        clip_norm: the largest global norm of the gradient, > 0, or None.
        clip_value: the largest absolute value of each of its entries, > 0, or None.
        schedule: ``"constant"``, ``"linear"`` or ``"cosine"``.
        schedule_steps: the update at which a schedule that falls has reached 0, > ``warmup`` + ``hold``; else
            None.
        warmup: the updates over which the learning rate rises, >= 0.
        hold: the updates after those before a schedule falls, >= 0; 0 for a constant one.
        accumulate: k >= 1: gradients of k steps are averaged for one update; the others leave the params.
        skip_non_finite: so many updates in a row are left out, >= 0, when their gradient is not finite; a
            longer row is not, and ends the run.

    >>> state = Adam(learning_rate=1e-3).build().init({"w": jnp.zeros(2)})
    >>> round(state.hyperparams["learning_rate"].item(), 6)
    0.001

    Source: Kingma and Ba, arXiv:1412.6980; Loshchilov and Hutter, arXiv:1608.03983, for the cosine.
    """

    learning_rate: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-7
    weight_decay: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    schedule: Schedule = "constant"
    schedule_steps: int | None = None
    warmup: int = 0
    hold: int = 0
    accumulate: int = 1
    skip_non_finite: int = 0

    def __post_init__(self) -> None:
        require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "> 0 and finite")
        require(0 <= self.b1 < 1, "b1", self.b1, "in [0, 1)")
        require(0 <= self.b2 < 1, "b2", self.b2, "in [0, 1)")
        require(0 < self.eps < math.inf, "eps", self.eps, "> 0 and finite")
        decay = self.weight_decay
        fits = decay is None or 0 <= decay < math.inf
        require(fits, "weight_decay", decay, ">= 0 and finite, or None")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            require(value is None or 0 < value < math.inf, name, value, "> 0 and finite, or None")
        require(self.schedule in SCHEDULES, "schedule", self.schedule, "one of " + ", ".join(SCHEDULES))
        require(self.warmup >= 0, "warmup", self.warmup, ">= 0")
        steps, falls = self.schedule_steps, self.schedule != "constant"
        require(
            self.hold >= 0 and (falls or not self.hold),
            "hold",
            self.hold,
            ">= 0, and 0 for a constant schedule",
        )
        first = self.warmup + self.hold
        fits = steps is not None and steps > first if falls else steps is None
        before = f"warmup and hold, {first}" if self.hold else f"warmup, {first}"
        allowed = f"more than {before}" if falls else "None for a constant schedule"
        require(fits, "schedule_steps", steps, allowed)
        require(self.accumulate >= 1, "accumulate", self.accumulate, ">= 1")
        require(self.skip_non_finite >= 0, "skip_non_finite", self.skip_non_finite, ">= 0")

    def build(self) -> optax.GradientTransformation:
        """Makes the transformation; ``state.hyperparams`` holds `NUMBERS` as f32[] arrays."""
        numbers = {name: getattr(self, name) for name in NUMBERS if getattr(self, name) is not None}
        return optax.inject_hyperparams(self._transformation, hyperparam_dtype=jnp.float32)(**numbers)

    def _transformation(
        self,
        learning_rate: Any,
        b1: Any,
        b2: Any,
        eps: Any,
        weight_decay: Any = None,
        clip_norm: Any = None,
        clip_value: Any = None,
    ) -> optax.GradientTransformation:
        parts = []
        if clip_norm is not None:
            parts.append(optax.clip_by_global_norm(clip_norm))
        if clip_value is not None:
            parts.append(optax.clip(clip_value))
        numbers = {"b1": b1, "b2": b2, "eps": eps}
        if weight_decay is None:
            parts.append(optax.adam(learning_rate, **numbers))
        else:
            parts.append(optax.adamw(learning_rate, weight_decay=weight_decay, mask=_kernels, **numbers))
        if self.warmup or self.schedule != "constant":
            parts.append(optax.scale_by_schedule(self._shares()))
        tx = optax.chain(*parts)
        if self.accumulate > 1:
            tx = optax.MultiSteps(tx, self.accumulate).gradient_transformation()
        if self.skip_non_finite:
            tx = optax.apply_if_finite(tx, self.skip_non_finite)
        return tx

    def _shares(self) -> optax.Schedule:
        """The schedule s: the number of updates before this one -> a share of the learning rate."""
        first = self.warmup + self.hold
        left = (self.schedule_steps or 0) - first
        fall = {
            "constant": optax.constant_schedule(1.0),
            "linear": optax.linear_schedule(1.0, 0.0, left),
            "cosine": optax.cosine_decay_schedule(1.0, max(left, 1)),
        }[self.schedule]
        rise = optax.linear_schedule(0.0, 1.0, self.warmup) if self.warmup else fall
        stay = optax.constant_schedule(1.0)
        return optax.join_schedules([rise, stay, fall], [self.warmup, first])


def _kernels(params: Any) -> Any:
    """Marks the arrays that multiply features, of two axes or more: not biases and scales."""
    return jax.tree.map(lambda array: array.ndim > 1, params)


def last_was_finite(opt_state: Any) -> Any:
    """Tells whether the last update was made: bool[], or None where updates are never left out."""
    inner = opt_state.inner_state
    return inner.last_finite if isinstance(inner, optax.ApplyIfFiniteState) else None


def skipped_updates(opt_state: Any) -> Any:
    """Counts the updates that were left out: int32[], or None where none ever is."""
    inner = opt_state.inner_state
    return inner.total_notfinite if isinstance(inner, optax.ApplyIfFiniteState) else None
