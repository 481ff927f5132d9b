"""What every trainable shares: the records, the states, and the steps that update them."""

from jaxgan.steps.adversarial import adversarial, adversarial_of
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import GAN, Classifier, Recipe
from jaxgan.steps.rules import Adversarial
from jaxgan.steps.state import ClassifierState, GANState, NetState
from jaxgan.steps.supervised import supervised

__all__ = [
    "GAN",
    "Adam",
    "Adversarial",
    "Classifier",
    "ClassifierState",
    "GANState",
    "NetState",
    "Recipe",
    "adversarial",
    "adversarial_of",
    "supervised",
]
