"""Keras 3 layers on JAX: the stateless forms of layers and optimisers under one `jax.jit`; no XLA flags.

The epoch is Keras's own ``fit``.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

PACKAGES = ("jax", "keras", "numpy")
WORKS = ("dcgan", "cnn", "cnn-epoch")


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the networks, compiles the step and takes the first one.

    Args:
        case: the fields of a `benchmarks.records.Case`.

    Returns:
        What `benchmarks.worker` needs to time further steps, or epochs.
    """
    begin = time.perf_counter()
    from . import _jax as on_jax
    from . import _keras as on_keras
    from . import _work as work

    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    on_jax.start(case, work)
    keras.utils.set_random_seed(0)
    loaded = time.perf_counter() - begin
    if case["work"] == "cnn-epoch":
        step, phases, images = on_keras.epoch(case, work)
        found: dict[str, Any] = {
            "step": step,
            "phases": phases,
            "compiler_flops": None,
            "memory": {"peak": on_jax.peak(work.host_peak)},
        }
    else:
        images = case["batch_size"]
        update, state = {"dcgan": _dcgan, "cnn": _cnn}[case["work"]](case, work, on_jax, on_keras)
        found = on_jax.prepared(update, state, work.batch(case["work"], images), work.host_peak)
    return {
        **found,
        "images": images,
        "phases": {"load": loaded, **found["phases"]},
        "versions": work.versions("jax", "jaxlib", "keras"),
    }


def _values(variables: Any) -> list[Any]:
    """Takes the arrays out of Keras variables, which must not be used after a step: it takes them over."""
    return [variable.value for variable in variables]


def _dcgan(case: Mapping[str, Any], work: Any, on_jax: Any, on_keras: Any) -> tuple[Any, Any]:
    """Gives the update of both players, and the first state."""
    import jax

    players = on_keras.players(work, work.sizes(case))
    generator, discriminator = players.values()
    optimizers = {name: on_keras.adam(work.GAN_ADAM, player) for name, player in players.items()}

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        params, others = state["params"], state["others"]
        key, latents_key = jax.random.split(state["key"])
        images = batch["image"]

        def generate(params: Any) -> Any:
            latents = jax.random.normal(latents_key, (len(images), work.LATENT_SIZE))
            return generator.stateless_call(params, others["generator"], latents, training=True)

        def judge(params: Any, fakes: Any) -> Any:
            call = discriminator.stateless_call
            real_logits, after = call(params, others["discriminator"], images, training=True)
            fake_logits, after = call(params, after, fakes, training=True)
            return (real_logits, fake_logits), after

        losses, gradients, others = on_jax.players_gradients(generate, judge, params)
        moved, moments = {}, {}
        for name, optimizer in optimizers.items():
            moved[name], moments[name] = optimizer.stateless_apply(
                state["moments"][name], gradients[name], params[name]
            )
        return {"key": key, "params": moved, "others": others, "moments": moments}, losses

    return step, {
        "key": jax.random.key(0),
        "params": {name: _values(player.trainable_variables) for name, player in players.items()},
        "others": {name: _values(player.non_trainable_variables) for name, player in players.items()},
        "moments": {name: _values(optimizer.variables) for name, optimizer in optimizers.items()},
    }


def _cnn(_case: Mapping[str, Any], work: Any, _on_jax: Any, on_keras: Any) -> tuple[Any, Any]:
    """Gives the update of the classifier, and the first state."""
    import jax
    import keras

    network = on_keras.classifier(work)
    optimizer = on_keras.adam(work.CNN_ADAM, network)

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        params, others, moments = state

        def objective(params: Any) -> Any:
            logits, after = network.stateless_call(params, others, batch["image"], training=True)
            values = keras.ops.sparse_categorical_crossentropy(batch["label"], logits, from_logits=True)
            return values.mean(), after

        (loss, others), gradients = jax.value_and_grad(objective, has_aux=True)(params)
        params, moments = optimizer.stateless_apply(moments, gradients, params)
        return (params, others, moments), {"network": loss}

    return step, (
        _values(network.trainable_variables),
        _values(network.non_trainable_variables),
        _values(optimizer.variables),
    )
