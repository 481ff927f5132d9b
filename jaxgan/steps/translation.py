"""A translator of two kinds of networks and the rules by which they learn."""

import functools
from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.steps import translation_game as game
from jaxgan.steps.records import Translator
from jaxgan.steps.state import TranslatorState, apply_network, evaluate_network
from jaxgan.steps.translation_rules import DIRECTIONS, Rules, Translation, require_weight
from jaxgan.typing import Array
from jaxgan.validation import require


def translator(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    directions: tuple[str, ...],
    image_shape: tuple[int, int, int],
    config: Translation,
    conditional: bool,
    weights: Mapping[str, float],
    pool_size: int = 0,
) -> Translator:
    r"""Makes a translator: generators from image to image, which learn together.

    What they minimise is, for each direction from x to y,

    .. math:: w_{adv} L(D(\hat{y})) + w_{l1} |y - \hat{y}| + w_{cycle} |x - G'(\hat{y})| + w_{id} |y - G(y)|,
              \qquad \hat{y} = G(x)

    with the generator G' of the other direction and means over pixels and patches. Both players' gradients
    are those at the same weights.

    Args:
        generator: maps f32[N, *image_shape] to the same in [-1, 1]; each direction has params of its own.
        discriminator: maps images, or images beside their sources, to logits f32[N, h, w].
        directions: ``("a_to_b",)`` or both of `DIRECTIONS`.
        image_shape: (H, W, C).
        config: how the game is played.
        conditional: whether discriminators see the source beside its translation, in channels of its own.
        weights: the factors of ``l1_weight`` (for pairs), ``cycle_weight`` and ``identity_weight``; what is
            missing or 0 is left out of the program.
        pool_size: how many earlier translations each discriminator may be shown; 0 for none.

    Returns:
        A `jaxgan.steps.Translator`. Its step reports, as means over the whole batch and the directions,
        ``generator_loss`` (the adversarial part), ``discriminator_loss``, those of ``l1_loss``,
        ``cycle_loss`` and ``identity_loss`` that there are, all without their factors; ``real_logit``,
        ``fake_logit``, ``real_accuracy`` and ``fake_accuracy`` over patches, the norms of both players'
        gradients, and, where there is such a thing, ``skipped_updates``.

    Raises:
        InputError: a loss that needs the other direction, or a factor or a pool below 0.
    """
    for name, value in weights.items():
        require_weight(name, value)
    require(pool_size >= 0, "pool_size", pool_size, ">= 0")
    terms = tuple(name for name, value in weights.items() if value > 0)
    both = "cycle_weight" not in terms or len(directions) == 2
    require(both, "cycle_weight", weights.get("cycle_weight"), "0 for one direction")
    own = {name: getattr(config, name) for name in ("adversarial_weight", "discriminator_weight")}
    factors = own | {name: weights[name] for name in terms}
    rules = Rules(
        generator=generator,
        discriminator=discriminator,
        directions=directions,
        image_shape=image_shape,
        config=config,
        conditional=conditional,
        terms=terms,
        factors=factors,
        pool_size=pool_size,
    )

    def translate(
        state: TranslatorState, images: Array, *, direction: str = DIRECTIONS[0], key: Array | None = None
    ) -> Array:
        require(direction in directions, "direction", direction, "one of " + ", ".join(directions))
        net, params = state.generators[direction], state.ema_params[direction]
        used = (params, state.ema_model_state[direction]) if params else (net.params, net.model_state)
        if key is None:
            return evaluate_network(generator, *used, images)
        return apply_network(generator, *used, key, images)[0].astype(jnp.float32)

    return Translator(
        functools.partial(game.init, rules), functools.partial(game.step, rules), translate, directions
    )
