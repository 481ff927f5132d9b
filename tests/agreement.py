"""Run by test_parallel in a process of its own: trains on every layout and compares with one device.

usage: agreement.py MODELS DEVICES [PROCESS_ID PROCESS_COUNT PORT]
"""

import functools
import json
import sys

import jax

models = sys.argv[1].split(",")
devices, *cluster = map(int, sys.argv[2:])
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", devices)
jax.config.update("jax_numpy_rank_promotion", "raise")
if cluster:
    process_id, process_count, port = cluster
    jax.distributed.initialize(f"127.0.0.1:{port}", process_count, process_id)

import numpy as np  # noqa: E402

from jaxgan import parallel  # noqa: E402
from jaxgan.classifiers import cnn  # noqa: E402
from jaxgan.gans import dcgan  # noqa: E402
from jaxgan.steps import Adam, Adversarial  # noqa: E402

MODELS = {
    "dcgan": dcgan.build(
        dcgan.Config(
            image_size=(8, 8),
            features=2,
            latent_size=4,
            game=Adversarial(updates="alternating", discriminator_steps=2, ema_decay=0.5),
        )
    ),
    "cnn": cnn.build(cnn.Config(image_size=(10, 10), features=2, hidden=4, optimizer=Adam(clip_norm=1.0))),
}
SIDES = {"dcgan": 8, "cnn": 10}
KEY = jax.random.key(0)
BATCH = 32


def batch(model, step, process_id=0, process_count=1):
    generator = np.random.default_rng(step)
    side = SIDES[model]
    whole = {
        "image": generator.uniform(-1, 1, (BATCH, side, side, 1)).astype(np.float32),
        "label": generator.integers(0, 10, BATCH).astype(np.int32),
    }
    part = BATCH // process_count
    return {name: value[process_id * part : (process_id + 1) * part] for name, value in whole.items()}


@functools.cache
def initial(model):
    state = parallel.compile_function(MODELS[model].init)(KEY)
    return jax.tree.map(np.asarray, state)


def train(model, layout, **process):
    trainable = MODELS[model]
    step = layout.compile(trainable.step)
    state, key = layout.put_state(initial(model)), layout.put_state(KEY)
    for number in range(5):
        given = state
        state, metrics = step(state, layout.put_batch(batch(model, number, **process)), key)
    donated = all(leaf.is_deleted() for leaf in jax.tree.leaves(given))
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state, metrics))], donated


if cluster:
    assert not parallel.on_any_process(False)
    assert parallel.on_any_process(process_id == 1)
alone = parallel.layout("jit", jax.local_devices()[:1])
report = {"devices": jax.device_count(), "differences": {}, "donated": {}}
for model in models:
    expected, _ = train(model, alone)
    for mode in parallel.MODES:
        process = {"process_id": process_id, "process_count": process_count} if cluster else {}
        found, donated = train(model, parallel.layout(mode), **process)
        pairs = zip(found, expected, strict=True)
        difference = max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in pairs)
        report["differences"][f"{model} {mode}"] = difference
        report["donated"][f"{model} {mode}"] = donated
print(json.dumps(report))
