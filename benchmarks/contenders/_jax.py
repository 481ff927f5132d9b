"""What the contenders in JAX share: both players' gradients, and one compiled step.

Nothing here is clever: `jax.jit`, the state donated, and the compiler's flags as they come.
"""

import time
from collections.abc import Callable
from typing import Any

Step = Callable[[Any, Any], tuple[Any, dict[str, Any]]]


def players_gradients(generate: Any, judge: Any, params: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Differentiates the losses of both players, from one forward pass of each network on each batch.

    Args:
        generate: ``params -> fakes, state`` of the generator.
        judge: ``params, fakes -> (real_logits, fake_logits), state`` of the discriminator.
        params: those of ``"generator"`` and ``"discriminator"``.

    Returns:
        Losses, gradients and the networks' new states, each by the player's name.
    """
    import jax

    softplus = jax.nn.softplus
    fakes, pull_generator, generator_state = jax.vjp(generate, params["generator"], has_aux=True)
    logits, pull_discriminator, discriminator_state = jax.vjp(
        judge, params["discriminator"], fakes, has_aux=True
    )
    objectives = {
        "generator": lambda logits: softplus(-logits[1]).mean(),
        "discriminator": lambda logits: (softplus(-logits[0]) + softplus(logits[1])).mean(),
    }
    losses, bars = {}, {}
    for name, objective in objectives.items():
        losses[name], bars[name] = jax.value_and_grad(objective)(logits)
    discriminator_gradients, _ = pull_discriminator(bars["discriminator"])
    _, fakes_bar = pull_discriminator(bars["generator"])
    (generator_gradients,) = pull_generator(fakes_bar)
    gradients = {"generator": generator_gradients, "discriminator": discriminator_gradients}
    return losses, gradients, {"generator": generator_state, "discriminator": discriminator_state}


def start(case: Any, work: Any) -> None:
    """Sets JAX up for a case: what it compiles, it compiles anew.

    Raises:
        NotImplementedError: JAX runs on another platform here than the case asks for.
    """
    import jax

    work.check_platform(case, jax.default_backend())
    jax.config.update("jax_enable_compilation_cache", False)


def prepared(step: Step, state: Any, batch: Any, host_peak: Callable[[], int]) -> dict[str, Any]:
    """Compiles a step, takes the first one, and gives what `benchmarks.worker` needs but for the versions.

    Args:
        step: ``state, batch -> state, losses``; compiled with its state donated.
        state: the first state, a pytree of arrays.
        batch: what every step takes in.
        host_peak: gives the most bytes that the process has had.
    """
    import jax

    batch = jax.device_put(batch)
    times = [time.perf_counter()]
    traced = jax.jit(step, donate_argnums=0).trace(state, batch)
    times.append(time.perf_counter())
    lowered = traced.lower()
    times.append(time.perf_counter())
    compiled = lowered.compile()
    times.append(time.perf_counter())

    def run() -> dict[str, float]:
        nonlocal state
        state, losses = jax.block_until_ready(compiled(state, batch))
        return {name: float(loss) for name, loss in losses.items()}

    run()
    times.append(time.perf_counter())
    names = ("trace", "lower", "compile", "first")
    phases = {name: end - begin for name, begin, end in zip(names, times, times[1:], strict=False)}
    plan = compiled.memory_analysis()
    kinds = {"arguments": "argument", "outputs": "output", "temporaries": "temp", "aliased": "alias"}
    memory = {name: getattr(plan, f"{kind}_size_in_bytes", None) for name, kind in kinds.items()}
    memory["peak"] = peak(host_peak)
    return {"step": run, "phases": phases, "compiler_flops": _flops(compiled), "memory": memory}


def peak(host_peak: Callable[[], int]) -> int | None:
    """Finds the most bytes in use so far: of the device, or on CPU of the process."""
    import jax

    if jax.default_backend() == "cpu":
        return host_peak()
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def _flops(compiled: Any) -> float | None:
    """The compiler's own count; None where it has none."""
    found = (compiled.cost_analysis() or {}).get("flops", -1.0)
    return float(found) if found > 0 else None
