"""The options of a configuration, which depend on its choices: `--net resnet` brings --width, `--loss intro` --alpha.

`parse_config` therefore reads the words twice: first the choices, then, with a parser of exactly the options that these
choices have, everything. The help has one group for each choice and for each other part of the configuration.
"""

import dataclasses
import functools
import operator
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from tyro.conf import OmitArgPrefixes, arg

from ..config import Config
from ..errors import UserError
from ..utils.settings import Field, Settings, fields_of_settings
from .choices import as_flag, describe_settings, help_of_fields, list_registries
from .options import find_option, parse

__all__ = ["ParsedConfig", "parse_config"]


class ParsedConfig(NamedTuple):
    """A configuration and the options that it was parsed from.

    config: The configuration.
    explicit_fields: The settings that were typed, by flat name.
    command: The command's own options.
    """

    config: Config
    explicit_fields: dict[str, Any]
    command: Any


class _Option(NamedTuple):
    """An option: the field that it sets, the field's value, and the text of the help."""

    field: Field
    value: Any
    help: str


class _Group(NamedTuple):
    """A group of options in the help: those of one choice, such as "--net resnet", or of one part, such as "data"."""

    title: str
    description: str
    options: list[_Option]


def parse_config(base: Config, arguments: Sequence[str], command: type, prog: str, description: str) -> ParsedConfig:
    """Parses the options of a command together with those of a configuration.

    Arguments:
        base: The configuration whose settings are the defaults.
        arguments: The words after the command and the preset.
        command: The dataclass of the command's own options, all with defaults.
        prog: The command and the preset, for the help.
        description: The text at the head of the help.

    Raises:
        UserError: For an unknown choice, an option of another choice, or a value that the configuration refuses.
    """
    typed = _typed_options(arguments)
    config, explicit_fields = _parse_choices(base, arguments, typed)
    _check_options(config, typed)
    own = dataclasses.fields(command)
    groups = {f"group{i}": group for i, group in enumerate(_groups(config, typed, {field.name for field in own}))}
    members: list[Any] = [(field.name, field.type, dataclasses.field(default=field.default)) for field in own]
    for name, group in groups.items():
        options = _as_dataclass(group)
        members.append((name, Annotated[type(options), arg(name=group.title)], dataclasses.field(default=options)))
    everything: Any = dataclasses.make_dataclass("Options", members)
    everything.__doc__ = None
    parsed = parse(everything, arguments, prog, description, config=(OmitArgPrefixes,))
    values = {option: value for name in groups for option, value in vars(getattr(parsed, name)).items()}
    explicit_fields |= {option: values[option] for option in typed & values.keys() - explicit_fields.keys()}
    own_options = command(**{field.name: getattr(parsed, field.name) for field in own})
    return ParsedConfig(config.override(**explicit_fields), explicit_fields, own_options)


def _typed_options(arguments: Sequence[str]) -> set[str]:
    """Returns the flat names of the options among words; `--no-mirror` stands for `mirror`."""
    flags = {word[2:].partition("=")[0].replace("-", "_") for word in arguments if word.startswith("--")}
    return {flag.removeprefix("no_") for flag in flags}


def _parse_choices(base: Config, arguments: Sequence[str], typed: set[str]) -> tuple[Config, dict[str, Any]]:
    """Returns a configuration with the choices that were typed, and these choices by flat name.

    A choice may bring further choices (`--loss elbo` brings `--variance`), which are read in the next round. A setting that
    acts only with some choices waits at its default until its typed value is known: `--latent gaussian --independence 0`.
    """
    config = base.override(**{f.option: f.default for _, f, _ in base.walk() if f.acts is not None and f.option in typed})
    explicit_fields: dict[str, Any] = {}
    while True:
        options = [field.option for _, field, _ in config.walk() if field.registry is not None]
        names = {option: find_option(arguments, as_flag(option)) for option in options if option not in explicit_fields}
        choices = {option: name for option, name in names.items() if name is not None}
        if not choices:
            return config, explicit_fields
        config, explicit_fields = config.override(**choices), explicit_fields | choices


def _check_options(config: Config, typed: set[str]) -> None:
    """Raises UserError for an option of a choice that is not chosen.

    Names that no choice has are left to the parser, which also knows the command's own options.
    """
    choices = [choice for registry in list_registries() for choice in registry.values()]
    others = {field.option for choice in choices for field in fields_of_settings(choice)} - config.options().keys()
    for option in sorted(typed & others):
        raise UserError(config.explain(option, as_flag))


def _groups(config: Config, typed: set[str], own: set[str]) -> Iterator[_Group]:
    """Yields the options of a configuration in groups: those of each part, then those of each choice that it holds.

    Arguments:
        config: The configuration.
        typed: The options that were typed; others that have no effect on the configuration are left out.
        own: The command's own options, which replace those of the same name.
    """

    def visit(settings: Settings, title: str, description: str, choice: Sequence[_Option] = ()) -> Iterator[_Group]:
        texts = help_of_fields(type(settings))
        options = [_Option(field, value, texts[field.name]) for field, value in settings.items()]
        plain = [
            option
            for option in options
            if option.field.option and option.field.option not in own and option.field.registry is None
            if option.field.acts is None or option.field.acts.condition(config) or option.field.option in typed
        ]
        if choice or plain:
            yield _Group(title, description, [*choice, *plain])
        for option in options:
            value = option.value
            if option.field.registry is not None:
                title = f"{as_flag(option.field.option)} {value.name}"
                yield from visit(value, title, describe_settings(type(value)), [option])
            elif option.field.nested:
                yield from visit(value, option.field.name, option.help)

    return visit(config, "", "")


def _as_dataclass(group: _Group) -> Any:
    """Returns an object whose fields have the flat names of a group's options, and types that the parser knows."""
    members = []
    for field, value, text in group.options:
        names = tuple(field.registry) if field.registry is not None else field.names
        kind: Any = operator.getitem(Literal, names) if names else _command_line_type(field.hint)
        marks = arg(name=as_flag(field.option)[2:], help=text, metavar=_metavar(kind))
        default = value if field.registry is None else value.name
        members.append((field.option, operator.getitem(Annotated, (kind, marks)), dataclasses.field(default=default)))
    options: Any = dataclasses.make_dataclass("Group", members, frozen=True)
    options.__doc__ = group.description
    return options()


def _command_line_type(hint: Any) -> Any:
    """Returns the type of a field without the functions that only Python can give."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    parts = [part for part in get_args(hint) if get_origin(part) is not Callable]
    return functools.reduce(operator.or_, parts)


def _metavar(kind: Any) -> str | None:
    """Returns how the value of an option is written in the help; None leaves it to the parser.

    The parser writes `{None}|INT` for a value that may be left open; INT is enough, since the default is shown.
    """
    parts = [part for part in get_args(kind) if part is not types.NoneType]
    if get_origin(kind) not in (Union, types.UnionType) or len(parts) != 1:
        return None
    return " ".join(part.__name__.upper() for part in get_args(parts[0]) or parts)
