"""The rules by which models are ranked: numbers in, a ranking out.

A model is set back by what speaks against it, the gravest first:

1. memory: its step needs more than `MEMORY_SHARE` of the device's;
2. time: its recipe, scaled to the data, takes longer than there is, the more the worse;
3. size: the images are larger than the model was made for, or than there is time for, and are shrunk, the
   more the worse;
4. few images: the network that judges, a discriminator or a classifier, has more than
   `PARAMETERS_PER_IMAGE` parameters for each training image, and may learn them by heart.

Of those alike in this, the one whose recipe was chosen on a set of the most similar number of images comes
first; of recipes chosen on the same set, the one that was measured to be best there; then the fastest.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxgan.validation import require

PARAMETERS_PER_IMAGE = 300
"""A rule of thumb. He et al., arXiv:1512.03385, section 4.2, find a ResNet of 388 parameters for each image
of CIFAR-10 to overfit, and one of 34 not."""
MEMORY_SHARE = 0.8
KEPT = 0.9
"""Images of this share of their side are as good as whole: models want multiples of 4 or more."""
RULES = (
    "memory: at most 80 % of the device's",
    "time: the recipe's steps, scaled to the data, within the hours",
    "size: images that are not shrunk, as those are that the model was not made for or the time is too short",
    f"few images: at most {PARAMETERS_PER_IMAGE} parameters of the network that judges for each image",
    "then: a recipe chosen on a set of about this size; the best measured there; the fastest",
)
"""The same for the screen."""


class Data(NamedTuple):
    """What there is to learn from.

    Attributes:
        spec: the name of the data, as ``--data`` takes it.
        images: the number of training images, >= 1.
        image_size: the (height, width) that they have in the source; of the first, if they differ.
        channels: 1 or 3.
        num_classes: the number of classes; 0 without labels.
        domains: ``"paired"`` or ``"any"`` for images of two domains, with pairs or without; None for those of
            one.
    """

    spec: str
    images: int
    image_size: tuple[int, int]
    channels: int
    num_classes: int
    domains: str | None = None


class Device(NamedTuple):
    """What a device can do.

    Attributes:
        name: what it is.
        flops_per_second: what steps like those of the zoo reach, > 0.
        least_seconds: what the smallest step of two networks takes, >= 0.
        memory: its bytes; None where they are not known.
        source: where the numbers come from.
    """

    name: str
    flops_per_second: float
    least_seconds: float
    memory: int | None
    source: str


class Candidate(NamedTuple):
    """A model with a recipe, fitted to the data.

    Attributes:
        model: its name.
        preset: the recipe's name.
        options: what has to be said on the command line beside those two, such as ``("--steps", "900")``; the
            steps aside.
        image_size: the (height, width) that it learns.
        channels: 1 or 3.
        batch_size: the images of a step.
        recipe_steps: the steps of the recipe, >= 1.
        recipe_images: the number of training images that the recipe was chosen on, >= 1.
        recipe_size: the longer side that it was chosen for.
        score: what the recipe was measured to reach on its images: the FID of a GAN, the accuracy of a
            classifier; None where it was not.
        parameters: of all its networks.
        judging: those of the network that judges.
        updates: how many updates of a network a step makes, one after the other, >= 1.
        step_flops: the floating-point operations of a step.
        memory: the bytes that a step needs, about.
    """

    model: str
    preset: str
    options: tuple[str, ...]
    image_size: tuple[int, int]
    channels: int
    batch_size: int
    recipe_steps: int
    recipe_images: int
    recipe_size: int
    score: float | None
    parameters: int
    judging: int
    updates: int
    step_flops: int
    memory: int


class Choice(NamedTuple):
    """A candidate, and what it means here.

    Attributes:
        candidate: the candidate.
        step_seconds: what a step takes.
        is_measured: whether that was measured with this very step.
        steps: the steps of the recipe, scaled to the data.
        hours: what they take.
        complaints: what speaks against it, the gravest first; see the top of this file.
    """

    candidate: Candidate
    step_seconds: float
    is_measured: bool
    steps: int
    hours: float
    complaints: dict[str, str]

    @property
    def name(self) -> str:
        """What it is called: ``"dcgan"``, ``"dcgan steady"``, ``"resnet20"``."""
        model, preset = self.candidate.model, self.candidate.preset
        if preset.startswith(model):
            return preset
        return model if preset == "default" else f"{model} {preset}"

    @property
    def images_per_hour(self) -> float:
        """The training images that are shown in an hour."""
        return 3600 * self.candidate.batch_size / self.step_seconds

    def affordable_steps(self, hours: float) -> int:
        """The steps that fit into so many hours; the recipe's, if all of them do."""
        return max(1, min(self.steps, math.floor(3600 * hours / self.step_seconds)))


def scaled_steps(candidate: Candidate, images: int) -> int:
    """Scales a recipe to the data: more and larger images take more steps, fewer and smaller ones no fewer.

    The images shown grow as the square root of the number of images, so that passes become fewer, and as the
    longer side. A rule of thumb: on the 60,000 images of MNIST it makes 3 passes of the 20 over the digits.

    >>> candidate = Candidate("cnn", "default", (), (28, 28), 1, 32, 900, 1_438, 28, None, 0, 0, 1, 1, 0)
    >>> scaled_steps(candidate, 1_438), scaled_steps(candidate, 4 * 1_438), scaled_steps(candidate, 100)
    (900, 1800, 900)
    """
    more = max(1.0, math.sqrt(images / candidate.recipe_images))
    larger = max(1.0, max(candidate.image_size) / candidate.recipe_size)
    return math.ceil(candidate.recipe_steps * more * larger)


def step_seconds(candidate: Candidate, device: Device) -> float:
    """Estimates a step: its operations by what the device reaches, but no less than its smallest step."""
    return max(device.least_seconds * candidate.updates / 2, candidate.step_flops / device.flops_per_second)


def is_starved(judging: int, images: int) -> bool:
    """Tells whether there are few images for so many parameters.

    >>> is_starved(225_034, 1_438), is_starved(701_178, 1_438)
    (False, True)
    """
    return judging > PARAMETERS_PER_IMAGE * images


def judge(
    candidate: Candidate, data: Data, device: Device, hours: float, *, measured: float | None = None
) -> Choice:
    """Says what a candidate means for data, a device and hours.

    Args:
        candidate: the candidate.
        data: what there is to learn from.
        device: what it is learnt with.
        hours: the time there is, > 0.
        measured: the seconds of a step, where they were measured.

    Raises:
        InputError: hours that are not above 0.
    """
    require(0 < hours < math.inf, "hours", hours, "> 0 and finite")
    seconds = step_seconds(candidate, device) if measured is None else measured
    steps = scaled_steps(candidate, data.images)
    needed = steps * seconds / 3600
    found: dict[str, str] = {}
    if device.memory is not None and candidate.memory > MEMORY_SHARE * device.memory:
        found["memory"] = f"needs {format_memory(candidate.memory)} of {format_memory(device.memory)}"
    if needed > hours:
        found["time"] = f"{format_hours(needed)} of {format_hours(hours)}"
    if min(candidate.image_size) < KEPT * min(data.image_size):
        found["size"] = f"shrinks images to {candidate.image_size[0]}"
    if is_starved(candidate.judging, data.images):
        each = candidate.judging / data.images
        found["few images"] = f"{each:,.0f} params/image"
    return Choice(candidate, seconds, measured is not None, steps, needed, found)


def rank(choices: Iterable[Choice], images: int, *, higher_is_better: bool) -> list[Choice]:
    """Sorts choices, best first; see the top of this file.

    Args:
        choices: the choices.
        images: the number of training images.
        higher_is_better: whether a high score is a good one: accuracies, but not distances.
    """

    def key(choice: Choice) -> tuple:
        candidate = choice.candidate
        score = math.inf if candidate.score is None else candidate.score * (-1 if higher_is_better else 1)
        against = choice.complaints
        overrun = choice.hours if "time" in against else 0.0
        side = min(candidate.image_size) if "size" in against else math.inf
        unlike = abs(math.log(images / candidate.recipe_images))
        pace = choice.step_seconds / candidate.batch_size
        return "memory" in against, overrun, -side, "few images" in against, unlike, score, pace

    return sorted(choices, key=key)


def settle(ranked: Callable[[], list[Choice]], refine: Callable[[Choice], bool], count: int) -> list[Choice]:
    """Refines the first of a ranking until it stays as it is.

    Args:
        ranked: gives the ranking as it is now.
        refine: learns more of a choice, which may change the ranking; False where there is no more to learn.
        count: how many of the first must be refined.
    """
    while True:
        changed = [refine(choice) for choice in ranked()[:count]]
        if not any(changed):
            return ranked()


def format_memory(count: int) -> str:
    """Writes bytes in the unit that suits them.

    >>> format_memory(51_000_000), format_memory(25_276_510_208)
    ('51 MB', '25 GB')
    """
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.2g} GB"


def format_hours(hours: float) -> str:
    """Writes a time in the unit that suits it.

    >>> [format_hours(hours) for hours in (0.001, 0.5, 1, 30, 2000)]
    ['3.6 s', '30 min', '1 h', '30 h', '83 days']
    """
    for factor, unit, most in ((3600, "s", 90), (60, "min", 60), (1, "h", 96)):
        if hours * factor < most:
            value = hours * factor
            return f"{value:.2g} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{hours / 24:,.0f} days"
