"""What every trainable shares: the records, the states, and the steps that update them."""

from jaxgan.steps.adversarial import adversarial, adversarial_of
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import GAN, Built, Classifier, Recipe, Stylist, Translator
from jaxgan.steps.rules import Adversarial
from jaxgan.steps.state import ClassifierState, GANState, NetState, StylistState, TranslatorState
from jaxgan.steps.supervised import supervised
from jaxgan.steps.translation import translator
from jaxgan.steps.translation_rules import Translation

__all__ = [
    "GAN",
    "Adam",
    "Adversarial",
    "Built",
    "Classifier",
    "ClassifierState",
    "GANState",
    "NetState",
    "Recipe",
    "Stylist",
    "StylistState",
    "Translation",
    "Translator",
    "TranslatorState",
    "adversarial",
    "adversarial_of",
    "supervised",
    "translator",
]
