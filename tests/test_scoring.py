"""Scores of a generator: what is drawn, seen, kept, compared, and refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import data, extractors, metrics, parallel, scoring
from jaxgan.gans import dcgan
from jaxgan.scoring import reference
from jaxgan.scoring.measure import quantise
from jaxgan.scoring.table import named
from jaxgan.typing import unwatched
from jaxgan.validation import InputError

CONFIG = dcgan.Config(image_size=(12, 12), features=2, latent_size=4, kernel_init="normal")
GAN = dcgan.build(CONFIG)
WEIGHTS = np.random.default_rng(0).normal(size=(144, 6)).astype(np.float32) / 100
ALL = "fid,kid,is,pr,ppl,ms_ssim"


def project(pixels):
    return pixels.reshape(len(pixels), -1) @ WEIGHTS


EXTRACTOR = extractors.of_function(project, name="projected", digest="1")


def generate(state, keys):
    return jax.vmap(lambda key: GAN.sample(state, key, 1)[0])(keys)


def decode(state, latents):
    """A generator whose paths have a known length: every pixel is the first number of the latent, scaled."""
    return jnp.broadcast_to(state * latents[:, :1, None, None], (len(latents), 12, 12, 1))


SOURCE = scoring.Source(generate, (12, 12, 1), (-1.0, 1.0))


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", image_size=(12, 12), channels=1)


@pytest.fixture(scope="module")
def state():
    return parallel.compile_once(GAN.init)(jax.random.key(0))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def score(source, state, images, plan):
    real = scoring.read_real(images, EXTRACTOR, plan)
    scorer = scoring.make_scorer(source, EXTRACTOR, real, plan)
    batches = list(scorer.fetch(scorer.draw(state), unwatched))
    return scorer.score(batches), scoring.join(batches), real


@pytest.fixture(scope="module")
def by_hand(digits, state):
    """The images and the features of both sides, worked out without the scorer."""
    key = jax.random.key(7)
    keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(300))
    images = parallel.compile_function(generate)(state, keys)
    fake = np.clip(np.floor((np.asarray(images) + 1) * np.float32(127.5) + np.float32(0.5)), 0, 255).astype(
        np.uint8
    )
    real = digits.read(np.arange(len(digits)))["image"]
    return fake, [project(np.float32(pixels)) for pixels in (real, fake)]


def test_scores_are_those_of_the_images_themselves(digits, state, by_hand):
    plan = scoring.Scoring(metrics="fid,is,pr", samples=300, seed=7)
    found, batch, real = score(SOURCE, state, digits, plan)
    _, (real_features, fake_features) = by_hand
    np.testing.assert_allclose(batch.features, fake_features, atol=0.1)  # a pixel may round the other way
    assert real.images == len(digits)
    wanted = metrics.fid.from_features(real_features, fake_features)
    assert found["fid_projected"] == pytest.approx(wanted, rel=1e-4)
    wanted = metrics.inception_score.from_logits(fake_features)
    assert found["inception_score_projected"] == pytest.approx(wanted.mean, rel=1e-3)
    chosen = np.random.default_rng(7).permutation(len(digits))[:300]
    wanted = metrics.precision_recall.from_features(real_features[chosen], fake_features)
    assert found["precision_projected"] == pytest.approx(wanted.precision, abs=0.01)
    assert found["coverage_projected"] == pytest.approx(wanted.coverage, abs=0.01)


def test_images_that_are_there_are_scored_as_if_they_were_drawn(digits, state, by_hand):
    plan = scoring.Scoring(metrics="fid,ms_ssim", samples=300, seed=7)
    drawn, _, _ = score(SOURCE, state, digits, plan)
    given = scoring.score_images(by_hand[0], digits, EXTRACTOR, plan)
    assert given == pytest.approx(drawn, rel=1e-3)


@pytest.mark.parametrize("batch_size", [32, 100])
def test_scores_do_not_depend_on_batches(digits, state, monkeypatch, tmp_path, batch_size):
    plan = scoring.Scoring(metrics="fid,pr,ms_ssim", samples=150, real=200)
    before, _, _ = score(SOURCE, state, digits, plan)
    monkeypatch.setattr(reference, "BATCH_SIZE", batch_size)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    after, _, _ = score(SOURCE, state, digits, plan)
    assert after == pytest.approx(before, rel=1e-5)


def test_the_path_length_of_a_known_generator(digits):
    """Pixels follow the first of two numbers, which moves along the arc between two latents."""
    source = scoring.Source(
        lambda state, keys: decode(state, jax.vmap(lambda key: jax.random.normal(key, (2,)))(keys)),
        (12, 12, 1),
        (-1.0, 1.0),
        latents=lambda key: jax.random.normal(key, (2,)),
        decode=decode,
    )
    plan = scoring.Scoring(metrics="ppl", samples=64)
    found, batch, _ = score(source, jnp.float32(0.5), digits, plan)
    root = jax.random.key(plan.seed)
    wanted = []
    for place in range(64):
        key = jax.random.fold_in(jax.random.fold_in(root, place), 1)
        keys = jax.random.split(key, 3)
        a, b = (np.float64(jax.random.normal(keys[side], (2,))) for side in (0, 1))
        t = float(jax.random.uniform(keys[2]))
        slope = (arc(a, b, t + 1e-4) - arc(a, b, t))[0] / 1e-4
        wanted.append((0.5 * slope * 127.5) ** 2 * np.square(WEIGHTS.sum(0, dtype=np.float64)).sum())
    lengths = batch.probes["ppl"]
    np.testing.assert_allclose(lengths, wanted, rtol=0.05, atol=0.02 * np.max(wanted))
    assert found["ppl_projected"] == pytest.approx(np.mean(wanted), rel=0.2)


def arc(a, b, t):
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def test_real_images_are_seen_once_and_again_when_anything_changes(digits):
    calls = []

    def watched(images, extractor, plan):
        calls.clear()
        real = scoring.read_real(images, extractor, plan, watch=lambda *call: calls.append(call))
        return real, bool(calls)

    plan = scoring.Scoring(metrics="fid,kid", samples=1000)
    first, seen = watched(digits, EXTRACTOR, plan)
    assert seen
    second, seen = watched(digits, EXTRACTOR, plan)
    assert not seen
    jax.tree.map(np.testing.assert_array_equal, first.moments, second.moments)
    np.testing.assert_array_equal(*(metrics.features.ordered(real.features) for real in (first, second)))
    assert not watched(digits, EXTRACTOR, scoring.Scoring(metrics="fid", seed=1))[1]  # the same ones, all
    assert watched(digits, EXTRACTOR, scoring.Scoring(metrics="kid", samples=1000, seed=1))[1]
    assert watched(digits, EXTRACTOR, scoring.Scoring(metrics="fid", real=1000))[1]
    other = extractors.of_function(project, name="projected", digest="2")
    assert watched(digits, other, plan)[1]
    assert watched(data.load("digits", "test", image_size=(12, 12), channels=1), EXTRACTOR, FID)[1]


FID = scoring.Scoring(metrics="fid", samples=20)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_cache_is_made_anew(digits, tmp_path, damage):
    before = scoring.read_real(digits, EXTRACTOR, FID)
    (file,) = (tmp_path / "cache" / "jaxgan" / "real-moments").iterdir()
    content = bytearray(file.read_bytes())
    content[300] ^= 1
    file.write_bytes(content[:200] if damage == "cut" else content)
    after = scoring.read_real(digits, EXTRACTOR, FID)
    np.testing.assert_array_equal(before.moments.scatter, after.moments.scatter)


SMALL = {
    **scoring.METRICS,
    "kid": scoring.METRICS["kid"]._replace(
        compute=lambda real, state: {
            "kid": metrics.kid.compute(real.features, state, subsets=1, subset_size=400).mean
        }
    ),
}
"""The metrics, with a KID of all of 400 images."""


def judged(plan, real, seed, shift=0.0):
    """A generator known only by its features: Gaussian, with a given mean."""
    random = np.random.default_rng(seed)
    values = random.normal(shift, 1, (plan.samples, 4)).astype(np.float32)
    batch = scoring.Batch(np.arange(plan.samples), values, values, {"ms_ssim": values[::2, 0] / 10})
    scores = {}
    for name in plan.names:
        metric = SMALL[name]
        state = metric.update(metric.init(scoring.Sizes(plan.samples, 4, 4)), batch)
        scores.update(named(name, metric.compute(real, state), EXTRACTOR))
    return scoring.Judged(scores, batch)


def gaussian(count):
    values = np.random.default_rng(99).normal(size=(count, 4)).astype(np.float32)
    rows = metrics.features.update(metrics.features.init(4), values, np.arange(count))
    return scoring.Real(count, "", metrics.moments.update(metrics.moments.init(4), values), rows)


def test_intervals_are_about_as_wide_as_scores_really_vary():
    """Scores of other samples of one generator spread as the resampled ones do, within a factor of two."""
    plan = scoring.Scoring(metrics="fid,is,pr,ms_ssim", samples=400)
    object.__setattr__(plan, "metrics", "fid,is,pr,ms_ssim,kid")  # which of its own accord wants 1,000
    real = gaussian(400)
    several = [judged(plan, real, seed) for seed in range(24)]
    found = scoring.compare(several[0], several[1], real, EXTRACTOR, plan, resamples=200)
    assert len(found) == 8
    for name, interval in found.items():
        spread = np.sqrt(2) * np.std([one.scores[name] for one in several], ddof=1)
        width = (interval.high - interval.low) / (2 * 1.96)
        assert 1 / 2 < width / spread < 2, (name, width / spread)


def test_generators_that_differ_are_told_apart():
    plan = scoring.Scoring(metrics="fid,pr", samples=300)
    real = gaussian(400)
    first, second = judged(plan, real, 1), judged(plan, real, 2, shift=1.5)
    found = scoring.compare(first, second, real, EXTRACTOR, plan, resamples=40)
    fid = found["fid_projected"]
    assert fid.value == pytest.approx(first.scores["fid_projected"] - second.scores["fid_projected"])
    assert fid.high < 0
    assert found["precision_projected"].low > 0


def test_quantised_images_are_whole_numbers_of_a_byte():
    images = jnp.linspace(-1.2, 1.2, 1001)
    pixels = quantise(images, (-1.0, 1.0))
    np.testing.assert_array_equal(pixels, np.asarray(pixels).astype(np.uint8))
    assert np.abs(np.asarray(pixels) / 127.5 - 1 - np.clip(images, -1, 1)).max() <= 0.5 / 127.5 + 1e-5


def test_few_samples_are_said(digits):
    plan = scoring.Scoring(metrics="fid", samples=4)
    real = scoring.read_real(digits, EXTRACTOR, plan)
    assert "4 images for 6 features" in scoring.few_samples(plan, real)
    assert not scoring.few_samples(scoring.Scoring(metrics="fid", samples=40), real)
    with pytest.warns(metrics.FewSamplesWarning, match="4 images for 6 features"):
        scoring.score_images(digits.read(np.arange(4))["image"], digits, EXTRACTOR, plan)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": "fid,kidd"}, "metrics is 'kidd'; it must be some of fid, kid, .*; did you mean kid?"),
        ({"metrics": " , "}, "metrics is ' , '; it must be some of"),
        ({"metrics": "kid", "samples": 999}, "samples is 999; it must be at least 1000 for kid"),
        ({"metrics": "is", "samples": 9}, "samples is 9; it must be at least 10 for is"),
        ({"samples": 1}, "samples is 1"),
        ({"real": 1}, "real is 1"),
        ({"extractor": "vgg"}, "extractor is 'vgg'"),
        ({"split": "validation"}, "split is 'validation'"),
        ({"seed": -1}, "seed is -1"),
        ({"resize": "clean"}, "resize is 'clean'; it must be left out"),
        ({"metrics": "modes", "extractor": "inception"}, "'cnn' for modes"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        scoring.Scoring(**options)


def test_too_few_real_images_are_refused(digits):
    test = data.load("digits", "test", image_size=(12, 12), channels=1)
    with pytest.raises(InputError, match="kid needs at least 1000 real images; digits test gives 359"):
        scoring.read_real(test, EXTRACTOR, scoring.Scoring(metrics="kid", split="test"))
    with pytest.raises(InputError, match="real is 2000; it must be at most 1438"):
        scoring.read_real(digits, EXTRACTOR, scoring.Scoring(metrics="fid", real=2000))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            np.zeros((20, 10, 12, 1), np.uint8),
            r"uint8\[20, 10, 12, 1\]; those of digits are uint8\[N, 12, 12, 1\]",
        ),
        (np.zeros((20, 12, 12, 3), np.uint8), "both must be alike"),
        (np.zeros((20, 12, 12, 1), np.float32), r"float32\[20, 12, 12, 1\]"),
        (np.zeros((19, 12, 12, 1), np.uint8), "there are 19 images"),
    ],
)
def test_images_unlike_the_real_ones_are_refused(digits, images, words):
    with pytest.raises(InputError, match=words):
        scoring.score_images(images, digits, EXTRACTOR, FID)


def test_modes_are_not_counted_by_features_that_are_no_classes(digits):
    plan = scoring.Scoring(metrics="modes", samples=20)
    with pytest.raises(InputError, match="modes are counted by a classifier of the data"):
        scoring.score_images(digits.read(np.arange(20))["image"], digits, EXTRACTOR, plan)


def test_a_generator_without_latents_has_no_paths(digits):
    plan = scoring.Scoring(metrics="ppl", samples=20)
    with pytest.raises(InputError, match="ppl needs a generator of latents"):
        scoring.make_scorer(SOURCE, EXTRACTOR, scoring.read_real(digits, EXTRACTOR, plan), plan)
