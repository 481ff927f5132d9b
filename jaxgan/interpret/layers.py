"""The layers of a network by name: what they give, their shapes and kernels, and what follows from them."""

from collections.abc import Collection, Mapping
from typing import Any

import flax.linen as linen
import jax
from flax.traverse_util import flatten_dict

from jaxgan.typing import Array, PyTree
from jaxgan.validation import InputError

OWN = "__call__"
"""The name under which Flax keeps what a module itself gives."""


def activations(
    network: linen.Module, variables: PyTree, *inputs: Array, until: str | None = None
) -> dict[str, Array]:
    """Gives the output of every layer of a network, outside training.

    Args:
        network: any network of the zoo.
        variables: its params, and its model state if it has one.
        *inputs: what it maps: images f32[N, H, W, C], say.
        until: the last layer that is wanted, where the network can stop at one (VGG, ResNet): what lies
            behind it need not have params then.

    Returns:
        The outputs by the names of the layers, with dots for layers in layers, such as ``relu4_2`` or
        ``layer1_0.conv2``, in the order in which they are computed. Under ``jax.jit`` only those are computed
        that are used.

    >>> import jax, jax.numpy as jnp
    >>> from jaxgan.classifiers import cnn
    >>> network, (shape) = cnn.networks()["network"]
    >>> images = jnp.zeros((1, *shape))
    >>> variables = network.init(jax.random.key(0), images, train=False)
    >>> list(activations(network, variables, images))
    ['Conv2D_0', 'relu1', 'pool1', 'Conv2D_1', 'relu2', 'pool2', 'Dense_0', 'features', 'Dense_1']
    """
    options: dict[str, Any] = {} if until is None else {"until": until}
    _, found = network.apply(
        variables,
        *inputs,
        train=False,
        capture_intermediates=True,
        mutable=["intermediates"],
        **options,
    )
    flat = flatten_dict(found["intermediates"])
    named = {".".join(part for part in path if part != OWN): each[-1] for path, each in flat.items()}
    named.pop("", None)  # of the network as a whole
    return named


def layer_shapes(
    network: linen.Module, variables: PyTree, *inputs: Array | jax.ShapeDtypeStruct
) -> dict[str, tuple[int, ...]]:
    """Gives the shape of what each layer gives, from shapes alone.

    Args:
        network: as for `activations`.
        variables: its arrays, or their shapes and dtypes.
        *inputs: what it maps, or the shapes and dtypes of that.

    Returns:
        The shapes by the names of the layers, in the order in which they are computed. Those of layers that
        have places are (N, H, W, C).

    >>> import jax.numpy as jnp
    >>> class Network(linen.Module):
    ...     @linen.compact
    ...     def __call__(self, images, *, train):
    ...         return linen.Dense(2)(linen.Conv(3, (3, 3))(images).mean((1, 2)))
    >>> images = jax.ShapeDtypeStruct((1, 5, 5, 1), jnp.float32)
    >>> key = jax.random.key(0)
    >>> variables = jax.eval_shape(lambda images: Network().init(key, images, train=False), images)
    >>> layer_shapes(Network(), variables, images)
    {'Conv_0': (1, 5, 5, 3), 'Dense_0': (1, 2)}
    """
    found: dict[str, tuple[int, ...]] = {}

    def note(variables: PyTree, *inputs: Array) -> None:  # what a program gives has its names sorted
        outputs = activations(network, variables, *inputs)
        found.update({name: output.shape for name, output in outputs.items() if hasattr(output, "shape")})

    jax.eval_shape(note, variables, *inputs)
    return found


def last_of_each_shape(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Chooses layers to look at: of those with places that lie in no other, the last of each shape.

    >>> maps = (1, 8, 8, 4)
    >>> last_of_each_shape({"conv": maps, "block.conv": (1, 8, 8, 2), "relu": maps, "fc": (1, 2)})
    ['relu']
    """
    outer = {name: shape for name, shape in shapes.items() if len(shape) == 4 and "." not in name}
    last = {shape: name for name, shape in outer.items()}
    return [name for name, shape in outer.items() if last[shape] == name]


def require_layer(name: str, known: Collection[str], what: str = "layer") -> None:
    """Refuses a layer that is not there.

    Raises:
        InputError: it lists those that are.

    >>> require_layer("conv3", ["conv1", "conv2"])
    Traceback (most recent call last):
    ...
    jaxgan.validation.InputError: layer is 'conv3'; it must be one of conv1, conv2
    """
    if name not in known:
        raise InputError(f"{what} is {name!r}; it must be one of {', '.join(known)}")


def filters(params: PyTree) -> dict[str, Array]:
    """Gives the kernels of a network's convolutions, also of the transposed.

    Returns:
        Kernels f32[P, Q, C, F] by the names of their layers, in the order of the params; C is what they see,
        F what they give (C counts the channels of one group only).

    >>> import jax.numpy as jnp
    >>> params = {"Conv_0": {"kernel": jnp.ones((3, 3, 1, 4))}, "Dense_0": {"kernel": jnp.ones((4, 2))}}
    >>> {name: kernel.shape for name, kernel in filters(params).items()}
    {'Conv_0': (3, 3, 1, 4)}
    """
    flat = flatten_dict(params)
    return {
        ".".join(path[:-1]): leaf for path, leaf in flat.items() if path[-1] == "kernel" and leaf.ndim == 4
    }


def apply_moved(
    network: linen.Module, variables: PyTree, *inputs: Array, layer: str, offset: Array
) -> PyTree:
    """Applies a network outside training, with something added to what one of its layers gives.

    The derivative by the offset at zero is that by what the layer gives.

    Args:
        network: as for `activations`.
        variables: its params, and its model state if it has one.
        *inputs: what it maps.
        layer: the name of the layer, as `activations` has it. A layer that is computed several times is moved
            each time.
        offset: f[...], of the shape that the layer gives.

    Returns:
        What the network gives.

    >>> import jax.numpy as jnp
    >>> class Network(linen.Module):
    ...     @linen.compact
    ...     def __call__(self, x, *, train):
    ...         return 2 * linen.Dense(1)(x)
    >>> variables = Network().init(jax.random.key(0), jnp.zeros((1, 3)), train=False)
    >>> apply_moved(Network(), variables, jnp.zeros((1, 3)), layer="Dense_0", offset=jnp.ones((1, 1))).item()
    2.0
    """

    def intercept(call: Any, arguments: Any, options: Any, context: linen.module.InterceptorContext) -> Any:
        output = call(*arguments, **options)
        is_it = context.method_name == OWN and ".".join(context.module.path) == layer
        return output + offset if is_it else output

    with linen.intercept_methods(intercept):
        return network.apply(variables, *inputs, train=False)
