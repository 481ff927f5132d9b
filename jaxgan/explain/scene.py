"""What a method works on: a run opened, with its networks, and what is wanted of it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan import runs, zoo
from jaxgan.explain.players import Player
from jaxgan.explain.request import Request, kind_of
from jaxgan.explain.subjects import Subjects, from_data, from_generator
from jaxgan.typing import Array, PyTree


class Scene(NamedTuple):
    """What a method works on.

    Attributes:
        run: the run.
        request: what is wanted.
        player: the network that is looked at.
        step: the step of the state.
        state: the state.
        files: the images that were named, if any.
        out: the PNG file.
    """

    run: runs.Run
    request: Request
    player: Player
    step: int
    state: PyTree
    files: Subjects | None
    out: Path

    @property
    def title(self) -> str:
        """Whose picture it is."""
        return f"{self.run.folder.path.name}: {self.run.model.name} after {self.step} steps"

    @property
    def value_range(self) -> tuple[float, float]:
        """The values of black and white."""
        low, high = self.run.settings.model.value_range
        return low, high

    @property
    def is_gan(self) -> bool:
        """Whether the run is one of a GAN that draws images."""
        return kind_of(self.run) == "gan"

    @property
    def translates(self) -> bool:
        """Whether the run is one of a translator."""
        return kind_of(self.run) == "translator"

    @property
    def is_told(self) -> bool:
        """Whether the network is told labels."""
        return len(self.player.inputs) > 1

    def told(self, labels: np.ndarray) -> tuple[np.ndarray, ...]:
        """The labels, for a network that is told them; else nothing."""
        return (labels,) if self.is_told else ()

    def shown(self, images: np.ndarray) -> np.ndarray:
        """Brings images from the model's range to [0, 1]."""
        low, high = self.value_range
        return (np.asarray(images) - low) / (high - low)

    def real(self, count: int) -> Subjects:
        """Test images."""
        named = "real, test" if self.is_gan else "test"
        found = from_data(self.run, count, named=named, takes=self.player.takes)
        label = self.request.label
        if self.is_told and label is not None:
            found = found._replace(labels=np.full_like(found.labels, label))
        return found

    def drawn(self, seeds: np.ndarray) -> Subjects:
        """What the GAN draws."""
        return from_generator(self.run, self.state, seeds, self.request.label)

    def seeds(self, count: int) -> np.ndarray:
        """The seeds that were chosen, or the first ones."""
        chosen = self.request.seeds
        return np.arange(count, dtype=np.uint32) if chosen is None else chosen

    @property
    def classes(self) -> int:
        """The number of classes; 0 without."""
        return zoo.num_classes(self.run.settings.model) or 0


def logit(outputs: Any) -> Array:
    """What a discriminator gives as its logits f[N], also where it tells classes beside."""
    found: Array = outputs[0] if isinstance(outputs, tuple) else outputs
    return found
