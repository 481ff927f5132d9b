"""What holds the discriminator back: one value for each example, to be added to its loss.

A penalty has no weight of its own; the papers' weights are factors of it. `gradient_penalty` suits a critic
(the loss ``"wasserstein"``), `r1` the other losses, with `r2` for the relativistic ones; `lecam`,
`consistency` and `balanced_consistency` help where images are few.
"""

from jaxgan.penalties.lazy import lazily
from jaxgan.penalties.logits import Anchors, balanced_consistency, consistency, lecam, update_anchors
from jaxgan.penalties.slopes import (
    Discriminate,
    dragan,
    estimated_squared_slopes,
    gradient_penalty,
    r1,
    r2,
    squared_slopes,
)
from jaxgan.penalties.table import PENALTIES, Augment, Inputs, Penalty, get
from jaxgan.penalties.terms import ON_LOGITS, ON_SLOPES, WEIGHTS, Term, parse, parse_all, reweight

__all__ = [
    "ON_LOGITS",
    "ON_SLOPES",
    "PENALTIES",
    "WEIGHTS",
    "Anchors",
    "Augment",
    "Discriminate",
    "Inputs",
    "Penalty",
    "Term",
    "balanced_consistency",
    "consistency",
    "dragan",
    "estimated_squared_slopes",
    "get",
    "gradient_penalty",
    "lazily",
    "lecam",
    "parse",
    "parse_all",
    "r1",
    "r2",
    "reweight",
    "squared_slopes",
    "update_anchors",
]
