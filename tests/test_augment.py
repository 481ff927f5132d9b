"""Augmentation on the device: each change is the one it is named for, for every image its own."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from jaxgan import parallel
from jaxgan.augment import ada, affine, controller, diffaugment, warp
from jaxgan.data import augment as on_host
from jaxgan.validation import InputError

KEY = jax.random.key(3)
SHAPE = (4, 9, 6, 3)
differently = jax.jit(diffaugment.apply, static_argnames=("policy", "value_range"))
STRONG = affine.Affine(rotation=40, shift=0.2, scale=0.3, shear=20, flip=True)
CHANGES = {
    "ada": functools.partial(ada.apply, strength=0.9),
    "affine": functools.partial(affine.apply, config=STRONG),
    "diffaugment": diffaugment.apply,
}


def pictures(shape=SHAPE, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)


@jax.jit
def geometry(images, draws):
    return warp.warp(images, ada.inverse_maps(draws, *images.shape[1:3]))


def zeros(**drawn):
    """Draws of one image that change nothing but what is named."""
    numbers = {name: np.zeros(1, np.float32) for name in ada.Draws._fields}
    return ada.Draws(**(numbers | {name: np.full(1, value, np.float32) for name, value in drawn.items()}))


def moved(image, **drawn):
    """One image under a change of geometry, in float32."""
    return np.asarray(geometry(image[None], zeros(**drawn)))[0]


recolor = jax.jit(ada._recolor)


def recolored(image, value_range=(-1.0, 1.0), **drawn):
    middle, half = sum(value_range) / 2, (value_range[1] - value_range[0]) / 2
    return np.asarray(recolor(image[None], zeros(**drawn), middle, half))[0]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("form", [warp._by_products, warp._by_gathering])
@pytest.mark.parametrize(("mode", "fill"), [("mirror", None), ("grid-constant", -1.0)])
def test_a_warp_reads_what_scipy_reads_also_beyond_the_borders(monkeypatch, form, mode, fill):
    monkeypatch.setattr(warp, "LARGEST_BY_PRODUCTS", 0)
    monkeypatch.setattr(warp, "_by_gathering", form)
    images = pictures(dtype=np.float64)
    maps = np.random.default_rng(1).normal(size=(4, 2, 3)) * np.array([1, 1, 4])
    centre = (np.array(SHAPE[1:3]) - 1) / 2
    expected = [
        [
            ndimage.affine_transform(
                image[:, :, c],
                m[:, :2],
                centre + m[:, 2] - m[:, :2] @ centre,
                order=1,
                mode=mode,
                cval=fill or 0,
            )
            for c in range(3)
        ]
        for image, m in zip(images, maps, strict=True)
    ]
    got = warp.warp(jnp.asarray(images), jnp.asarray(maps), fill=fill)
    np.testing.assert_allclose(got, np.moveaxis(expected, 1, 3), atol=1e-12)


def test_the_form_for_accelerators_agrees_with_the_one_for_a_cpu():
    images, maps = pictures(), jnp.asarray(np.random.default_rng(1).normal(size=(4, 2, 3)), jnp.float32)
    on_tpu = jax.jit(warp.warp).trace(images, maps).lower(lowering_platforms=("tpu",)).as_text()
    assert "gather" not in on_tpu
    assert on_tpu.count("dot_general") == 2
    assert "gather" in jax.jit(warp.warp).lower(images, maps).as_text()
    one = images[:, :1, :1]
    np.testing.assert_array_equal(jax.jit(warp.warp)(one, maps), one)  # there is no period to mirror by


@pytest.mark.parametrize("config", [STRONG, affine.Affine(rotation=180), affine.Affine(scale=0.5, shear=60)])
def test_affine_changes_images_as_the_host_does(config):
    draws = jax.random.uniform(KEY, (4, 6))
    images = pictures()
    change = jax.jit(lambda draws: warp.warp(images, affine.inverse_maps(draws, config, 9, 6), fill=-1.0))
    got = change(draws)
    for image, numbers, result in zip(images, np.asarray(draws, float), got, strict=True):
        angle, shear, growth, down, right = 2 * numbers[:5] - 1
        matrix = on_host.affine(
            angle=math.radians(config.rotation * angle),
            shear=math.radians(config.shear * shear),
            scale=1 + config.scale * growth,
        )
        shift = np.array([down * 9, right * 6]) * config.shift
        source = image[:, ::-1] if config.flip and numbers[5] < 0.5 else image
        np.testing.assert_allclose(result, on_host.warp(source, matrix, shift, fill=-1.0), atol=2e-5)


def test_flips_quarter_turns_and_whole_shifts_are_exact():
    image = pictures((8, 8, 2))
    np.testing.assert_array_equal(moved(image, flip=1), image[:, ::-1])
    for quarters in range(4):
        np.testing.assert_array_equal(moved(image, quarters=quarters), np.rot90(image, quarters))
    padded = np.pad(image, ((2, 0), (0, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(moved(image, down=0.25, right=-0.125), padded[:8, 1:])
    both = np.rot90(image[:, ::-1], 1)
    np.testing.assert_array_equal(moved(image, flip=1, quarters=1), both)
    np.testing.assert_array_equal(moved(pictures((9, 6, 1)), quarters=2), np.rot90(pictures((9, 6, 1)), 2))


def test_the_geometry_of_ada_is_its_changes_one_after_the_other():
    numbers = {
        "flip": 1, "quarters": 3, "down": 0.1, "right": -0.1, "scale": 0.3, "before": 0.5, "stretch": -0.4,
        "after": 1.1, "move_down": 0.07, "move_right": -0.2,
    }  # fmt: skip
    turn = lambda a: np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])  # noqa: E731
    shift = lambda down, right: np.array([[1, 0, down], [0, 1, right], [0, 0, 1.0]])  # noqa: E731
    steps = [
        np.diag([1, -1, 1.0]), turn(3 * np.pi / 2), shift(1, -2), np.diag([2**0.3, 2**0.3, 1]), turn(0.5),
        np.diag([2**0.4, 2**-0.4, 1]), turn(1.1), shift(0.07 * 12, -0.2 * 16),
    ]  # fmt: skip
    forward = functools.reduce(lambda done, step: step @ done, steps)
    got = jax.jit(lambda draws: ada.inverse_maps(draws, 12, 16))(zeros(**numbers))[0]
    np.testing.assert_allclose(got, np.linalg.inv(forward)[:2], atol=1e-5)


def test_the_colours_of_ada_are_those_of_the_paper_about_the_middle_grey():
    image = pictures((4, 5, 3))
    luma = image.mean(2, keepdims=True)
    close = functools.partial(np.testing.assert_allclose, atol=1e-6)
    close(recolored(image, brightness=0.3), image + 0.3)
    close(recolored(image, contrast=1), 2 * image)
    close(recolored(image, invert=1), image - 2 * luma)
    close(recolored(image, saturation=-1), luma + (image - luma) / 2)
    close(recolored(image, hue=2 * math.pi / 3), np.roll(image, 1, 2))  # a third of the circle: red to green
    close(recolored(image[..., :1], invert=1, contrast=1, hue=1, saturation=1), -2 * image[..., :1])
    close(recolored(image, brightness=0.3, contrast=1), 2 * (image + 0.3))
    both = {"brightness": 0.2, "contrast": 0.5, "invert": 1, "hue": 1, "saturation": 0.7}
    close(recolored((image + 1) / 2, (0.0, 1.0), **both), (recolored(image, **both) + 1) / 2)


@pytest.mark.parametrize(("channels", "value_range"), [(1, (0.0, 1.0)), (3, (-3.0, 250.1))])
def test_no_strength_changes_no_bit(channels, value_range):
    images = pictures((4, 7, 8, channels))
    same = jax.jit(lambda p: ada.apply(KEY, images, p, value_range=value_range))
    np.testing.assert_array_equal(same(0.0), images)
    assert (np.asarray(same(1.0)) != images).any((1, 2, 3)).all()
    np.testing.assert_array_equal(affine.apply(KEY, images, affine.Affine()), images)
    np.testing.assert_array_equal(diffaugment.apply(KEY, images, policy=""), images)
    np.testing.assert_array_equal(ada.apply(KEY, images, 1.0, pipeline=""), images)


def test_what_ada_draws_has_the_distributions_of_the_paper():
    drawn = jax.jit(ada.draw, static_argnums=1)(KEY, 4000, 1.0)
    spread = {"scale": 0.2, "stretch": 0.2, "move_down": 1 / 8, "move_right": 1 / 8}
    spread |= {"brightness": 0.2, "contrast": 0.5, "saturation": 1}
    reach = {"down": 1 / 8, "right": 1 / 8, "before": math.pi, "after": math.pi, "hue": math.pi}
    for name, std in spread.items():
        assert stats.kstest(np.asarray(getattr(drawn, name)) / std, "norm").pvalue > 1e-3, name
    for name, side in reach.items():
        uniform = stats.uniform(-side, 2 * side)
        assert stats.kstest(np.asarray(getattr(drawn, name)), uniform.cdf).pvalue > 1e-3, name
    for name, values in {"flip": 2, "quarters": 4, "invert": 2}.items():
        counts = np.bincount(np.asarray(getattr(drawn, name)).astype(int), minlength=values)
        assert stats.chisquare(counts).pvalue > 1e-3, name
    correlations = np.corrcoef(np.stack(drawn)) - np.eye(len(drawn))
    assert np.abs(correlations).max() < 0.08


def test_each_change_of_ada_happens_with_its_probability():
    drawn = jax.jit(ada.draw, static_argnums=1)(KEY, 4000, 0.36)
    chances = dict.fromkeys(ada.Draws._fields, 0.36)
    chances |= {"before": 0.2, "after": 0.2, "flip": 0.18, "invert": 0.18, "quarters": 0.27}
    happens = {name: np.asarray(getattr(drawn, name)) != 0 for name in chances}
    for name, chance in chances.items():
        assert abs(happens[name].mean() - chance) < 4 * math.sqrt(chance * (1 - chance) / 4000), name
    assert abs((happens["before"] | happens["after"]).mean() - 0.36) < 0.031  # p is that of any turn
    assert (happens["down"] == happens["right"]).all()


def test_only_the_groups_asked_for_change_images():
    images = pictures((16, 8, 8, 3))
    change = jax.jit(ada.apply, static_argnames="pipeline")
    blits = np.asarray(change(KEY, images, 1.0, pipeline="b"))
    colours = np.asarray(change(KEY, images, 1.0, pipeline="c"))
    for image, blit in zip(images, blits, strict=True):
        assert np.isin(blit, image).all()
    steady = np.asarray(change(KEY, np.zeros_like(images), 1.0, pipeline="c"))
    np.testing.assert_allclose(steady, np.broadcast_to(steady[:, :1, :1], steady.shape), atol=1e-6)
    assert (colours != images).any()


def factors(change, count=400, shape=(6, 6, 3)):
    """What one change of DiffAugment makes of copies of one image: the image and the copies."""
    image = pictures(shape)
    copies = differently(KEY, np.broadcast_to(image, (count, *shape)), policy=change)
    return image.astype(float), np.asarray(copies, float)


@pytest.mark.parametrize(
    ("change", "axes", "low", "high"), [("saturation", (2,), 0, 2), ("contrast", (0, 1, 2), 0.5, 1.5)]
)
def test_diffaugment_spreads_values_about_a_mean_by_a_uniform_factor(change, axes, low, high):
    image, copies = factors(change)
    mean = image.mean(axes, keepdims=True)
    away = image - mean
    found = ((copies - mean) * away).sum((1, 2, 3)) / (away**2).sum()
    np.testing.assert_allclose(copies, mean + found[:, None, None, None] * away, atol=1e-5)
    assert stats.kstest(found, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_diffaugment_adds_a_uniform_brightness_in_units_of_the_range():
    image, copies = factors("brightness")
    added = copies - image
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], added.shape), atol=1e-6)
    assert stats.kstest(added[:, 0, 0, 0], stats.uniform(-0.5, 1).cdf).pvalue > 1e-3
    in_bytes = differently(
        KEY, np.zeros((400, 1, 1, 3), np.float32), policy="brightness", value_range=(0, 255)
    )
    np.testing.assert_allclose(in_bytes[:, 0, 0, 0], added[:, 0, 0, 0] * 127.5, atol=1e-3)


def test_diffaugment_shifts_by_whole_pixels_up_to_an_eighth_and_fills_with_grey():
    image = pictures((16, 8, 2))
    copies = differently(
        KEY, np.broadcast_to(image, (400, *image.shape)), policy="translation", value_range=(0.0, 1.0)
    )
    padded = np.pad(image, ((2, 2), (1, 1), (0, 0)), constant_values=0.5)
    windows = np.stack([padded[y : y + 16, x : x + 8] for y in range(5) for x in range(3)])
    matches = (np.asarray(copies)[:, None] == windows[None]).all((2, 3, 4))
    assert (matches.sum(1) == 1).all()
    assert stats.chisquare(matches.sum(0)).pvalue > 1e-3


def test_diffaugment_cuts_a_hole_of_half_the_side_centred_anywhere():
    ones = np.ones((600, 8, 6, 1), np.float32)
    holes = np.asarray(differently(KEY, ones, policy="cutout"))[..., 0] == 0
    centres = set()
    for hole in holes:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert (hole[np.ix_(rows, columns)]).all()
        assert hole.sum() == len(rows) * len(columns)
        assert 2 <= len(rows) <= 4
        assert 2 <= len(columns) <= 3
        centres.add((rows[0], rows[-1], columns[0], columns[-1]))
    assert len(centres) == 9 * 6  # rows 0..8 of a hole of even side, columns 0..5 of one of odd side


def test_a_policy_is_applied_in_its_order_and_draws_the_same_for_each_change():
    images = pictures()
    one = functools.partial(differently, KEY)
    together = one(images, policy="translation,brightness")
    np.testing.assert_allclose(
        together, one(one(images, policy="translation"), policy="brightness"), atol=1e-6
    )
    assert np.abs(together - one(images, policy="brightness,translation")).max() > 0.01
    np.testing.assert_allclose(
        one(images, policy="color"), one(images, policy="brightness,saturation,contrast"), atol=1e-6
    )


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", CHANGES)
def test_gradients_are_finite_differences_and_the_adjoint(name):
    change = functools.partial(CHANGES[name], KEY)
    images, along, other = (jnp.asarray(pictures(dtype=np.float64, seed=seed)) for seed in range(3))

    @jax.jit
    def both(images, along, other):
        moved = jax.vmap(change)(jnp.stack([images + along, images - along, jnp.zeros_like(images)]))
        return moved, jax.vjp(change, images)[1](other)[0]

    (plus, minus, origin), back = both(images, along, other)
    np.testing.assert_allclose(((plus - minus) / 2 * other).sum(), (along * back).sum(), rtol=1e-10)
    middle = (plus + minus) / 2 - origin  # so it is linear: the middle is that of the images themselves
    np.testing.assert_allclose((middle * other).sum(), (images * back).sum(), rtol=1e-10)
    assert np.abs(back).max() > 0.1


@pytest.mark.parametrize("name", CHANGES)
def test_images_are_the_same_whole_or_in_parts_and_finite(name):
    change = jax.jit(CHANGES[name])
    images = pictures()
    whole = np.asarray(change(KEY, images))
    in_parts = jax.jit(jax.vmap(functools.partial(CHANGES[name], KEY), axis_name="batch"))
    parts = in_parts(images.reshape(2, 2, *SHAPE[1:]))
    np.testing.assert_allclose(parts.reshape(SHAPE), whole, atol=1e-6)
    assert whole.shape == SHAPE
    assert np.isfinite(whole).all()
    mixed = change(KEY, np.concatenate([images[:2], images[:2]]))
    np.testing.assert_array_equal(mixed[:2], whole[:2])  # the other images do not matter
    assert (np.asarray(mixed[2:]) != mixed[:2]).any((1, 2, 3)).all()  # nor are they changed alike
    assert (whole != np.asarray(change(jax.random.key(4), images))).any()
    assert jax.eval_shape(change, KEY, images.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    assert CHANGES[name](KEY, images[:0]).shape == (0, *SHAPE[1:])


def test_a_step_that_augments_and_adapts_compiles_over_devices_and_in_a_loop():
    images = jnp.asarray(pictures())

    def step(state, batch, key):
        def once(state, number):
            drawn = ada.apply(jax.random.fold_in(key, number), batch["image"], state.p)
            drawn = affine.apply(key, diffaugment.apply(key, drawn), STRONG)
            state = controller.update(
                state, drawn.mean((1, 2, 3)) + 5, batch_size=4, every=1, images_to_one=16
            )
            return state, jax.lax.pmean(drawn.mean(), "batch")

        return jax.lax.scan(once, state, jnp.arange(3))

    layout = parallel.layout("shard_map", jax.devices()[:1])
    state, means = layout.compile(step)(
        layout.put_state(controller.init()),
        layout.put_batch({"image": np.asarray(images)}),
        layout.put_state(KEY),
    )
    assert state.p.item() == 0.75
    assert np.isfinite(means).all()


def test_the_controller_is_the_published_update_and_still_in_between():
    rng = np.random.default_rng(0)
    batches = rng.normal(1.0, 1.0, (40, 6)) * np.where(np.arange(40) < 24, 1, -1)[:, None]
    update = functools.partial(controller.update, batch_size=6, target=0.4, every=4, images_to_one=100)
    scan = jax.jit(lambda state, logits: jax.lax.scan(lambda s, x: (update(s, x),) * 2, state, logits))
    end, states = scan(controller.init(), jnp.asarray(batches, jnp.float32))
    p, expected = 0.0, []
    for number in range(1, 41):
        if number % 4 == 0:
            r = np.sign(batches[number - 4 : number]).mean()
            p = min(1.0, max(0.0, p + np.sign(r - 0.4) * 6 * 4 / 100))
        expected.append(p)
    np.testing.assert_allclose(states.p, expected, atol=1e-6)
    assert {0.0, 1.0} < set(np.round(expected, 2))
    assert (end.seen, end.sum_of_signs) == (0, 0)
    assert states.seen[:5].tolist() == [6, 12, 18, 0, 6]


def test_the_controller_sees_the_whole_batch_and_survives_what_is_no_number():
    update = functools.partial(controller.update, batch_size=4, every=1, images_to_one=8)
    update = functools.partial(update, controller.init(0.5))
    logits = np.array([[1.0, 1.0], [1.0, -1.0]], np.float32)
    parts = jax.jit(jax.vmap(update, axis_name="batch"))(logits)
    assert parts.p.tolist() == [0.0, 0.0]  # r = 0.5 < 0.6, though the first part alone has 1.0
    whole = jax.jit(update)
    assert whole(logits.ravel()).p.item() == 0.0
    assert whole(np.array([np.nan, 1.0, 1.0, 1.0], np.float32)).p.item() == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: diffaugment.apply(KEY, x, policy="color,blur"), "policy is 'color,blur'; it must be names of color, brightness, saturation, contrast, translation, cutout"),  # noqa: E501
        (lambda x: diffaugment.apply(KEY, x[..., :1], policy="saturation"), "without saturation for images of 1 channel"),  # noqa: E501
        (lambda x: ada.apply(KEY, x, 0.5, pipeline="bx"), "pipeline is 'bx'; it must be letters of bgc"),
        (lambda x: ada.apply(KEY, x[..., :2], 0.5), "without c for images of 2 channels"),
        (lambda x: ada.apply(KEY, x, 0.5, value_range=(1.0, 1.0)), "value_range is .*the smaller first"),
        (lambda x: affine.apply(KEY, x.astype(int), STRONG), "dtype of the images is 'int.*floating point"),
        (lambda _: affine.Affine(rotation=181), r"rotation is 181; it must be in \[0, 180\]"),
        (lambda _: affine.Affine(shear=90), "shear is 90"),
        (lambda _: controller.init(1.5), r"p is 1.5; it must be in \[0, 1\]"),
        (lambda x: controller.update(controller.init(), x, batch_size=4, every=0), "every is 0"),
        (lambda x: warp.warp(x, jnp.zeros((4, 3, 3))), "the shape of the maps"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(pictures())
