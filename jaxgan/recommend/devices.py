"""What devices reach that are not here: few measurements, carried over by published numbers.

Steps of the zoo's sizes wait for memory and for the start of kernels more than for arithmetic: on an H100
the DCGAN's reaches 5 % of the published peak. So what was measured or planned on one device is carried to
others of its kind by the ratio of their memory bandwidths, as far as the other's peak.
"""

from typing import NamedTuple

from jaxgan.recommend.rules import Device
from jaxgan.validation import require


class Published(NamedTuple):
    """A maker's data sheet: NVIDIA's, and those of Cloud TPU (docs.cloud.google.com/tpu).

    Attributes:
        name: the device.
        base: the device whose numbers are carried over to it.
        peak: FLOPs per second, dense, in the arithmetic that JAX chooses for float32: TF32 where a GPU has
            it, bfloat16 on TPUs.
        bandwidth: bytes per second.
        memory: bytes.
    """

    name: str
    base: str
    peak: float
    bandwidth: float
    memory: int


class Base(NamedTuple):
    """What was found out about a device, by the reports in ``benchmarks/results``.

    Attributes:
        flops_per_second: what a step of the DCGAN at batch 128 reaches.
        least_seconds: what a step of two players takes however small it is: on the H100 batch 16 takes as
            long as 128 (sweep-gpu.json).
        source: how that is known.
    """

    flops_per_second: float
    least_seconds: float
    source: str


PUBLISHED = {
    "h100": Published("NVIDIA H100 SXM", "h100", 494.7e12, 3.35e12, 80 * 10**9),
    "h200": Published("NVIDIA H200", "h100", 494.7e12, 4.8e12, 141 * 10**9),
    "a100": Published("NVIDIA A100 80GB SXM", "h100", 156e12, 2.039e12, 80 * 10**9),
    "l4": Published("NVIDIA L4", "h100", 60e12, 0.3e12, 24 * 10**9),
    "t4": Published("NVIDIA T4", "h100", 8.1e12, 0.32e12, 16 * 10**9),
    "v100": Published("NVIDIA V100 SXM2", "h100", 15.7e12, 0.9e12, 16 * 10**9),
    "tpu-v4": Published("TPU v4, one chip", "tpu-v5e", 275e12, 1.2e12, 32 * 10**9),
    "tpu-v5e": Published("TPU v5e, one chip", "tpu-v5e", 197e12, 0.819e12, 16 * 10**9),
    "tpu-v5p": Published("TPU v5p, one chip", "tpu-v5e", 459e12, 2.765e12, 95 * 10**9),
    "tpu-v6e": Published("TPU v6e, one chip", "tpu-v5e", 918e12, 1.638e12, 32 * 10**9),
}
BASES = {
    "h100": Base(23.6e12, 1.5e-3, "measured: a DCGAN step, 1.5 ms (peers-gpu.json)"),
    "tpu-v5e": Base(45.4e12, 0.0, "not measured: the compiler's plan of a DCGAN step (estimate-tpu.json)"),
}
XEON = Device(
    "2 cores of an Intel Xeon",
    57.4e9,
    0.0,
    25_276_510_208,
    "measured: 57 GFLOP/s, the median of five GANs' steps (gans-cpu.json)",
)
HERE = "here"
ALIASES = {"gpu": "h100", "tpu": "tpu-v5e"}
NAMES = (HERE, "cpu", *ALIASES, *PUBLISHED)


def known(name: str) -> Device:
    """What is known of a device that is not here.

    Args:
        name: one of `NAMES`, but not `HERE`; gpu stands for h100, and tpu for tpu-v5e.

    Raises:
        InputError: another name.

    >>> known("h100").flops_per_second / 1e12, known("t4").name
    (23.6, 'NVIDIA T4')
    """
    require(name in NAMES and name != HERE, "device", name, "one of " + ", ".join(NAMES))
    if name == "cpu":
        return XEON
    key = ALIASES.get(name, name)
    device = PUBLISHED[key]
    base, reference = BASES[device.base], PUBLISHED[device.base]
    reached = min(device.peak, base.flops_per_second * device.bandwidth / reference.bandwidth)
    source = base.source
    if key != device.base:
        ratio = device.bandwidth / reference.bandwidth
        source = (
            f"estimated: {ratio:.2f} times what the {reference.name} reaches, the ratio of the published "
            f"memory bandwidths; there {base.source}"
        )
    share = reached / device.peak
    source += f"; {reached / 1e12:.1f} TFLOP/s are {share:.0%} of the published peak"
    return Device(device.name, reached, base.least_seconds, device.memory, source)
