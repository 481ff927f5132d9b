"""The step of a classifier: gradient descent on the cross-entropy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgan import batch_axis
from jaxgan.steps.average import Averages, averaged, init_averages, update_averages
from jaxgan.steps.optimizer import Adam
from jaxgan.steps.records import Classifier
from jaxgan.steps.state import ClassifierState, apply_network, evaluate_network, init_network, update_network
from jaxgan.typing import Array, Batch, Metrics, PyTree


def supervised(
    network: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    optimizer: Adam,
    label_smoothing: float = 0.0,
    ema_decay: float | None = None,
) -> Classifier:
    r"""Makes a classifier of a network that gives logits.

    .. math:: L = -\frac{1}{N} \sum_n \sum_k \left( (1 - s) [k = y_n] + \frac{s}{K} \right)
              \log \text{softmax}(f(x_n))_k

    Args:
        network: maps images f32[N, *image_shape] to logits f32[N, K].
        image_shape: (H, W, C).
        optimizer: the optimiser.
        label_smoothing: s, the share of the label that all classes have alike, in [0, 1) (Szegedy et al.,
            arXiv:1512.00567).
        ema_decay: the decay of a moving average of the params, in [0, 1), from which predictions are then
            made (see `jaxgan.steps.average`); None for no average.

    Returns:
        A `jaxgan.steps.Classifier`. Its step reports ``loss`` and ``accuracy``, as means over the whole
        batch. The softmax stands in ``predict`` only.
    """
    tx = optimizer.build()

    def init(key: Array) -> ClassifierState:
        started = init_network(network, tx, key, jnp.zeros((1, *image_shape)))
        return ClassifierState(jnp.zeros((), jnp.int32), started, *init_averages(started, decay=ema_decay))

    def step(state: ClassifierState, batch: Batch, key: Array) -> tuple[ClassifierState, Metrics]:
        images, labels = batch["image"], batch["label"]
        if images.ndim != 4 or images.shape[1:] != image_shape or labels.shape != images.shape[:1]:
            raise ValueError(
                f"batch['image'] has shape {images.shape} and batch['label'] {labels.shape}; "
                f"the model takes [N, {str(image_shape)[1:-1]}] and [N]"
            )
        key = jax.random.fold_in(key, state.step)

        def objective(params: PyTree) -> tuple[Array, tuple[Array, PyTree]]:
            logits, model_state = apply_network(network, params, state.network.model_state, key, images)
            logits = logits.astype(jnp.float32)
            values = cross_entropy(logits, labels, smoothing=label_smoothing)
            return batch_axis.pmean(values.mean()), (logits, model_state)

        value_and_grad = jax.value_and_grad(objective, has_aux=True)
        (loss, (logits, model_state)), gradients = value_and_grad(state.network.params)
        accuracy = (logits.argmax(-1) == labels).mean(dtype=jnp.float32)
        updated = update_network(state.network, tx, batch_axis.pmean(gradients), model_state)
        metrics = {"loss": loss, "accuracy": batch_axis.pmean(accuracy)}
        averages = Averages(state.ema_params, state.ema_model_state)
        averages = update_averages(averages, updated, decay=ema_decay, step=state.step)
        return ClassifierState(state.step + 1, updated, *averages), metrics

    def predict(state: ClassifierState, images: Array) -> Array:
        return jax.nn.softmax(evaluate_network(network, *averaged(state, state.network), images))

    return Classifier(init, step, predict)


def cross_entropy(logits: Array, labels: Array, *, smoothing: float) -> Array:
    """How far f32[N, K] logits are from int32[N] labels, of which all classes have a share alike: f32[N]."""
    if not smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    wanted = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(logits, wanted)
