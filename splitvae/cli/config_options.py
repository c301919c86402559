"""The options of a configuration: which there are follows from its choices (the network, the latent, the loss, ...)."""

import dataclasses
import functools
import operator
import re
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import tyro

from ..config import Config
from ..errors import UserError
from ..utils.settings import Field, Registry, Settings, fields_of_settings
from .options import find_option, parse

__all__ = ["ParsedConfig", "describe_all_choices", "parse_config"]


class ParsedConfig(NamedTuple):
    """What was typed.

    config: The settings. explicit: Those that were typed, by flat name. command: The command's own options.
    """

    config: Config
    explicit: dict[str, Any]
    command: Any


def parse_config(base: Config, arguments: Sequence[str], command: type, prog: str, description: str) -> ParsedConfig:
    """Returns the settings that arguments make of a configuration.

    Arguments:
        base: The configuration.
        arguments: The words after the command and the preset.
        command: A dataclass of the command's own options, all with defaults.
        prog: The command and the preset, for the help.
        description: The text at the head of the help.

    Raises:
        UserError: For an option that belongs to another choice, or that does not act.
    """
    config, explicit = _parse_choices(base, arguments)
    own = {field.name for field in dataclasses.fields(command)}
    flags = {word.split("=")[0].removeprefix("--").replace("-", "_") for word in arguments if word.startswith("--")}
    typed = {flag if flag in config.options() else flag.removeprefix("no_") for flag in flags - own - {"help"}}
    for name in sorted(typed - config.options().keys()):
        message = config.explain(name, _dashed)
        if message.startswith(_dashed(name)):  # the parser itself knows what is near to a name that no choice has
            raise UserError(message)
    groups = _groups(config)
    fields: list[Any] = [(f.name, f.type, dataclasses.field(default=f.default)) for f in dataclasses.fields(command)]
    fields += [(title, type(group), dataclasses.field(default=group)) for title, group in groups.items()]
    everything: Any = dataclasses.make_dataclass("Options", fields)
    everything.__doc__ = None
    parsed = parse(everything, arguments, prog, description, config=(tyro.conf.OmitArgPrefixes,))
    values = {name: value for title in groups for name, value in vars(getattr(parsed, title)).items()}
    explicit |= {name: values[name] for name in typed & values.keys() - explicit.keys()}
    return ParsedConfig(config.override(**explicit), explicit, command(**{name: getattr(parsed, name) for name in own}))


def describe_all_choices(kind: type[Settings] = Config) -> str:
    """Returns a text about every choice with its options, also those that a configuration has not taken."""
    lines: list[str] = []
    for registry in _registries(kind):
        lines += ["", f"{_dashed(registry.option)}: the {registry.what}"]
        for name, choice in registry.items():
            lines += [f"  {name}", *textwrap.wrap(_summary(choice), 112, initial_indent=" " * 6, subsequent_indent=" " * 6)]
            for field in fields_of_settings(choice):
                if field.option:
                    text = f"{_dashed(field.option)}  {field.help}"
                    lines += textwrap.wrap(text, 112, initial_indent=" " * 8, subsequent_indent=" " * 12)
    return "\n".join(lines)


def _parse_choices(base: Config, arguments: Sequence[str]) -> tuple[Config, dict[str, Any]]:
    """Returns a configuration with the choices that were typed; a choice may bring further choices, typed too."""
    config, explicit = base, dict[str, Any]()
    while True:
        options = [field.option for _, field, _ in config.walk() if field.registry is not None]
        typed = {option: find_option(arguments, _dashed(option)) for option in options if option not in explicit}
        if not (typed := {option: name for option, name in typed.items() if name is not None}):
            return config, explicit
        config, explicit = config.override(**typed), explicit | typed


def _groups(config: Config) -> dict[str, Any]:
    """Returns an object of options for each part of a configuration, by the title of its group in the help."""
    groups: dict[str, Any] = {}

    def visit(settings: Settings, title: str) -> None:
        fields = [(field, value) for field, value in settings.items() if field.option]
        fields = [(field, value) for field, value in fields if field.acts is None or field.acts.condition(config)]
        if fields:
            groups[title] = _as_options(settings, fields)
        for field, value in settings.items():
            if isinstance(value, Settings):
                visit(value, f"{field.option}_{value.name}".replace("-", "_") if field.registry is not None else field.name)

    visit(config, "system")
    return groups


def _as_options(settings: Settings, fields: Sequence[tuple[Field, Any]]) -> Any:
    """Returns an object whose fields are flat names with types that the parser knows."""
    members = []
    for field, value in fields:
        names = tuple(field.registry) if field.registry is not None else field.names
        kind: Any = operator.getitem(Literal, names) if names else _command_line_type(field.hint)
        hint = operator.getitem(Annotated, (kind, tyro.conf.arg(name=_dashed(field.option)[2:], help=field.help)))
        default = value if field.registry is None else value.name
        members.append((field.option, hint, dataclasses.field(default=default)))
    group: Any = dataclasses.make_dataclass(type(settings).__name__, members, frozen=True)
    group.__doc__ = _summary(type(settings))
    return group()


def _command_line_type(hint: Any) -> Any:
    """Returns the type of a field without the functions that only Python can give."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    parts = [part for part in get_args(hint) if get_origin(part) is not Callable]
    return functools.reduce(operator.or_, parts)


def _registries(kind: type[Settings]) -> list[Registry[Any]]:
    """Returns the registries of all choices that settings of a class can make, each once."""
    registries: list[Registry[Any]] = []
    for field in fields_of_settings(kind):
        if field.registry is not None:
            registries += [field.registry, *(r for choice in field.registry.values() for r in _registries(choice))]
        elif field.nested:
            registries += _registries(field.hint)
    return list(dict.fromkeys(registries))


def _summary(kind: type[Settings]) -> str:
    """Returns the first sentence of a class's docstring, as a text about the thing rather than about its settings."""
    first = " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split())
    text = re.sub(r"^Creates (the settings of )?", "", first).rstrip(":")
    return text[:1].upper() + text[1:]


def _dashed(option: str) -> str:
    """Returns an option as it is typed."""
    return f"--{option.replace('_', '-')}"
