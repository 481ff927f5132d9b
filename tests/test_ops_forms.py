"""The three maps of a convolution: every form against plain lax, and closed under every transformation."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from jaxgan.ops import forms, fourier, winograd
from jaxgan.ops.geometry import Geometry
from jaxgan.ops.trilinear import convolve

pytestmark = pytest.mark.smoke
MAPS = ("output", "image", "kernel")
STRIDED = Geometry(image=(5, 6), window=(3, 4), strides=(2, 2), pads=((1, 1), (1, 2)))
LARGE = Geometry(image=(7, 7), window=(4, 4), pads=((1, 2), (1, 2)))
WIDE = Geometry(image=(16, 18), window=(3, 3), pads=((1, 1), (1, 1)))
SIDE = st.integers(1, 7)


@st.composite
def geometries(draw, largest_stride=3):
    pair = st.tuples(*[st.integers(1, largest_stride)] * 2)
    pads = st.tuples(*[st.tuples(st.integers(-1, 3), st.integers(-1, 3))] * 2)
    return Geometry(
        image=(draw(SIDE), draw(SIDE)),
        window=(draw(SIDE), draw(SIDE)),
        strides=draw(pair),
        pads=draw(pads),
        dilations=draw(st.sampled_from([(1, 1), (1, 1), (2, 1)])),
    )


def operands(wanted, geometry, seed=0, *, members=()):
    """Random x, k and y that fit a geometry; the two that a map takes."""
    random = np.random.default_rng(seed)
    shapes = {"output": (2, *geometry.image, 3), "image": (2, *geometry.output, 4), "kernel": None}
    kernel = (*geometry.window, 3, 4)
    left = shapes[wanted] or shapes["output"]
    right = shapes["image"] if wanted == "kernel" else kernel
    return tuple(jnp.array(random.normal(size=(*members, *shape))) for shape in (left, right))


@pytest.mark.usefixtures("x64")
@given(geometry=geometries() | geometries(largest_stride=1))
@settings(max_examples=30, deadline=None)
def test_every_form_computes_what_lax_does(geometry):
    if 0 in geometry.output:
        return
    for wanted in MAPS:
        left, right = operands(wanted, geometry)
        expected = jax.jit(forms.FORMS[wanted]["lax"], static_argnums=0)(geometry, left, right)
        assert expected.shape == forms.result_shape(wanted, geometry, left.shape, right.shape)
        for name, form in forms.FORMS[wanted].items():
            if forms.fits(wanted, name, geometry):
                found = jax.jit(form, static_argnums=0)(geometry, left, right)
                np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.usefixtures("x64")
@given(geometry=geometries(largest_stride=1).map(lambda found: found._replace(window=(3, 3))))
@settings(max_examples=20, deadline=None)
def test_tiles_compute_what_lax_does(geometry):
    geometry = geometry._replace(dilations=(1, 1))
    if 0 in geometry.output:
        return
    assert winograd.fits(geometry)
    for wanted in MAPS:
        pair = operands(wanted, geometry)
        found, expected = (forms.FORMS[wanted][form](geometry, *pair) for form in ("winograd", "lax"))
        np.testing.assert_allclose(found, expected, atol=1e-9)


@given(geometry=geometries(largest_stride=1))
@settings(max_examples=40, deadline=None)
def test_the_fourier_decomposition_is_the_sum_over_places(geometry):
    """Against the definition: 1 where pixel, tap and output meet, and 0 elsewhere."""
    if 0 in geometry.output:
        return
    found = np.einsum("rm,rp,ri->mpi", *fourier.decompose(geometry))
    meeting = []
    for axis in (0, 1):
        pixel, tap, place = np.ogrid[: geometry.image[axis], : geometry.window[axis], : geometry.output[axis]]
        meeting.append(pixel == place + geometry.dilations[axis] * tap - geometry.pads[axis][0])
    expected = np.einsum("mpi,nqj->mnpqij", *meeting).reshape(found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert len(fourier.decompose(geometry).x) == fourier.rank(geometry)


def errors_of(wanted, form, geometry, channels, features):
    """The errors of a form and of the direct sum in float32, as shares of the deviation of the result."""
    random = np.random.default_rng(0)
    shapes = (4, *geometry.image, channels), (*geometry.window, channels, features)
    x, kernel, y = (random.normal(size=shape) for shape in (*shapes, (4, *geometry.output, features)))
    pair = {"output": (x, kernel), "image": (y, kernel), "kernel": (x, y)}[wanted]
    exact = forms.FORMS[wanted]["lax"](geometry, *map(jnp.asarray, pair))
    found = [forms.FORMS[wanted][name](geometry, *map(jnp.float32, pair)) for name in (form, "lax")]
    return [float(np.sqrt(np.mean((each - exact) ** 2)) / exact.std()) for each in found]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("wanted", MAPS)
def test_fourier_products_lose_no_more_digits_than_sums_do(wanted):
    """On the largest layer of the DCGAN."""
    error, direct = errors_of(wanted, "fourier", LARGE, 256, 128)
    assert error < 3e-6
    assert error < 2 * direct


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("wanted", MAPS)
def test_tiles_lose_a_digit(wanted):
    error, direct = errors_of(wanted, "winograd", WIDE, 128, 128)
    assert error < 2e-5
    assert error < 30 * direct


def test_fourier_products_are_chosen_where_they_save_enough():
    shapes = {
        "output": ((128, 7, 7, 256), (4, 4, 256, 128)),
        "image": ((128, 7, 7, 128), (4, 4, 256, 128)),
        "kernel": ((128, 7, 7, 256), (128, 7, 7, 128)),
    }
    chosen = {
        (wanted, dtype): forms.choose("cpu", wanted, LARGE, *shapes[wanted], dtype=dtype)
        for wanted in MAPS
        for dtype in ("float32", "bfloat16", "int32")
    }
    assert {chosen[wanted, "float32"] for wanted in MAPS} == {"fourier"}
    assert "fourier" not in {chosen[wanted, dtype] for wanted in MAPS for dtype in ("bfloat16", "int32")}
    small = forms.choose("cpu", "output", LARGE, (2, 7, 7, 8), (4, 4, 8, 8), dtype="float32")
    assert small == "lax"


def test_tiles_are_chosen_where_channels_are_many():
    def chosen(channels, dtype="float32"):
        x, kernel = (1, 64, 96, channels), (3, 3, channels, channels)
        geometry = WIDE._replace(image=(64, 96))
        pairs = {"output": (x, kernel), "image": (x, kernel), "kernel": (x, x)}
        return {forms.choose("cpu", wanted, geometry, *pairs[wanted], dtype=dtype) for wanted in MAPS}

    assert chosen(256) == {"winograd"}
    assert "winograd" not in chosen(32) | chosen(256, "bfloat16")


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("wanted", MAPS)
def test_derivatives_of_every_order_stay_among_the_maps(wanted):
    def function(left, right):
        return convolve(wanted, STRIDED, left, right)

    left, right = operands(wanted, STRIDED)
    check_grads(function, (left, right), order=3, modes=["fwd", "rev"])
    third = jax.make_jaxpr(
        jax.grad(lambda a: jnp.sum(jax.grad(lambda a: (function(a, right) ** 3).sum())(a)))
    )
    names = {equation.primitive.name for equation in third(left).jaxpr.eqns}
    assert "jaxgan_convolve" in names
    assert "conv_general_dilated" not in names


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("wanted", MAPS)
@pytest.mark.parametrize(
    ("axes", "few"), [((0, None), 8), ((None, 0), 8), ((0, 0), 8), ((2, 1), 8), ((0, 0), 1)]
)
def test_a_mapped_convolution_is_that_of_each_member(wanted, axes, few, monkeypatch):
    """Members that are written out one after the other, and, where they are more than a few, in a loop."""
    monkeypatch.setattr(forms, "FEW_MEMBERS", few)
    left, right = operands(wanted, STRIDED, members=(3,))
    given = [
        operand if axis == 0 else operand[0] if axis is None else jnp.moveaxis(operand, 0, axis)
        for operand, axis in zip((left, right), axes, strict=True)
    ]
    mapped = jax.jit(jax.vmap(lambda a, b: convolve(wanted, STRIDED, a, b), in_axes=axes))(*given)
    expected = [
        forms.FORMS[wanted]["lax"](
            STRIDED, left[0 if axes[0] is None else i], right[0 if axes[1] is None else i]
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(mapped, jnp.stack(expected), atol=1e-9)


def test_no_members_give_no_results():
    mapped = jax.vmap(lambda a, b: convolve("output", STRIDED, a, b))
    left, right = operands("output", STRIDED, members=(0,))
    assert jax.jit(mapped)(left, right).shape == (0, 2, *STRIDED.output, 4)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("inner", [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize("wanted", MAPS)
def test_maps_nest(wanted, inner):
    """Members of members, and members whose images or kernels alone are mapped once more."""
    left, right = operands(wanted, STRIDED, members=(2, 3))
    outer = [
        operand if axis == 0 else operand[:, 0] for operand, axis in zip((left, right), inner, strict=True)
    ]

    def function(a, b):
        return convolve(wanted, STRIDED, a, b)

    mapped = jax.vmap(jax.vmap(function, in_axes=inner))(*outer)
    for i in range(2):
        for j in range(3):
            a, b = left[i, 0 if inner[0] is None else j], right[i, 0 if inner[1] is None else j]
            np.testing.assert_allclose(mapped[i, j], function(a, b), atol=1e-9)


@pytest.mark.parametrize("wanted", MAPS)
def test_groups_are_blocks_of_one_kernel(wanted):
    geometry = STRIDED._replace(groups=3)
    shapes = {"image": (2, 5, 6, 6), "kernel": (3, 4, 2, 9), "output": (2, *geometry.output, 9)}
    takes = {"output": ("image", "kernel"), "image": ("output", "kernel"), "kernel": ("image", "output")}
    random = np.random.default_rng(0)
    pair = [jnp.asarray(random.standard_normal(shapes[name]), jnp.float32) for name in takes[wanted]]
    plain, blocks = (forms.FORMS[wanted][form](geometry, *pair) for form in ("lax", "blocks"))
    assert plain.shape == shapes[wanted]
    np.testing.assert_allclose(blocks, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("wanted", MAPS)
def test_groups_can_be_mapped(wanted):
    geometry = Geometry(image=(5, 5), window=(3, 3), pads=((1, 1), (1, 1)), groups=2)
    random = np.random.default_rng(0)
    x, kernel, y = (
        jnp.array(random.normal(size=(3, *shape))) for shape in ((2, 5, 5, 4), (3, 3, 2, 6), (2, 5, 5, 6))
    )
    left, right = {"output": (x, kernel), "image": (y, kernel), "kernel": (x, y)}[wanted]
    for axes in ((0, None), (None, 0), (0, 0)):
        chosen = [
            operand if axis == 0 else operand[0] for operand, axis in zip((left, right), axes, strict=True)
        ]
        mapped = jax.vmap(lambda a, b: convolve(wanted, geometry, a, b), in_axes=axes)(*chosen)
        for i in range(3):
            pair = (left[0 if axes[0] is None else i], right[0 if axes[1] is None else i])
            np.testing.assert_allclose(mapped[i], forms.FORMS[wanted]["lax"](geometry, *pair), atol=1e-9)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("wanted", MAPS)
def test_accelerators_get_the_plain_form(platform, wanted):
    def lowered(function):
        return (
            jax.jit(function)
            .trace(*operands(wanted, STRIDED))
            .lower(lowering_platforms=(platform,))
            .as_text()
        )

    text = lowered(lambda a, b: convolve(wanted, STRIDED, a, b))
    assert text.count("stablehlo.convolution") == 1
    assert "dot_general" not in text
    assert "stablehlo.transpose" not in text


def test_a_processor_gets_products_and_canonical_convolutions():
    """No spread and no reversed window reaches XLA on CPU: it has only naive loops for those."""
    for wanted in MAPS:
        lowered = jax.jit(lambda a, b, wanted=wanted: convolve(wanted, STRIDED, a, b)).lower(
            *operands(wanted, STRIDED)
        )
        text = lowered.as_text(dialect="hlo")
        assert "lhs_dilate" not in text
        assert "rhs_reversal" not in text


def test_unequal_dtypes_are_refused():
    left, right = operands("output", STRIDED)
    with pytest.raises(ValueError, match=r"dtypes .* must agree; they are float32 and bfloat16"):
        convolve("output", STRIDED, left, right.astype(jnp.bfloat16))


def test_it_runs_in_loops_branches_and_one_at_a_time():
    left, right = operands("output", STRIDED)
    expected = convolve("output", STRIDED, left, right)
    _, looped = jax.lax.scan(lambda carry, _: (carry, convolve("output", STRIDED, left, right)), 0, length=2)
    chosen = jax.jit(
        lambda flag: jax.lax.cond(flag, lambda: expected, lambda: convolve("output", STRIDED, left, right))
    )
    np.testing.assert_allclose(looped[1], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(chosen(False), expected, rtol=1e-5, atol=1e-5)


DIVIDED = """
import jax, numpy as np
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
from jax.sharding import PartitionSpec as P
from jaxgan import batch_axis, ops, parallel
from jaxgan.ops import forms

def loss(kernel, x, groups):
    y = ops.conv2d(x, kernel, stride=2, groups=groups)
    y = ops.conv2d_transpose(y, kernel[:, :, :, :6], stride=2) if groups == 1 else y
    z = ops.conv2d(x, kernel, groups=groups)
    few = ops.conv2d(x[..., :2], kernel[:, :, :2]) if groups == 1 else z
    return batch_axis.pmean((y**2).mean() + (z**2).mean() + (few**2).mean())

random = np.random.default_rng(0)
x = random.normal(size=(4, 6, 6, 6)).astype("float32")
for groups in (1, 2):
    kernel = random.normal(size=(3, 3, 6 // groups, 6)).astype("float32")
    def gradients(kernel, x):
        slope = lambda kernel: jax.grad(loss)(kernel, x, groups)
        return jax.jvp(slope, (kernel,), (kernel,))
    expected = jax.jit(gradients)(kernel, x)
    choice = forms.choose
    usual, plain = forms.PAYS, lambda *_, **__: "lax"
    fourier, winograd = ({"fourier": a, "winograd": b} for a, b in ((1e-9, 1e9), (1e9, 1e-9)))
    for choose, pays in ((choice, usual), (choice, fourier), (choice, winograd), (plain, usual)):
        forms.choose, forms.PAYS = choose, pays
        mesh = parallel.layout("shard_map").mesh
        mapped = jax.shard_map(gradients, mesh=mesh, in_specs=(P(), P("batch")), out_specs=P())
        for found, wanted in zip(jax.jit(mapped)(kernel, x), expected):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    forms.choose = choice
"""


def test_every_form_is_right_on_a_part_of_the_batch():
    """In a process with two devices: derivatives of both orders, in the chosen forms and in plain lax."""
    subprocess.run([sys.executable, "-c", DIVIDED], check=True)
