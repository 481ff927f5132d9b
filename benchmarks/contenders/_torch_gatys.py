"""Style transfer in PyTorch: what the contender ``torch`` does in the work ``gatys``."""

from collections.abc import Callable, Mapping
from typing import Any


def update(case: Mapping[str, Any], work: Any, wrap: Callable[[Any], Any]) -> Callable[[], dict[str, Any]]:
    """Prepares a style transfer; what it returns takes one step of Adam on the picture."""
    import torch

    from .torch import _adam

    see = wrap(_encoder(case, work))
    content, style = (torch.asarray(each) for each in work.pictures())
    content, style = (_channels_last(each.permute(0, 3, 1, 2)) for each in (content, style))
    with torch.no_grad():
        contents = {layer: maps for layer, maps in see(content).items() if layer in work.CONTENT_LAYERS}
        grams = {layer: _gram(maps) for layer, maps in see(style).items() if layer in work.STYLE_LAYERS}
    picture = content.clone(memory_format=torch.channels_last).requires_grad_(True)
    optimizer = _adam([picture], work.GATYS_ADAM)

    def step() -> dict[str, Any]:
        maps = see(picture)
        styles = [_distance(_gram(maps[layer]), gram) for layer, gram in grams.items()]
        loss = (
            work.CONTENT_WEIGHT * sum(_distance(maps[layer], each) for layer, each in contents.items())
            + work.STYLE_WEIGHT * sum(styles) / len(styles)
            + work.VARIATION_WEIGHT * sum((picture.diff(dim=dim) ** 2).mean() for dim in (2, 3))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
        return {"loss": loss}

    return step


def _encoder(case: Mapping[str, Any], work: Any) -> Callable[[Any], dict[str, Any]]:
    """Makes what maps images f32[1, 3, H, W] to the maps of the layers, by name."""
    import torch
    from torch import nn

    mean, deviation = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (work.MEAN, work.DEVIATION))
    features, wanted = work.features(case), (*work.CONTENT_LAYERS, *work.STYLE_LAYERS)
    layers: list[tuple[str, Any]] = []
    channels = 3
    for stack, count in enumerate(work.VGG_STACKS):
        width = features * min(2**stack, 8)
        for number in range(count):
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            nn.init.orthogonal_(convolution.weight, 2**0.5)
            nn.init.zeros_(convolution.bias)
            layers += [("", convolution), (f"relu{stack + 1}_{number + 1}", nn.ReLU(inplace=True))]
            channels = width
        layers.append(("", nn.AvgPool2d(2)))
    last = max(index for index, (name, _) in enumerate(layers) if name in wanted)
    network = nn.ModuleList(layer for _, layer in layers[: last + 1]).requires_grad_(False)
    network.to(memory_format=torch.channels_last)

    def see(images: Any) -> dict[str, Any]:
        x, found = _channels_last((images - mean) / deviation), {}
        for (name, _), layer in zip(layers, network, strict=False):
            x = layer(x)
            if name in wanted:
                found[name] = x
        return found

    return see


def _channels_last(images: Any) -> Any:
    import torch

    return images.contiguous(memory_format=torch.channels_last)


def _gram(maps: Any) -> Any:
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def _distance(found: Any, wanted: Any) -> Any:
    return ((found - wanted) ** 2).sum() / (wanted**2).sum()
