"""What every trainable shares: the records, the states, and the steps that update them."""

from jaxgan.steps.adversarial import adversarial, adversarial_of
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import GAN, Classifier, Recipe, Translator
from jaxgan.steps.rules import Adversarial
from jaxgan.steps.state import ClassifierState, GANState, NetState, TranslatorState
from jaxgan.steps.supervised import supervised
from jaxgan.steps.translation import translator
from jaxgan.steps.translation_rules import Translation

__all__ = [
    "GAN",
    "Adam",
    "Adversarial",
    "Classifier",
    "ClassifierState",
    "GANState",
    "NetState",
    "Recipe",
    "Translation",
    "Translator",
    "TranslatorState",
    "adversarial",
    "adversarial_of",
    "supervised",
    "translator",
]
