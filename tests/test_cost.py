"""The costs of known networks, worked out by hand; nothing here computes on arrays."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import pytest

from jaxgan import ops
from jaxgan.classifiers import cnn
from jaxgan.cost import activation_bytes, forward_flops, network_cost
from jaxgan.gans import dcgan
from jaxgan.validation import InputError

pytestmark = pytest.mark.smoke

NETWORKS = [*cnn.networks().values(), *dcgan.networks().values()]
SQUARE = jax.ShapeDtypeStruct((4, 4), jnp.float32)
PRODUCT = 2 * 4 * 4 * 4  # of two such squares


def f32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def square(x):
    return x @ x


def test_cnn():
    cost = network_cost(cnn.Network(cnn.MNIST), (28, 28, 1))
    assert cost.parameters == 225_034
    assert cost.flops == 2 * (
        26 * 26 * 32 * (3 * 3 * 1)  # convolution
        + 11 * 11 * 64 * (3 * 3 * 32)
        + 1600 * 128  # dense
        + 128 * 10
    )
    assert cost.flops == 5_262_080
    mask, value = 1, 4  # bytes
    assert cost.activation_bytes == (
        28 * 28 * 1 * value  # what the first convolution sees
        + 26 * 26 * 32 * (mask + value)  # the sign for the rectifier, the values for the maximum
        + 13 * 13 * 32 * value
        + 11 * 11 * 64 * (mask + value)
        + 1600 * value
        + 128 * (mask + value)
    )
    assert cost.activation_bytes == 178_688


def test_dcgan_generator():
    cost = network_cost(dcgan.Generator(dcgan.MNIST), (100,))
    assert cost.parameters == 1_936_256
    assert cost.flops == 2 * (
        100 * 7 * 7 * 256  # dense
        + 7 * 7 * 256 * (4 * 4 * 128)  # transposed convolutions: input positions times taps
        + 7 * 7 * 128 * (4 * 4 * 64)
        + 14 * 14 * 64 * (4 * 4 * 1)
    )
    assert cost.flops == 67_135_488
    linear = network_cost(dcgan.Generator(dcgan.Config(output="linear")), (100,))
    mask, centred, twice_centred, value = 1, 4, 4, 4  # bytes: of a layer with batch normalisation
    assert linear.activation_bytes == 100 * value + (7 * 7 * 256 + 7 * 7 * 128 + 14 * 14 * 64) * (
        mask + centred + twice_centred + value
    )
    assert linear.activation_bytes == 408_080
    # The derivative of tanh keeps one array or two, as JAX's version has it.
    assert cost.activation_bytes - linear.activation_bytes in (28 * 28 * 4, 2 * 28 * 28 * 4)


def test_dcgan_discriminator():
    cost = network_cost(dcgan.Discriminator(dcgan.MNIST), (28, 28, 1))
    assert cost.parameters == 138_561
    assert cost.flops == 2 * (14 * 14 * 64 * (4 * 4 * 1) + 7 * 7 * 128 * (4 * 4 * 64) + 7 * 7 * 128)
    assert cost.flops == 13_259_008
    sign, dropped, value = 1, 1, 4  # bytes: masks of the leaky rectifier and of dropout, the layer's output
    assert cost.activation_bytes == 28 * 28 * value + (14 * 14 * 64 + 7 * 7 * 128) * (sign + dropped + value)
    assert cost.activation_bytes == 116_032


@pytest.mark.parametrize(("module", "shape"), NETWORKS)
def test_flops_are_linear_in_the_batch(module, shape):
    def flops(count):
        x = f32(count, *shape)
        key = jax.eval_shape(lambda: jax.random.key(0))
        variables = jax.eval_shape(lambda key, x: module.init(key, x, train=False), key, x)
        return forward_flops(lambda variables, x: module.apply(variables, x, train=False), variables, x)

    assert flops(4) == 4 * flops(1) == 4 * network_cost(module, shape).flops


def test_work_on_the_weights_alone_is_of_no_image():
    class Normalised(linen.Module):
        @linen.compact
        def __call__(self, x, *, train):
            del train
            kernel = self.param("kernel", linen.initializers.ones, (4, 4))
            return x @ (kernel @ kernel)

    assert network_cost(Normalised(), (4,)).flops == 2 * 4 * 4


def test_nothing_runs():
    x = f32(10**7, 10**7)  # 400 TB
    assert forward_flops(square, x) == 2 * 10**21
    assert activation_bytes(lambda kernel, x: x @ kernel, x, x) == 4 * 10**7


def test_grouped_convolution():
    def flops(groups):
        kernel = f32(3, 5, 8 // groups, 16)
        return forward_flops(lambda x, k: ops.conv2d(x, k, groups=groups), f32(2, 10, 12, 8), kernel)

    assert flops(1) == 2 * 2 * 10 * 12 * 16 * 8 * 3 * 5
    assert flops(4) == flops(1) // 4
    assert flops(8) == flops(1) // 8


def test_batch_grouped_convolution():
    def convolve(x, kernel):
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=layout, batch_group_count=3
        )

    flops = forward_flops(convolve, f32(6, 10, 10, 8), f32(3, 3, 8, 12))
    assert flops == 2 * (6 // 3) * 8 * 8 * 12 * 8 * 3 * 3


@pytest.mark.parametrize(
    ("layout", "image", "kernel"),
    [
        (("NHWC", "HWIO", "NHWC"), (2, 10, 12, 3), (3, 5, 3, 7)),
        (("NCHW", "OIHW", "NCHW"), (2, 3, 10, 12), (7, 3, 3, 5)),
        (("CHWN", "IHWO", "NHWC"), (3, 10, 12, 2), (3, 3, 5, 7)),
    ],
)
def test_the_order_of_the_axes_is_of_no_account(layout, image, kernel):
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (2, 1), "SAME", dimension_numbers=layout)

    assert forward_flops(convolve, f32(*image), f32(*kernel)) == 2 * 2 * 5 * 12 * 7 * 3 * 3 * 5


@pytest.mark.parametrize("stride", [1, 2, (2, 1), (1, 4)])
def test_a_convolution_costs_what_its_transpose_costs(stride):
    rows, columns = stride if isinstance(stride, tuple) else (stride, stride)
    kernel = f32(5, 4, 3, 3)
    forward = forward_flops(lambda x, k: ops.conv2d(x, k, stride=stride), f32(2, 16, 16, 3), kernel)
    small = f32(2, 16 // rows, 16 // columns, 3)
    back = forward_flops(lambda x, k: ops.conv2d_transpose(x, k, stride=stride), small, kernel)
    assert forward == back == 2 * 2 * (16 // rows) * (16 // columns) * 3 * 3 * 5 * 4


def test_the_dilation_of_a_kernel_adds_no_taps():
    flops = forward_flops(lambda x, k: ops.conv2d(x, k, dilation=2), f32(1, 9, 9, 1), f32(3, 3, 1, 1))
    assert flops == 2 * 9 * 9 * 3 * 3


@pytest.mark.parametrize(
    ("expression", "left", "right"),
    [
        ("bhqd,bhkd->bhqk", (2, 3, 5, 7), (2, 3, 11, 7)),
        ("qhbd,bkdh->kqbh", (5, 3, 2, 7), (2, 11, 7, 3)),
    ],
)
def test_product_with_batch_axes(expression, left, right):
    def product(x, y):
        return jnp.einsum(expression, x, y)

    assert forward_flops(product, f32(*left), f32(*right)) == 2 * 2 * 3 * 5 * 11 * 7


def test_loops_and_branches():
    def scan(x):
        return jax.lax.scan(lambda carry, _: (square(square(carry)), None), x, length=5)[0]

    def nested(x):
        return jax.lax.scan(lambda carry, _: (scan(carry), None), x, length=3)[0]

    def unknown(x):
        return jax.lax.while_loop(lambda x: square(x)[0, 0] < 1, lambda x: square(square(x)), x)

    def branch(x):
        return jax.lax.cond(x[0, 0] > 0, lambda x: square(square(x)), square, x)

    assert forward_flops(scan, SQUARE) == 5 * 2 * PRODUCT
    assert forward_flops(nested, SQUARE) == 3 * 5 * 2 * PRODUCT
    assert forward_flops(unknown, SQUARE) == 3 * PRODUCT
    assert forward_flops(branch, SQUARE) == 2 * PRODUCT
    assert forward_flops(lambda x: x + 1, SQUARE) == 0


def test_functions_within_functions():
    custom_vjp = jax.custom_vjp(square)
    custom_vjp.defvjp(lambda x: (square(x), x), lambda x, cotangent: (cotangent @ x,))
    custom_jvp = jax.custom_jvp(square)
    custom_jvp.defjvp(lambda primals, tangents: (square(*primals), tangents[0]))
    for wrapped in (custom_vjp, custom_jvp, jax.jit(square), jax.checkpoint(square), jax.jit(custom_vjp)):
        assert forward_flops(wrapped, SQUARE) == PRODUCT


def test_every_device_counts():
    automatic = (jax.sharding.AxisType.Auto,) * 2
    mesh = jax.sharding.AbstractMesh((4, 2), ("batch", "model"), axis_types=automatic)
    rows = jax.sharding.PartitionSpec("batch")
    mapped = jax.shard_map(lambda x, y: x @ y, mesh=mesh, in_specs=(rows, None), out_specs=rows)
    # Along "model" the work is not divided, but done twice.
    assert forward_flops(mapped, f32(8, 4), SQUARE) == 2 * (2 * 8 * 4 * 4)


def perceptron(params, x):
    first, second = params
    return jax.nn.relu(x @ first["kernel"] + first["bias"][None]) @ second["kernel"]


PERCEPTRON = ({"kernel": f32(3, 5), "bias": f32(5)}, {"kernel": f32(5, 2)})


@pytest.mark.parametrize("batch", [1, 7])
def test_activations_of_two_dense_layers(batch):
    x, mask, hidden = 3 * 4, 5 * 1, 5 * 4
    assert activation_bytes(perceptron, PERCEPTRON, f32(batch, 3)) == x + mask + hidden
    assert activation_bytes(jax.jit(perceptron), PERCEPTRON, f32(batch, 3)) == x + mask + hidden


def test_what_is_recomputed_is_not_kept():
    assert activation_bytes(jax.checkpoint(perceptron), PERCEPTRON, f32(1, 3)) == 3 * 4


def test_an_array_kept_twice_counts_once():
    def both(kernels, x):
        return x @ kernels[0], x @ kernels[1], x.reshape(-1, 2, 2) @ kernels[2]

    assert activation_bytes(both, (f32(4, 3), f32(4, 5), f32(2, 2)), f32(1, 4)) == 4 * 4


def test_half_precision_keeps_half():
    half = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16), PERCEPTRON)
    assert activation_bytes(perceptron, half, jax.ShapeDtypeStruct((1, 3), jnp.bfloat16)) == 3 * 2 + 5 + 5 * 2


def test_refusals():
    with pytest.raises(InputError, match="shape of an input"):
        activation_bytes(jnp.multiply, f32(), f32())
    with pytest.raises(InputError, match="input_shape"):
        network_cost(cnn.Network(cnn.MNIST), (28, 0, 1))


def test_what_no_output_depends_on_does_not_count():
    def function(x):
        unused = x @ x.T
        return x @ jnp.ones((3, 5)), jnp.zeros_like(unused[0])

    x = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    assert forward_flops(function, x) == 2 * 2 * 3 * 5
