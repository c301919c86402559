"""Settings: frozen dataclasses that configure networks, objectives, trainings and so on, and registries of them by name.

A *choice* is one of several alternatives, such as one of the networks. Its settings are a frozen dataclass that is defined
in the same file as the network itself. It is given as an object, `Residual(width=32)`, or by its name, `"resnet"`, for the
defaults. Settings can contain choices and other settings, as a `Config` does. Each field also has a flat name, its
*option*: `config.override(width=16)` in Python and `--width 16` on the command line set the width of the chosen network,
although that is a field of `config.model.net`.

    @dataclass(frozen=True)
    class Residual(Network):
        "Creates the settings of the paper's network. Arguments: ..."

        name = "resnet"
        width: int = 64

    NETWORKS = Registry("network", "net", [Residual, ...])    # a new choice is added to this list
"""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Self, TypeVar, get_args, get_origin, get_type_hints

from ..errors import UserError, nearest, setting

__all__ = ["ActsWith", "Field", "OneOf", "Option", "Registry", "Settings", "fields_of_settings"]


class OneOf(NamedTuple):
    """Marks a field whose value is one of several names: `Annotated[str, OneOf(FUSIONS)]`.

    Arguments:
        names: The names.
    """

    names: tuple[str, ...]


class Option(NamedTuple):
    """Marks a field whose flat name differs from its own name: `Annotated[int, Option("kl_steps")]`.

    Arguments:
        name: The flat name; an empty one if the field can be set only in Python.
    """

    name: str


class ActsWith(NamedTuple):
    """Marks a field that has an effect only if the whole configuration fulfils a condition.

    Arguments:
        condition: A function of the outermost settings, a `Config`.
        needed: The condition as a phrase for messages.
        remedy: The flat name and the value of a setting that fulfils it.
    """

    condition: Callable[[Any], bool]
    needed: str
    remedy: tuple[str, Any] | tuple[()] = ()

    def explain(self, option: str) -> str:
        """Returns the end of a message on a setting, by its flat name, where the condition is not fulfilled."""
        example = f", such as {setting(*self.remedy)}" if self.remedy else ""
        return f"acts only with {self.needed}{example}; choose that, or leave {setting(option)} out."


class Field(NamedTuple):
    """The description of one field of settings.

    Arguments:
        name: The name of the field.
        option: The flat name; "" if there is none.
        hint: The type, without annotations.
        default: The default value.
        help: The sentence about the field in the docstring.
        registry: The registry of the values if the field is a choice, else None.
        names: The allowed values if the field is marked by `OneOf`, else empty.
        acts: The condition under which the field has an effect; None if it always has.
        nested: Whether the value is other settings that are not a choice.
    """

    name: str
    option: str
    hint: Any
    default: Any
    help: str
    registry: Registry[Any] | None
    names: tuple[str, ...]
    acts: ActsWith | None
    nested: bool


S = TypeVar("S", bound="Settings")

_PLAIN_KINDS: dict[Any, tuple[type, str]] = {  # the types of values, and how messages call them
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    bool: (bool, "True or False"),
    str: (str, "a text"),
}


def _is_of_kind(value: Any, hint: type) -> bool:
    """Returns whether a value is of one of the plain kinds; True and False are no numbers."""
    return isinstance(value, _PLAIN_KINDS[hint][0]) and isinstance(value, bool) <= (hint is bool)


@dataclass(frozen=True)
class Settings:
    """The base of all settings; subclasses are frozen dataclasses.

    `name` is the name of a choice on the command line and in files; it is empty for settings that are not a choice.
    `prefix` begins the flat names of the fields, if other settings have fields of the same names.
    """

    name: ClassVar[str] = ""
    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields_of_settings(type(self)):
            value = getattr(self, field.name)
            if field.registry is not None:
                object.__setattr__(self, field.name, field.registry.make(value))
            elif field.hint in _PLAIN_KINDS and not _is_of_kind(value, field.hint):
                raise UserError(f"{setting(field.option or field.name, value)} must be {_PLAIN_KINDS[field.hint][1]}.")
            elif field.names and value not in field.names:
                raise UserError(f"{setting(field.option, value)} is unknown; {nearest(str(value), field.names)}")

    def items(self) -> Iterator[tuple[Field, Any]]:
        """Yields the fields, each with its value."""
        for field in fields_of_settings(type(self)):
            yield field, getattr(self, field.name)

    def walk(self) -> Iterator[tuple[Settings, Field, Any]]:
        """Yields all fields that have a flat name, at all depths, each with the settings that contain it and its value.

        A choice is followed by its own fields.
        """
        for field, value in self.items():
            if field.option:
                yield self, field, value
            if isinstance(value, Settings):
                yield from value.walk()

    def options(self) -> dict[str, Any]:
        """Returns the values of all fields by flat name; the value of a choice is its name."""
        return {field.option: value if field.registry is None else value.name for _, field, value in self.walk()}

    def override(self, **options: Any) -> Self:
        """Returns these settings with some fields changed: `override(net="intro", width=32)`.

        A choice given by name takes over the fields that it shares with the choice before, except those that had their
        default values there.

        Arguments:
            options: The new values by flat name; of a choice, an object or its name.

        Raises:
            UserError: For an option that does not exist, that belongs to another choice, or that has no effect.
        """
        changed, used = self._override(options)
        for option in options.keys() - used:
            raise UserError(changed.explain(option))
        return changed

    def explain(self, option: str, style: Callable[[str], str] = str) -> str:
        """Returns a message on an unknown option: the choice that it belongs to, or the nearest options.

        Arguments:
            option: The flat name.
            style: A function that formats a flat name for the message.
        """
        owners, chosen = _owners(type(self), option), self.options()
        if not owners:
            return f"there is no setting {style(option)!r}; {nearest(option, chosen)}"
        axis = owners[0][0].option
        names = " or ".join(dict.fromkeys(name for registry, name in owners if registry.option == axis))
        here = f"here {style(axis)} is {chosen[axis]}" if axis in chosen else f"nothing chosen here has {style(axis)}"
        remedy = "choose one of them" if " or " in names else f"choose {style(axis)} {names}"
        return f"{style(option)} belongs to {style(axis)} {names}, and {here}; {remedy}, or leave {style(option)} out."

    def _override(self, options: Mapping[str, Any]) -> tuple[Self, set[str]]:
        """Returns the changed settings, and the names of those options that they have."""
        changes: dict[str, Any] = {}
        used: set[str] = set()
        for field, value in self.items():
            if field.option in options and field.registry is not None:
                value = field.registry.make(options[field.option], previous=value)
                used.add(field.option)
            elif field.option and field.option in options:
                value = options[field.option]
                used.add(field.option)
            if isinstance(value, Settings):
                value, used_inside = value._override(options)
                used |= used_inside
            if value is not getattr(self, field.name):
                changes[field.name] = value
        return (dataclasses.replace(self, **changes) if changes else self), used

    def inherit_from(self, previous: Settings) -> dict[str, Any]:
        """Returns the values that a choice takes over from another: those of shared fields that differ from the default."""
        own = {f.name for f in dataclasses.fields(self)}
        return {f.name: getattr(previous, f.name) for f in _changed_fields(previous) if f.name in own}

    def to_json(self) -> dict[str, Any]:
        """Returns these settings as nested dictionaries of JSON values, without values that are functions."""
        values: dict[str, Any] = {"name": self.name} if self.name else {}
        for field, value in self.items():
            if isinstance(value, Settings):
                values[field.name] = value.to_json()
            elif not callable(value):
                values[field.name] = list(value) if isinstance(value, tuple) else value
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the settings whose `to_json` returned `values`.

        Raises:
            UserError: For a field or a name that is unknown in this version.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"{values!r} must be a group of settings in braces")
        fields = {field.name: field for field in fields_of_settings(cls)}
        arguments: dict[str, Any] = {}
        for name, value in values.items():
            if name == "name" and cls.name:
                continue
            if name not in fields:
                raise UserError(f"has a field {name!r} unknown here; {nearest(name, fields)}")
            if fields[name].nested:
                value = fields[name].hint.from_json(value)
            arguments[name] = tuple(value) if isinstance(value, list) else value
        return cls(**arguments)


class Registry(dict[str, type[S]], Generic[S]):
    """A dictionary of the alternatives of one choice: their classes of settings by name.

    Arguments:
        what: The noun for the choice in messages, such as "network".
        option: The flat name of the choice, such as "net".
        kinds: The classes of settings, each with a `name`.
    """

    def __init__(self, what: str, option: str, kinds: Iterable[type[S]]) -> None:
        super().__init__({kind.name: kind for kind in kinds})
        self.what, self.option = what, option

    __hash__ = object.__hash__  # type: ignore[assignment]  # by identity, so that it can mark a field

    def make(self, value: S | str | Mapping[str, Any], previous: Settings | None = None) -> S:
        """Returns the settings of an alternative.

        Arguments:
            value: The settings themselves, the name or the class of an alternative, or a dictionary that `to_json`
                returned.
            previous: The settings that a name replaces; the new ones take over values by `inherit_from`.

        Raises:
            UserError: For an unknown name, with the nearest ones.
        """
        if isinstance(value, type) and value in self.values():
            value = value.name
        if isinstance(value, Settings):
            return value
        if not isinstance(value, str | Mapping):
            raise UserError(f"{value!r} is no {self.what}; give a name or an object: {', '.join(self)}.")
        values = {} if isinstance(value, str) else dict(value)
        name = value if isinstance(value, str) else str(values.get("name", ""))
        if name not in self:
            raise UserError(f"no {self.what} is called {name!r}; {nearest(name, self)}")
        kind = self[name]
        if values or previous is None:
            return kind.from_json(values)
        return previous if type(previous) is kind else kind(**kind().inherit_from(previous))


_FIELDS: dict[type, tuple[Field, ...]] = {}  # the fields of each class, computed once


def fields_of_settings(kind: type[Settings]) -> tuple[Field, ...]:
    """Returns the fields of a class of settings, in the order of their definition."""
    if kind not in _FIELDS:
        _FIELDS[kind] = _read_fields(kind)
    return _FIELDS[kind]


def _read_fields(kind: type[Settings]) -> tuple[Field, ...]:
    """Returns the fields of a class of settings, read from its annotations and docstrings."""
    hints = get_type_hints(kind, include_extras=True)
    texts = _argument_texts(kind)
    fields = []
    for field in filter(lambda field: field.init, dataclasses.fields(kind)):
        marks = get_args(hints[field.name])[1:] if get_origin(hints[field.name]) is Annotated else ()
        hint = get_args(hints[field.name])[0] if marks else hints[field.name]
        option = next((m.name for m in marks if isinstance(m, Option)), kind.prefix + field.name)
        registry = next((m for m in marks if isinstance(m, Registry)), None)
        nested = registry is None and isinstance(hint, type) and issubclass(hint, Settings)
        fields.append(
            Field(
                field.name,
                registry.option if registry is not None else "" if nested else option,
                hint,
                field.default,
                texts.get(field.name, ""),
                registry,
                next((m.names for m in marks if isinstance(m, OneOf)), ()),
                next((m for m in marks if isinstance(m, ActsWith)), None),
                nested,
            )
        )
    return tuple(fields)


def _argument_texts(kind: type) -> dict[str, str]:
    """Returns the sentences about the arguments, by name, in the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = re.search(r"Arguments:\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(base.__doc__ or ""), re.DOTALL)
        for name, text in re.findall(
            r"^    (\w+): (.*(?:\n        .*)*)", section.group(1) if section else "", re.MULTILINE
        ):
            texts[name] = " ".join(text.split())
    return texts


def _changed_fields(settings: Settings) -> list[dataclasses.Field[Any]]:
    """Returns the fields whose values differ from their defaults."""
    return [f for f in dataclasses.fields(settings) if getattr(settings, f.name) != f.default]


def _owners(kind: type[Settings], option: str) -> list[tuple[Registry[Any], str]]:
    """Returns the alternatives that have an option, each as registry and name, of all choices in a class of settings."""
    owners: list[tuple[Registry[Any], str]] = []
    for field in fields_of_settings(kind):
        if field.nested:
            owners += _owners(field.hint, option)
        for name, choice in field.registry.items() if field.registry is not None else ():
            if any(own.option == option for own in fields_of_settings(choice)):
                owners.append((field.registry, name))  # type: ignore[arg-type]  # not None in this loop
            owners += _owners(choice, option)
    return owners
