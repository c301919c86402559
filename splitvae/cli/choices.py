"""The choices of a configuration (networks, latents, losses, ...) in the words of the help."""

import re
import textwrap
from typing import Any

from ..config import Config
from ..utils.settings import Registry, Settings, fields_of_settings

__all__ = ["as_flag", "describe_all_choices", "describe_settings", "help_of_fields", "list_registries"]

WIDTH = 112  # characters of a line of `describe_all_choices`


def as_flag(option: str) -> str:
    """Returns an option as it is typed: "latent_dim" becomes "--latent-dim"."""
    return f"--{option.replace('_', '-')}"


def list_registries(kind: type[Settings] = Config) -> list[Registry[Any]]:
    """Returns the registries of all choices that settings of a class can hold, each once."""
    registries: list[Registry[Any]] = []
    for field in fields_of_settings(kind):
        if field.registry is not None:
            registries += [field.registry, *(r for choice in field.registry.values() for r in list_registries(choice))]
        elif field.nested:
            registries += list_registries(field.hint)
    return list(dict.fromkeys(registries))


def describe_all_choices() -> str:
    """Returns a text about every choice with all of its options and their defaults."""
    lines: list[str] = []
    for registry in list_registries():
        lines += ["", f"{as_flag(registry.option)}: the {registry.what}"]
        for name, choice in registry.items():
            lines += [f"  {name}", *_wrap(describe_settings(choice), 6)]
            texts = help_of_fields(choice)
            for field in fields_of_settings(choice):
                names = field.registry or field.names
                value = f" {{{','.join(names)}}}" if names else ""
                default = field.default if field.registry is None else field.default.name
                if field.option:
                    lines += _wrap(
                        f"{as_flag(field.option)}{value}  {texts[field.name]} (default: {default})", 8, hanging=4
                    )
    return "\n".join(lines)


def describe_settings(kind: type[Settings]) -> str:
    """Returns the first sentence of a class's docstring, as a text about the thing rather than about its settings."""
    first = " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split())
    text = re.sub(r"^Creates (the settings of )?", "", first).rstrip(":.")
    return _with_flags(f"{text[:1].upper()}{text[1:]}.", kind)


def help_of_fields(kind: type[Settings]) -> dict[str, str]:
    """Returns the sentence about each field of a class, by the name of the field."""
    return {field.name: _with_flags(field.help, kind) for field in fields_of_settings(kind)}


def _with_flags(text: str, kind: type[Settings]) -> str:
    """Replaces fields in backticks by the options that set them (`steps` by --kl-steps); other words lose the backticks."""
    flags = {field.name: as_flag(field.option) for field in fields_of_settings(kind)}
    return re.sub(r"`([^`]+)`", lambda word: flags.get(word[1], word[1]), text)


def _wrap(text: str, indent: int, hanging: int = 0) -> list[str]:
    """Returns the lines of an indented text; lines after the first are indented further by `hanging`."""
    first, further = " " * indent, " " * (indent + hanging)
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=further, break_on_hyphens=False)
