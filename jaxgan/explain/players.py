"""The trained networks of a run, and what each of them takes."""

from typing import Any, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp

from jaxgan import interpret, runs, zoo
from jaxgan.steps import GAN, Classifier, Stylist, Translator
from jaxgan.steps.average import Averages, averaged
from jaxgan.steps.state import NetState, TranslatorState
from jaxgan.typing import PyTree
from jaxgan.validation import InputError


class Player(NamedTuple):
    """A network with its variables.

    Attributes:
        name: ``"network"`` of a classifier, ``"generator"`` or ``"discriminator"``, or what else the model
            calls it.
        network: it itself.
        variables: its arrays, or their shapes and dtypes.
        inputs: the shapes and dtypes of one image (or latent), and of its label if it is told one.
        takes: which images of two domains it takes: ``"image"``, those of A, or ``"target"``, those of B.
    """

    name: str
    network: linen.Module
    variables: PyTree
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    takes: str = "image"

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
    """Names the networks of a run: that of a classifier, or those that draw and translate, then their judges.

    Averaged ones are taken where there are any, as for samples and predictions.

    Args:
        run: the run.
        state: its state; without it, shapes and dtypes take the place of arrays.

    Raises:
        InputError: it is a run of a model that draws in the style of others.
    """
    config = run.settings.model
    trainable = run.model.build(config)
    if isinstance(trainable, Stylist):
        raise InputError(
            f"{run.folder.path} is a run of {run.model.name}, which draws in the style of others; jaxgan "
            "explain looks into classifiers, GANs and translators"
        )
    if state is None:
        state = jax.eval_shape(trainable.init, jax.random.key(0))
    takes = ["image", "image"]
    if isinstance(trainable, Translator):
        directions = trainable.directions
        nets = [_averaged(state, direction) for direction in directions]
        nets += [state.discriminators[direction] for direction in directions]
        takes = ["image", "target"][: len(directions)] + ["target", "image"][: len(directions)]
    elif isinstance(trainable, Classifier):
        nets = [averaged(state, state.network)]
    else:
        nets = [averaged(state, state.generator), state.discriminator]
    classes = zoo.num_classes(config) if isinstance(trainable, GAN) else None
    told = () if classes is None else (jax.ShapeDtypeStruct((1,), jnp.int32),)
    return {
        name: Player(
            name,
            network,
            {"params": net.params, **net.model_state},
            (jax.ShapeDtypeStruct((1, *shape), jnp.float32), *told),
            taken,
        )
        for (name, (network, shape)), net, taken in zip(
            run.model.networks(config).items(), nets, takes, strict=False
        )
    }


def _averaged(state: TranslatorState, direction: str) -> Averages | NetState:
    params = state.ema_params[direction]
    return Averages(params, state.ema_model_state[direction]) if params else state.generators[direction]
