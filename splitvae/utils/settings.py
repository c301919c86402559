"""Settings: frozen dataclasses, each of which configures one thing, and registries that give them names.

A choice (a network, a latent, an objective, a sampler, ...) is a frozen dataclass beside the thing that it configures. It
is written as an object, `Residual(width=32)`, or, where its defaults do, by its name, `"resnet"`. Settings may hold choices
and other settings, as a `Config` does. Each field also has a flat name, its *option*: `config.override(width=16)` and
`--width 16` set the width of the chosen network, wherever it stands.

    @dataclass(frozen=True)
    class Residual(Network):
        "Creates the network of the paper. Arguments: ..."

        name = "resnet"
        width: int = 64

    NETWORKS = Registry("network", "net", [Residual, ...])    # adding a choice is one line here
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Self, TypeVar, get_args, get_origin, get_type_hints

from ..errors import UserError, nearest

__all__ = ["ActsWith", "Field", "OneOf", "Option", "Registry", "Settings", "fields_of_settings"]


class OneOf(NamedTuple):
    """Marks a field whose value is one of some names: `Annotated[str, OneOf(FUSIONS)]`."""

    names: tuple[str, ...]


class Option(NamedTuple):
    """Marks a field whose flat name is another than its own: `Annotated[float, Option("kl_steps")]`.

    name: The flat name; an empty one makes a field that is set in Python alone.
    """

    name: str


class ActsWith(NamedTuple):
    """Marks a field that acts only where a condition on the whole configuration holds.

    condition: A function of the outermost settings. needed: What to type so that the field acts.
    """

    condition: Callable[[Any], bool]
    needed: str


class Field(NamedTuple):
    """What is known of one field of settings."""

    name: str
    option: str  # the flat name; "" where there is none
    hint: Any  # the type, without annotations
    default: Any
    help: str
    registry: Registry[Any] | None  # where the value is a choice
    names: tuple[str, ...]  # where it is one of some names
    acts: ActsWith | None
    nested: bool  # the value is settings that are no choice


S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """The base of everything that configures a thing; subclasses are frozen dataclasses.

    `name` is what a choice is called on the command line and in files; settings that are no choice have none. `prefix`
    stands before the flat names of fields, where other settings have fields of the same names.
    """

    name: ClassVar[str] = ""
    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields_of_settings(type(self)):
            value = getattr(self, field.name)
            if field.registry is not None:
                object.__setattr__(self, field.name, field.registry.make(value))
            elif field.names and value not in field.names:
                raise UserError(f"{field.option}={value!r} is unknown; {nearest(str(value), field.names)}")

    def items(self) -> Iterator[tuple[Field, Any]]:
        """Yields each field with its value."""
        for field in fields_of_settings(type(self)):
            yield field, getattr(self, field.name)

    def walk(self) -> Iterator[tuple[Settings, Field, Any]]:
        """Yields each choice and each plain setting, however deep it stands, after the settings that hold it."""
        for field, value in self.items():
            if field.option:
                yield self, field, value
            if isinstance(value, Settings):
                yield from value.walk()

    def options(self) -> dict[str, Any]:
        """Returns all settings by flat name, choices by their names; a choice is followed by its own settings."""
        return {field.option: value if field.registry is None else value.name for _, field, value in self.walk()}

    def override(self, **options: Any) -> Self:
        """Returns these settings with some changed, given by flat name: `override(net="intro", width=32)`.

        A new choice keeps those settings of the old one that it has too and that were not the old one's defaults.

        Raises:
            UserError: For an option that does not exist, that belongs to another choice, or that does not act.
        """
        changed, used = self._override(options)
        for option in options.keys() - used:
            raise UserError(changed.explain(option))
        return changed

    def explain(self, option: str, style: Callable[[str], str] = str) -> str:
        """Returns why these settings have no such option: which choice it belongs to, or which names are near.

        Arguments:
            option: The flat name.
            style: How a flat name is written in the message.
        """
        owners, chosen = _owners(type(self), option), self.options()
        if not owners:
            return f"there is no setting {style(option)!r}; {nearest(option, chosen)}"
        one = owners[0][0].option
        names = " or ".join(dict.fromkeys(name for registry, name in owners if registry.option == one))
        here = f"here {style(one)} is {chosen[one]}" if one in chosen else f"nothing chosen here has {style(one)}"
        return (
            f"{style(option)} belongs to {style(one)} {names}, and {here}; choose {style(one)} {names}, or leave "
            f"{style(option)} out."
        )

    def _override(self, options: Mapping[str, Any]) -> tuple[Self, set[str]]:
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
                value, more = value._override(options)
                used |= more
            if value is not getattr(self, field.name):
                changes[field.name] = value
        return (dataclasses.replace(self, **changes) if changes else self), used

    def inherited(self, previous: Settings) -> dict[str, Any]:
        """Returns the fields that are taken over from replaced settings: those in both that were not at their defaults."""
        own = {f.name for f in dataclasses.fields(self)}
        return {f.name: getattr(previous, f.name) for f in _changed_fields(previous) if f.name in own}

    def to_json(self) -> dict[str, Any]:
        """Returns these settings as nested dictionaries; functions are left out, since no file can hold them."""
        values: dict[str, Any] = {"name": self.name} if self.name else {}
        for field, value in self.items():
            if isinstance(value, Settings):
                values[field.name] = value.to_json()
            elif not callable(value):
                values[field.name] = list(value) if isinstance(value, tuple) else value
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the settings that `to_json` wrote.

        Raises:
            UserError: For a field or a name that is unknown here.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"{values!r} is no group of settings")
        known = {field.name: field for field in fields_of_settings(cls)}
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name == "name" and cls.name:
                continue
            if name not in known:
                raise UserError(f"has a field {name!r} unknown here; {nearest(name, known)}")
            if known[name].nested:
                value = known[name].hint.from_json(value)
            read[name] = tuple(value) if isinstance(value, list) else value
        return cls(**read)


class Registry(dict[str, type[S]], Generic[S]):
    """The choices of one axis by name.

    Arguments:
        what: The noun for a choice in messages, such as "network".
        option: The flat name of the choice, such as "net".
        kinds: The classes of settings, each with its `name`.
    """

    def __init__(self, what: str, option: str, kinds: Iterable[type[S]]) -> None:
        super().__init__({kind.name: kind for kind in kinds})
        self.what, self.option = what, option

    __hash__ = object.__hash__  # type: ignore[assignment]  # a registry is itself, whatever it holds

    def make(self, value: S | str | Mapping[str, Any], previous: Settings | None = None) -> S:
        """Returns a choice from an object, a name, or what `to_json` wrote.

        Arguments:
            value: The object, the name, or the dictionary.
            previous: The choice that a name replaces; what it has in common with the new one is kept.

        Raises:
            UserError: For an unknown name, with the nearest ones.
        """
        if isinstance(value, Settings):
            return value
        values = {} if isinstance(value, str) else dict(value)
        name = value if isinstance(value, str) else str(values.get("name", ""))
        if name not in self:
            raise UserError(f"no {self.what} is called {name!r}; {nearest(name, self)}")
        kind = self[name]
        if values or previous is None:
            return kind.from_json(values)
        return previous if type(previous) is kind else kind(**kind().inherited(previous))


_FIELDS: dict[type, tuple[Field, ...]] = {}  # of each class, computed once


def fields_of_settings(kind: type[Settings]) -> tuple[Field, ...]:
    """Returns the fields of a class of settings, in their order."""
    if kind not in _FIELDS:
        _FIELDS[kind] = _read_fields(kind)
    return _FIELDS[kind]


def _read_fields(kind: type[Settings]) -> tuple[Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    texts = _described(kind)
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


def _described(kind: type) -> dict[str, str]:
    """Returns the sentence about each argument in the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = re.search(r"Arguments:\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(base.__doc__ or ""), re.DOTALL)
        for name, text in re.findall(
            r"^    (\w+): (.*(?:\n        .*)*)", section.group(1) if section else "", re.MULTILINE
        ):
            texts[name] = " ".join(text.split())
    return texts


def _changed_fields(settings: Settings) -> list[dataclasses.Field[Any]]:
    """Returns the fields of settings that differ from their defaults."""
    return [f for f in dataclasses.fields(settings) if getattr(settings, f.name) != f.default]


def _owners(kind: type[Settings], option: str) -> list[tuple[Registry[Any], str]]:
    """Returns the choices, of all that settings of a class could hold, which have an option."""
    owners: list[tuple[Registry[Any], str]] = []
    for field in fields_of_settings(kind):
        if field.nested:
            owners += _owners(field.hint, option)
        for name, choice in field.registry.items() if field.registry is not None else ():
            if any(own.option == option for own in fields_of_settings(choice)):
                owners.append((field.registry, name))  # type: ignore[arg-type]  # not None in this loop
            owners += _owners(choice, option)
    return owners
