"""The trained networks of a run, and what each of them takes."""

from typing import Any, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import interpret, runs, zoo
from jaxgan.steps import Classifier, Translator
from jaxgan.steps.average import averaged
from jaxgan.typing import PyTree
from jaxgan.validation import InputError


class Player(NamedTuple):
    """A network with its variables.

    Attributes:
        name: ``"network"`` of a classifier, ``"generator"`` or ``"discriminator"``.
        network: it itself.
        variables: its arrays, or their shapes and dtypes.
        inputs: the shapes and dtypes of one image (or latent), and of its label if it is told one.
    """

    name: str
    network: linen.Module
    variables: PyTree
    inputs: tuple[jax.ShapeDtypeStruct, ...]

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """What each layer gives for one image: its shape, by the layer's name, in their order."""
        return interpret.layer_shapes(self.network, self.variables, *self.inputs)

    @property
    def filters(self) -> dict[str, Any]:
        """The kernels of convolutions by the names of their layers, in the order of those."""
        found = interpret.filters(self.variables["params"])
        return {name: found[name] for name in self.layers if name in found}


def open_players(run: runs.Run, state: PyTree | None = None) -> dict[str, Player]:
    """Names the networks of a run: that of a classifier, or generator and discriminator.

    Averaged ones are taken where there are any, as for samples and predictions.

    Args:
        run: the run.
        state: its state; without it, shapes and dtypes take the place of arrays.

    Raises:
        InputError: it is a run of a translator, which has networks in two directions.
    """
    config = run.settings.model
    trainable = run.model.build(config)
    if isinstance(trainable, Translator):
        raise InputError(
            f"{run.folder.path} is a run of {run.model.name}, which translates images; jaxgan explain looks "
            "into classifiers and into GANs that draw images"
        )
    if state is None:
        state = jax.eval_shape(trainable.init, jax.random.key(0))
    variables: dict[str, Any] = {}
    if isinstance(trainable, Classifier):
        variables["network"] = averaged(state, state.network)
        classes = None
    else:
        variables["generator"] = averaged(state, state.generator)
        variables["discriminator"] = state.discriminator
        classes = zoo.num_classes(config)
    told = () if classes is None else (jax.ShapeDtypeStruct((1,), jnp.int32),)
    return {
        name: Player(
            name,
            network,
            {"params": variables[name].params, **variables[name].model_state},
            (jax.ShapeDtypeStruct((1, *shape), jnp.float32), *told),
        )
        for name, (network, shape) in run.model.networks(config).items()
    }
