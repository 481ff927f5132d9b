"""Keras 3 layers on TensorFlow: one ``tf.function`` for the update, oneDNN as it comes, no XLA.

The epoch is Keras's own ``fit``.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

PACKAGES = ("tensorflow", "keras", "numpy")
WORKS = ("dcgan", "cnn", "cnn-epoch")


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the networks, traces the step and takes the first one.

    Args:
        case: the fields of a `benchmarks.records.Case`.

    Returns:
        What `benchmarks.worker` needs to time further steps, or epochs.
    """
    begin = time.perf_counter()
    from . import _keras as on_keras
    from . import _work as work

    platform = start(case, work, seed=0)
    loaded = time.perf_counter() - begin
    if case["work"] == "cnn-epoch":
        step, phases, images = on_keras.epoch(case, work)
    else:
        images = case["batch_size"]
        update = {"dcgan": _dcgan, "cnn": _cnn}[case["work"]](case, work, on_keras)
        step, phases = _traced(update, work.batch(case["work"], images))
    return {
        "step": step,
        "images": images,
        "phases": {"load": loaded, **phases},
        "compiler_flops": None,
        "memory": {"peak": _peak(platform, work)},
        "versions": work.versions("tensorflow", "keras"),
    }


def start(case: Mapping[str, Any], work: Any, *, seed: int) -> str:
    """Loads TensorFlow and Keras, with the threads, the platform and the randomness of the case.

    Returns:
        The platform.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(work.threads(case))
    platform = _platform(case, work)
    import keras

    keras.utils.set_random_seed(seed)
    return platform


def _platform(case: Mapping[str, Any], work: Any) -> str:
    """Keeps TensorFlow to the platform of the case."""
    import tensorflow as tf

    if case["options"].get("platform", "cpu") == "cpu":
        tf.config.set_visible_devices([], "GPU")
    return work.check_platform(case, "gpu" if tf.config.get_visible_devices("GPU") else "cpu")


def _peak(platform: str, work: Any) -> int | None:
    import tensorflow as tf

    return work.host_peak() if platform == "cpu" else tf.config.experimental.get_memory_info("GPU:0")["peak"]


def _traced(
    update: Callable[[Any], dict[str, Any]], arrays: Mapping[str, Any]
) -> tuple[Callable[[], dict[str, float]], dict[str, float]]:
    """Traces an update as one graph and runs it once."""
    import tensorflow as tf

    batch = {name: tf.constant(array) for name, array in arrays.items()}
    graph = tf.function(update)

    def step() -> dict[str, float]:
        losses = graph(batch)
        tf.test.experimental.sync_devices()
        return {name: float(loss) for name, loss in losses.items()}

    times = [time.perf_counter()]
    graph.get_concrete_function(batch)
    times.append(time.perf_counter())
    step()
    times.append(time.perf_counter())
    return step, {"trace": times[1] - times[0], "first": times[2] - times[1]}


def _dcgan(case: Mapping[str, Any], work: Any, on_keras: Any) -> Callable[[Any], dict[str, Any]]:
    return update_of(on_keras.players(work, work.sizes(case)), case["batch_size"], work, on_keras)


def update_of(
    players: Mapping[str, Any], batch_size: int, work: Any, on_keras: Any
) -> Callable[[Any], dict[str, Any]]:
    """Makes the update of a generator and a discriminator: a batch to the losses of both."""
    import tensorflow as tf

    generator, discriminator = players.values()
    optimizers = {name: on_keras.adam(work.GAN_ADAM, player) for name, player in players.items()}

    def update(batch: Any) -> dict[str, Any]:
        images = batch["image"]
        latents = tf.random.normal((batch_size, work.LATENT_SIZE))
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = generator(latents, training=True)
            real_logits = discriminator(images, training=True)
            fake_logits = discriminator(fakes, training=True)
            losses = {
                "generator": tf.reduce_mean(tf.nn.softplus(-fake_logits)),
                "discriminator": tf.reduce_mean(tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits)),
            }
        tapes = {"generator": generator_tape, "discriminator": discriminator_tape}
        gradients = {
            name: tape.gradient(losses[name], players[name].trainable_variables)
            for name, tape in tapes.items()
        }
        for name, player in players.items():
            optimizers[name].apply(gradients[name], player.trainable_variables)
        return losses

    return update


def _cnn(_case: Mapping[str, Any], work: Any, on_keras: Any) -> Callable[[Any], dict[str, Any]]:
    import tensorflow as tf

    network = on_keras.classifier(work)
    optimizer = on_keras.adam(work.CNN_ADAM, network)

    def update(batch: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            logits = network(batch["image"], training=True)
            values = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
            loss = tf.reduce_mean(values)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return {"network": loss}

    return update
