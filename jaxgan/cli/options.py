"""What the commands that train have in common: the list of models, and a model's settings as options."""

from typing import Any

import tyro

from jaxgan import zoo
from jaxgan.settings import Settings, defaults, settings_type


def list_models() -> str:
    """Lists the models that can be trained, a line for each, and one for its presets."""
    lines = []
    for model in map(zoo.get, zoo.trainable()):
        lines.append(f"  {model.name:<10}{model.summary}")
        if presets := [name for name in model.recipes if name != zoo.DEFAULT]:
            lines.append(f"  {'':<10}presets: {', '.join(presets)}")
    return "\n".join(lines)


def parse(
    flags: Any,
    model: zoo.Model,
    arguments: list[str],
    settings: Settings,
    *,
    prog: str,
    description: str | None,
) -> Any:
    """Reads the options of a command.

    Args:
        flags: the generic class of its options, with a field ``settings``.
        model: the model that was named.
        arguments: what stands after the model's name.
        settings: the defaults; if the arguments name another preset than theirs, those of that preset.
        prog: how the user called the command, without the model.
        description: what its help says first.

    Returns:
        The options, an instance of ``flags``.

    Raises:
        InputError: the model has no such preset.
    """

    def read(settings: Settings) -> Any:
        return tyro.cli(
            flags[settings_type(model)],
            default=flags(settings=settings),
            args=arguments,
            prog=f"{prog} {model.name}",
            description=description,
            config=(tyro.conf.FlagCreatePairsOff,),
        )

    found = read(settings)
    preset = found.settings.preset
    return found if preset == settings.preset else read(defaults(model, preset))
