"""The networks of the work as Keras 3 layers, for either of its backends, and an epoch of Keras's own loop.

Import it only after the environment variable ``KERAS_BACKEND`` has been set.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any


def players(work: Any, sizes: Any) -> dict[str, Any]:
    """Makes the generator and the discriminator, and checks their sizes."""
    found = {"generator": _generator(work, sizes), "discriminator": _discriminator(work, sizes)}
    expected = (sizes.generator_parameters, sizes.discriminator_parameters)
    work.check_parameters(_counts(found), dict(zip(found, expected, strict=True)))
    return found


def _generator(work: Any, sizes: Any) -> Any:
    import keras
    from keras import layers

    def activation() -> list[Any]:
        norm = layers.BatchNormalization(momentum=work.BN_MOMENTUM, epsilon=work.BN_EPSILON)
        return [norm, layers.LeakyReLU(work.SLOPE)]

    def enlarge(features: int, stride: int, activation: str | None = None) -> Any:
        return layers.Conv2DTranspose(
            features, work.KERNEL, stride, padding="same", use_bias=False, activation=activation
        )

    height, width, channels = sizes.stem
    return keras.Sequential(
        [
            keras.Input((work.LATENT_SIZE,)),
            layers.Dense(height * width * channels, use_bias=False),
            *activation(),
            layers.Reshape((height, width, channels)),
            enlarge(2 * sizes.features, 1),
            *activation(),
            enlarge(sizes.features, 2),
            *activation(),
            enlarge(1, 2, activation="tanh"),
        ]
    )


def _discriminator(work: Any, sizes: Any) -> Any:
    import keras
    from keras import layers

    def judge(features: int) -> list[Any]:
        convolution = layers.Conv2D(features, work.KERNEL, 2, padding="same")
        return [convolution, layers.LeakyReLU(work.SLOPE), layers.Dropout(work.DROPOUT)]

    return keras.Sequential(
        [
            keras.Input(work.IMAGE_SHAPE),
            *judge(sizes.features),
            *judge(2 * sizes.features),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def classifier(work: Any) -> Any:
    """Makes the CNN, and checks its size."""
    import keras
    from keras import layers

    first, second = work.CNN_FEATURES
    network = keras.Sequential(
        [
            keras.Input(work.IMAGE_SHAPE),
            layers.Conv2D(first, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(second, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(work.CNN_HIDDEN, activation="relu"),
            layers.Dense(work.CLASSES),
        ]
    )
    work.check_parameters(_counts({"network": network}), {"network": work.CNN_PARAMETERS})
    return network


def _counts(models: Mapping[str, Any]) -> dict[str, int]:
    """Counts the numbers that each model trains."""
    import math

    return {
        name: sum(math.prod(variable.shape) for variable in model.trainable_variables)
        for name, model in models.items()
    }


def adam(numbers: Mapping[str, float], model: Any) -> Any:
    """Makes the optimiser of a model, with its variables."""
    import keras

    optimizer = keras.optimizers.Adam(
        numbers["learning_rate"], beta_1=numbers["b1"], beta_2=numbers["b2"], epsilon=numbers["eps"]
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def epoch(case: Mapping[str, Any], work: Any) -> tuple[Callable[[], dict[str, float]], dict[str, float], int]:
    """Compiles ``fit`` on one batch of the CNN.

    Args:
        case: with the option ``images``, those of an epoch.
        work: the module ``_work``.

    Returns:
        The function that fits the network for an epoch, the seconds of the first step, the number of images.
    """
    import keras

    images = int(case["options"].get("images") or 60_000)
    data = work.batch("cnn", images)
    network = classifier(work)
    network.compile(
        optimizer=adam(work.CNN_ADAM, network),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def fit(count: int = images) -> dict[str, float]:
        history = network.fit(
            data["image"][:count],
            data["label"][:count],
            batch_size=case["batch_size"],
            epochs=1,
            verbose=0,
        ).history
        return {name: values[-1] for name, values in history.items()}

    begin = time.perf_counter()
    fit(case["batch_size"])
    return fit, {"first": time.perf_counter() - begin}, images
