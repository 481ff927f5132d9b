"""The same step on one device, on eight, and on two processes: in processes of their own."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import batch_axis, parallel
from jaxgan.gans import dcgan
from jaxgan.validation import InputError

SCRIPT = Path(__file__).with_name("agreement.py")


def start(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report(process):
    out, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1])


def check(found, *, devices, cases, within=5e-6):
    assert found["devices"] == devices
    assert len(found["differences"]) == cases
    # The params move by about 1e-3 in five steps; sums in another order differ by a few 1e-6, since Adam
    # makes small gradients large.
    assert max(found["differences"].values()) < within, found
    assert all(found["donated"].values()), found
    assert len(found["scores"]) == 9
    paths = {name: found["scores"].pop(name) for name in ("ppl_projected", "ppl_std_projected")}
    assert max(found["scores"].values()) < 1e-5, found["scores"]
    assert max(paths.values()) < 0.02, paths  # differences of nearly equal images, in single precision


@pytest.mark.slow
@pytest.mark.smoke
def test_eight_devices_agree_with_one():
    check(report(start("dcgan,cnn,mixed", 8)), devices=8, cases=9)


@pytest.mark.slow
def test_eight_devices_agree_with_one_about_translators():
    """Less closely: where a pixel is as it should be, the derivative of an L1 distance jumps from -1 to 1."""
    check(report(start("cyclegan", 8)), devices=8, cases=3, within=2e-3)


@pytest.mark.slow
def test_two_processes_agree_with_one():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [start("cnn", 2, process_id, 2, port) for process_id in range(2)]
    for process in processes:
        check(report(process), devices=4, cases=3)


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="parallel is 'threads'; it must be one of jit, pmap, shard_map"):
        parallel.layout("threads")


def test_a_batch_that_devices_cannot_share_is_refused():
    layout = parallel.Layout("jit", jax.sharding.AbstractMesh((8,), ("batch",)))
    layout.check_batch_size(16)
    with pytest.raises(InputError, match="batch_size is 12; it must be a multiple of 8"):
        layout.check_batch_size(12)


@pytest.mark.parametrize("mode", parallel.MODES)
def test_a_layout_places_states_and_batches(mode):
    layout = parallel.layout(mode)
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    state = layout.put_state({"w": values})
    abstract = layout.abstract_state(state)["w"]
    assert (abstract.shape, abstract.dtype, abstract.sharding) == ((3, 2), values.dtype, layout.replicated)

    def step(state, batch, key):
        return {"w": state["w"] + batch_axis.pmean(batch["image"].sum())}, {"noise": jax.random.uniform(key)}

    compiled, key = layout.compile(step), layout.put_state(jax.random.key(0))
    for _ in range(2):  # the step consumes its state, but not the one that was copied for it
        stepped, _ = compiled(layout.put_state(state), layout.put_batch({"image": values}), key)
        np.testing.assert_array_equal(stepped["w"], values + values.sum())


def test_what_runs_once_gives_the_same_but_for_last_digits():
    init = dcgan.build(dcgan.Config(features=2, kernel_init="normal")).init
    key = jax.random.key(0)
    once, optimised = parallel.compile_once(init)(key), parallel.compile_function(init)(key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), once, optimised)


@pytest.mark.parametrize(
    ("platform", "options"), [("cpu", {"xla_backend_optimization_level": 0}), ("tpu", None)]
)
def test_only_a_processor_is_told_not_to_optimise(platform, options, monkeypatch):
    monkeypatch.setattr(parallel.jax, "default_backend", lambda: platform)
    monkeypatch.setattr(parallel.jax, "jit", lambda _, *, compiler_options: compiler_options)
    assert parallel.compile_once(abs) == options
