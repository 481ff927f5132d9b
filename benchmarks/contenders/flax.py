"""Plain Flax Linen and optax under one `jax.jit`, as most people write them; no XLA flags."""

import time
from collections.abc import Mapping
from typing import Any

PACKAGES = ("jax", "flax", "optax", "numpy")
WORKS = ("dcgan", "cnn")


def prepare(case: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the networks, compiles the step and takes the first one.

    Args:
        case: the fields of a `benchmarks.records.Case`.

    Returns:
        What `benchmarks.worker` needs to time further steps.
    """
    begin = time.perf_counter()
    import flax  # noqa: F401
    import optax  # noqa: F401

    from . import _jax as on_jax
    from . import _work as work

    on_jax.start(case, work)
    loaded = time.perf_counter() - begin
    step, state = {"dcgan": _dcgan, "cnn": _cnn}[case["work"]](case, work, on_jax)
    found = on_jax.prepared(step, state, work.batch(case["work"], case["batch_size"]), work.host_peak)
    return {
        **found,
        "images": case["batch_size"],
        "phases": {"load": loaded, **found["phases"]},
        "versions": work.versions("jax", "jaxlib", "flax", "optax"),
    }


def _count(params: Any) -> int:
    import jax

    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _adam(numbers: Mapping[str, float]) -> Any:
    import optax

    return optax.adam(numbers["learning_rate"], b1=numbers["b1"], b2=numbers["b2"], eps=numbers["eps"])


def _players(work: Any, sizes: Any) -> dict[str, Any]:
    """Makes the generator and the discriminator."""
    from flax import linen as nn

    near, middle = sizes.features, 2 * sizes.features
    kernel, glorot = (work.KERNEL, work.KERNEL), nn.initializers.glorot_uniform()

    class Generator(nn.Module):
        @nn.compact
        def __call__(self, latents: Any, *, train: bool) -> Any:
            def activate(x: Any) -> Any:
                norm = nn.BatchNorm(not train, momentum=work.BN_MOMENTUM, epsilon=work.BN_EPSILON)
                return nn.leaky_relu(norm(x), work.SLOPE)

            height, width, channels = sizes.stem
            x = nn.Dense(height * width * channels, use_bias=False, kernel_init=glorot)(latents)
            x = activate(x).reshape(-1, height, width, channels)
            for features, stride in ((middle, 1), (near, 2)):
                strides = (stride, stride)
                x = nn.ConvTranspose(features, kernel, strides, use_bias=False, kernel_init=glorot)(x)
                x = activate(x)
            return nn.tanh(nn.ConvTranspose(1, kernel, (2, 2), use_bias=False, kernel_init=glorot)(x))

    class Discriminator(nn.Module):
        @nn.compact
        def __call__(self, images: Any, *, train: bool) -> Any:
            x = images
            for features in (near, middle):
                x = nn.Conv(features, kernel, (2, 2), kernel_init=glorot)(x)
                x = nn.leaky_relu(x, work.SLOPE)
                x = nn.Dropout(work.DROPOUT)(x, deterministic=not train)
            return nn.Dense(1, kernel_init=glorot)(x.reshape(len(x), -1))[:, 0]

    return {"generator": Generator(), "discriminator": Discriminator()}


def _first_variables(work: Any, sizes: Any, players: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Gives the parameters of both players, of the right number, and the generator's running averages."""
    import jax
    import jax.numpy as jnp

    shapes = {"generator": (work.LATENT_SIZE,), "discriminator": work.IMAGE_SHAPE}
    variables = {
        name: dict(player.init(key, jnp.zeros((1, *shapes[name])), train=False))
        for (name, player), key in zip(players.items(), jax.random.split(jax.random.key(0)), strict=True)
    }
    params = {name: variables[name].pop("params") for name in players}
    expected = (sizes.generator_parameters, sizes.discriminator_parameters)
    counts = {name: _count(params[name]) for name in players}
    work.check_parameters(counts, dict(zip(players, expected, strict=True)))
    return params, variables["generator"]


def _dcgan(case: Mapping[str, Any], work: Any, on_jax: Any) -> tuple[Any, Any]:
    """Gives the update of both players, and the first state."""
    import jax
    import optax

    sizes = work.sizes(case)
    players = _players(work, sizes)
    generator, discriminator = players.values()
    params, stats = _first_variables(work, sizes, players)
    optimizer = _adam(work.GAN_ADAM)

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        params, stats = state["params"], state["stats"]
        key, latents_key, real_key, fake_key = jax.random.split(state["key"], 4)
        images = batch["image"]

        def generate(params: Any) -> Any:
            latents = jax.random.normal(latents_key, (len(images), work.LATENT_SIZE))
            return generator.apply({"params": params, **stats}, latents, train=True, mutable=["batch_stats"])

        def judge(params: Any, fakes: Any) -> Any:
            def logits(images: Any, key: Any) -> Any:
                return discriminator.apply({"params": params}, images, train=True, rngs={"dropout": key})

            return (logits(images, real_key), logits(fakes, fake_key)), {}

        losses, gradients, states = on_jax.players_gradients(generate, judge, params)
        moved, moments = {}, {}
        for name, gradient in gradients.items():
            updates, moments[name] = optimizer.update(gradient, state["moments"][name], params[name])
            moved[name] = optax.apply_updates(params[name], updates)
        return {"key": key, "params": moved, "moments": moments, "stats": states["generator"]}, losses

    moments = {name: optimizer.init(params[name]) for name in players}
    state = {"key": jax.random.key(1), "params": params, "moments": moments, "stats": stats}
    return step, state


def _cnn(_case: Mapping[str, Any], work: Any, _on_jax: Any) -> tuple[Any, Any]:
    """Gives the update of the classifier, and the first state."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import linen as nn

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for features in work.CNN_FEATURES:
                x = nn.relu(nn.Conv(features, (3, 3), padding="VALID")(x))
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.relu(nn.Dense(work.CNN_HIDDEN)(x.reshape(len(x), -1)))
            return nn.Dense(work.CLASSES)(x)

    network = Network()
    params = network.init(jax.random.key(0), jnp.zeros((1, *work.IMAGE_SHAPE)))["params"]
    work.check_parameters({"network": _count(params)}, {"network": work.CNN_PARAMETERS})
    optimizer = _adam(work.CNN_ADAM)

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        params, moments = state

        def objective(params: Any) -> Any:
            logits = network.apply({"params": params}, batch["image"])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()

        loss, gradients = jax.value_and_grad(objective)(params)
        updates, moments = optimizer.update(gradients, moments, params)
        return (optax.apply_updates(params, updates), moments), {"network": loss}

    return step, (params, optimizer.init(params))
