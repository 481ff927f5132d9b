"""``jaxgan models``."""

import dataclasses

import tyro
from rich.console import Console
from rich.table import Table

from jaxgan import zoo


@dataclasses.dataclass(frozen=True)
class Flags:
    """Lists the models with their networks: parameters, and what one image costs."""


def run(arguments: list[str]) -> int:
    """Prints the table."""
    tyro.cli(Flags, args=arguments, prog="jaxgan models")
    table = Table(caption="FLOPs of one forward pass and activations kept for the backward pass, per image")
    for heading in ("model", "network", "input"):
        table.add_column(heading)
    for heading in ("parameters", "MFLOPs", "activations, KiB"):
        table.add_column(heading, justify="right")
    for name in zoo.names():
        model = zoo.get(name)
        costs = model.network_costs(model.config())
        for network, (_, shape) in model.networks(model.config()).items():
            found = costs[network]
            table.add_row(
                name,
                network,
                "x".join(map(str, shape)),
                f"{found.parameters:,}",
                f"{found.flops / 1e6:,.1f}",
                f"{found.activation_bytes / 1024:,.0f}",
            )
    Console().print(table)
    print("train one with: jaxgan train MODEL")
    return 0
