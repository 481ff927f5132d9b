"""PyTorch, eager: channels last, its fused Adam, denormals flushed; on a GPU, TF32 as in JAX and TensorFlow.

The generator's transposed convolution with stride 1 is the same map as a convolution with the kernel turned
around, and PyTorch cannot pad the former unevenly; so it is written as the latter, which also runs faster.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

PACKAGES = ("torch", "numpy")
WORKS = ("dcgan", "cnn", "gatys")


def prepare(case: Mapping[str, Any], *, compiled: bool = False) -> dict[str, Any]:
    """Builds the networks and takes the first step.

    Args:
        case: the fields of a `benchmarks.records.Case`.
        compiled: whether the networks go through ``torch.compile``.

    Returns:
        What `benchmarks.worker` needs to time further steps.
    """
    start = time.perf_counter()
    import torch

    from . import _torch_gatys
    from . import _work as work

    torch.set_num_threads(work.threads(case))
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    device = _device(case, work)
    wrap = torch.compile if compiled else _same
    with torch.device(device):
        update = {"dcgan": _dcgan, "cnn": _cnn, "gatys": _torch_gatys.update}[case["work"]](case, work, wrap)

    def step() -> dict[str, float]:
        losses = update()
        if device == "cuda":
            torch.cuda.synchronize()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    loaded = time.perf_counter()
    step()
    return {
        "step": step,
        "images": case["batch_size"],
        "phases": {"load": loaded - start, "first": time.perf_counter() - loaded},
        "compiler_flops": None,
        "memory": {"peak": torch.cuda.max_memory_allocated() if device == "cuda" else work.host_peak()},
        "versions": work.versions("torch"),
    }


def _device(case: Mapping[str, Any], work: Any) -> str:
    """Gives PyTorch's name of the platform of the case."""
    import torch

    if case["options"].get("platform", "cpu") == "cpu":
        return "cpu"
    work.check_platform(case, "gpu" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    return "cuda"


def _same(network: Any) -> Any:
    return network


def _count(parameters: Iterable[Any]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _adam(parameters: list[Any], numbers: Mapping[str, float]) -> Any:
    import torch

    betas = (numbers["b1"], numbers["b2"])
    return torch.optim.Adam(
        parameters, lr=numbers["learning_rate"], betas=betas, eps=numbers["eps"], fused=True
    )


def _on_images(*layers: Any) -> Any:
    """Chains layers over images, kept in memory as NHWC; kernels start as in Keras."""
    import torch

    network = torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.xavier_uniform_(parameter)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    return network


def _generator(work: Any, sizes: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """Makes the map from latents f32[N, L] to images f32[N, C, H, W], and its parameters."""
    from torch import nn

    height, width, channels = sizes.stem
    near, middle = sizes.features, 2 * sizes.features
    norm = {"eps": work.BN_EPSILON, "momentum": 1 - work.BN_MOMENTUM}

    dense = _on_images(
        nn.Linear(work.LATENT_SIZE, height * width * channels, bias=False),
        nn.BatchNorm1d(height * width * channels, **norm),
        nn.LeakyReLU(work.SLOPE),
    )
    upward = _on_images(
        nn.Conv2d(channels, middle, work.KERNEL, padding="same", bias=False),
        nn.BatchNorm2d(middle, **norm),
        nn.LeakyReLU(work.SLOPE),
        nn.ConvTranspose2d(middle, near, work.KERNEL, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(near, **norm),
        nn.LeakyReLU(work.SLOPE),
        nn.ConvTranspose2d(near, 1, work.KERNEL, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )

    def generate(latents: Any) -> Any:
        stem = dense(latents).view(-1, height, width, channels)
        return upward(stem.permute(0, 3, 1, 2))

    return generate, [*dense.parameters(), *upward.parameters()]


def _discriminator(work: Any, sizes: Any) -> Any:
    from torch import nn

    near, far = sizes.features, 2 * sizes.features
    return _on_images(
        nn.Conv2d(1, near, work.KERNEL, stride=2, padding=1),
        nn.LeakyReLU(work.SLOPE),
        nn.Dropout(work.DROPOUT),
        nn.Conv2d(near, far, work.KERNEL, stride=2, padding=1),
        nn.LeakyReLU(work.SLOPE),
        nn.Dropout(work.DROPOUT),
        nn.Flatten(),
        nn.Linear(7 * 7 * far, 1),
    )


def _dcgan(case: Mapping[str, Any], work: Any, wrap: Callable[[Any], Any]) -> Callable[[], dict[str, Any]]:
    import torch
    from torch.nn.functional import softplus

    sizes = work.sizes(case)
    generate, generator_parameters = _generator(work, sizes)
    discriminator = _discriminator(work, sizes)
    players = {"generator": generator_parameters, "discriminator": list(discriminator.parameters())}
    expected = (sizes.generator_parameters, sizes.discriminator_parameters)
    counts = {name: _count(parameters) for name, parameters in players.items()}
    work.check_parameters(counts, dict(zip(players, expected, strict=True)))
    generate, judge = wrap(generate), wrap(discriminator)
    optimizers = {name: _adam(parameters, work.GAN_ADAM) for name, parameters in players.items()}
    images = _images(work.batch("dcgan", case["batch_size"]))

    def update() -> dict[str, Any]:
        fakes = generate(torch.randn(len(images), work.LATENT_SIZE, device=images.device))
        real_logits, fake_logits = judge(images), judge(fakes)
        losses = {
            "generator": softplus(-fake_logits).mean(),
            "discriminator": softplus(-real_logits).mean() + softplus(fake_logits).mean(),
        }
        gradients = {
            name: torch.autograd.grad(losses[name], players[name], retain_graph=name == "generator")
            for name in players
        }
        for name, parameters in players.items():
            for parameter, gradient in zip(parameters, gradients[name], strict=True):
                parameter.grad = gradient
            optimizers[name].step()
        return losses

    return update


def _cnn(case: Mapping[str, Any], work: Any, wrap: Callable[[Any], Any]) -> Callable[[], dict[str, Any]]:
    import torch
    from torch import nn

    first, second = work.CNN_FEATURES
    network = _on_images(
        nn.Conv2d(1, first, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(5 * 5 * second, work.CNN_HIDDEN),
        nn.ReLU(),
        nn.Linear(work.CNN_HIDDEN, work.CLASSES),
    )
    work.check_parameters({"network": _count(network.parameters())}, {"network": work.CNN_PARAMETERS})
    classify = wrap(network)
    optimizer = _adam(list(network.parameters()), work.CNN_ADAM)
    batch = work.batch("cnn", case["batch_size"])
    images, labels = _images(batch), torch.asarray(batch["label"]).long()

    def update() -> dict[str, Any]:
        loss = nn.functional.cross_entropy(classify(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"network": loss}

    return update


def _images(batch: Mapping[str, Any]) -> Any:
    """Gives f32[N, C, H, W], in memory as NHWC."""
    import torch

    return torch.asarray(batch["image"]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
