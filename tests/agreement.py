"""Run by test_parallel in a process of its own: trains and scores on every layout, compares with one device.

usage: agreement.py MODELS DEVICES [PROCESS_ID PROCESS_COUNT PORT]
"""

import functools
import json
import sys
import tempfile
from pathlib import Path

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
import players  # noqa: E402

from jaxgan import data, extractors, parallel, scoring  # noqa: E402
from jaxgan.classifiers import cnn  # noqa: E402
from jaxgan.gans import cyclegan, dcgan  # noqa: E402
from jaxgan.steps import Adam, Adversarial  # noqa: E402
from jaxgan.steps.state import evaluate_network  # noqa: E402

DCGAN = dcgan.Config(
    image_size=(8, 8),
    features=2,
    latent_size=4,
    game=Adversarial(updates="alternating", discriminator_steps=2, ema_decay=0.5),
)
CYCLEGAN = cyclegan.Config(
    image_size=(16, 16),
    features=2,
    blocks=1,
    patch_features=2,
    patch_halvings=1,
    cycle_weight=1.0,  # gradients of the size of the other models', and rounding errors too
    identity_weight=0.5,
    pool_size=40,
)
GENERATOR = dcgan.Generator(DCGAN)
MIXED = {
    "loss": "non_saturating",
    "penalties": ("r1:0.1:2", "lecam"),
    "augment": "ada:c",
    "ada_images": 512.0,
}
MODELS = {
    "mixed": players.game(
        players.Painter(classes=3, spread=0.5),
        players.Critic(classes=3, auxiliary=True, bend=0.2),
        num_classes=3,
        **MIXED,
    ),
    "dcgan": dcgan.build(DCGAN),
    "cyclegan": cyclegan.build(CYCLEGAN),
    "cnn": cnn.build(cnn.Config(image_size=(10, 10), features=2, hidden=4, optimizer=Adam(clip_norm=1.0))),
}
SIDES = {"mixed": 8, "dcgan": 8, "cyclegan": 16, "cnn": 10}
CLASSES = {"mixed": 3, "dcgan": 10, "cyclegan": 1, "cnn": 10}
KEY = jax.random.key(0)
BATCH = 32


def batch(model, step, process_id=0, process_count=1):
    generator = np.random.default_rng(step)
    side = SIDES[model]
    whole = {
        "image": generator.uniform(-1, 1, (BATCH, side, side, 1)).astype(np.float32),
        "target": generator.uniform(-1, 1, (BATCH, side, side, 1)).astype(np.float32),
        "label": generator.integers(0, CLASSES[model], BATCH).astype(np.int32),
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
    arrays = [leaf for leaf in jax.tree.leaves(given) if leaf.ndim]  # a number may be one that no step reads
    donated = all(leaf.is_deleted() for leaf in arrays)
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state, metrics))], donated


def score(layout):
    """Scores the untrained DCGAN by a fixed function of its images."""
    weights = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    extractor = extractors.of_function(
        lambda pixels: pixels.reshape(len(pixels), -1) @ weights, name="projected", digest="1"
    )
    source = scoring.Source(
        lambda state, keys: jax.vmap(lambda key: MODELS["dcgan"].sample(state, key, 1)[0])(keys),
        (8, 8, 1),
        (-1.0, 1.0),
        latents=lambda key: jax.random.normal(key, (4,)),
        decode=lambda state, latents: evaluate_network(
            GENERATOR, state.ema_params, state.ema_model_state, latents
        ),
    )
    plan = scoring.Scoring(metrics="fid,is,pr,ppl", samples=300, real=300)
    images = data.load("digits", image_size=(8, 8), channels=1)
    with tempfile.TemporaryDirectory() as folder:
        real = scoring.read_real(images, extractor, plan, folder=Path(folder))
    scorer = scoring.make_scorer(source, extractor, real, plan, layout=layout)
    state = layout.put_state(initial("dcgan"))
    return scorer.score(scorer.fetch(scorer.draw(state), lambda *_: None))


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
wanted, scores = score(alone), score(parallel.layout("pmap"))
report["scores"] = {name: abs(scores[name] - value) / max(abs(value), 1) for name, value in wanted.items()}
print(json.dumps(report))
