"""The command `completion`: prints the words that a shell offers when the Tab key is pressed.

The words are those of the options' own definitions, so that nothing is written twice. The scripts hold them as text: a
shell that completes a word starts no Python.
"""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

from tyro.conf import Positional, arg

from .options import PARTS, SAMPLER_NAMES, option_of

__all__ = ["CommandWords", "Completion", "bash_script", "fish_script"]


class CommandWords(NamedTuple):
    """The words that can follow a command.

    Arguments:
        title: The first line of its description.
        first: The words that can come first, such as presets; the names of files are always possible.
        options: The values of each option, by the option; none where it has a value of another kind, or no value.
    """

    title: str
    first: Sequence[str]
    options: Mapping[str, Sequence[str]]


@dataclass
class Completion:
    """Print the script that completes commands, options and their values in a shell.

    Write it to a file that your shell reads, and print it again after an update of splitvae. For example type
    `splitvae completion bash > ~/.splitvae-completion`, and add the line `source ~/.splitvae-completion` to ~/.bashrc; the
    same with zsh and ~/.zshrc. For fish type `splitvae completion fish > ~/.config/fish/completions/splitvae.fish`.
    """

    shell: Positional[Annotated[Literal["bash", "zsh", "fish"], arg(metavar="bash|zsh|fish", help="The shell.")]]
    commands: ClassVar[dict[str, Any]] = {}  # all commands by name, as app.py enters them

    def __call__(self) -> None:
        words = collect_words(self.commands)
        if self.shell == "fish":
            print(fish_script(words))
        else:
            print(bash_script(words, zsh=self.shell == "zsh"))


def collect_words(commands: Mapping[str, Any]) -> dict[str, CommandWords]:
    """Returns the words of each command, by its name: "train", or "data list".

    Arguments:
        commands: The commands by name, each a dataclass of options, or a function.
    """
    from ..data.sources import SOURCE_NAMES
    from ..features.registry import EXTRACTORS
    from ..hub.card import LICENCES
    from ..metrics.registry import METRICS
    from ..presets.registry import PRESETS
    from ..reproductions.registry import EXPERIMENTS
    from . import data
    from .reproduce import ML_VAE
    from .sweep import SweepOptions
    from .train import TrainOptions

    intro = [name for name, config in PRESETS.items() if config.objective.name == "intro"]
    first: dict[str, Sequence[str]] = {"train": list(PRESETS), "sweep": ["introvae", *intro], "data": list(data.COMMANDS)}
    first |= {"reproduce": [*EXPERIMENTS, ML_VAE], "categories": SOURCE_NAMES, "means": SOURCE_NAMES}
    first |= {f"data {name}": SOURCE_NAMES for name in ("prepare", "show")}
    values: dict[str, Sequence[str]] = {"--data": SOURCE_NAMES, "--part": PARTS, "--licence": LICENCES}
    values |= {"--features": EXTRACTORS, "--metrics": list(METRICS)}
    own: dict[str, type] = {"train": TrainOptions, "sweep": SweepOptions}
    kinds = {**commands, **{f"data {name}": kind for name, kind in data.COMMANDS.items()}}
    words = {}
    for name, command in kinds.items():
        kind: Any = own.get(name, command)
        options = options_of(kind) if isinstance(kind, type) else {}
        if name in own:
            options = settings_of_config() | options
        known = {**values, **({"--sampler": SAMPLER_NAMES} if name not in own else {})}
        options = {option: known.get(option, values) for option, values in options.items()}
        title = (inspect.getdoc(command) or "").splitlines()[0]
        shells = _literals(get_type_hints(Completion)["shell"]) if name == "completion" else ()
        words[name] = CommandWords(title, [*first.get(name, ()), *shells], {**options, "--help": ()})
    return words


def options_of(kind: type) -> dict[str, Sequence[str]]:
    """Returns the options of a dataclass, with their values where these are known."""
    options: dict[str, Sequence[str]] = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        text = str(hints[field.name])
        if "Positional" not in text and "positional" not in text.lower():
            options[option_of(field.name)] = _literals(hints[field.name])
            if field.default is True:
                options[f"--no-{option_of(field.name)[2:]}"] = ()
    return options


def settings_of_config() -> dict[str, Sequence[str]]:
    """Returns the options of all settings of a configuration, whatever its choices, with their values."""
    from ..config import Config
    from .choices import as_flag, list_registries

    kinds: list[Any] = [choice for registry in list_registries() for choice in registry.values()]
    options: dict[str, Sequence[str]] = {}
    for field, default in [(f, d) for kind in kinds for f, d in kind().items()] + [(f, d) for _, f, d in Config().walk()]:
        if field.option and not field.nested:
            options[as_flag(field.option)] = tuple(field.registry) if field.registry is not None else field.names or ()
            if isinstance(default, bool):
                options[f"--no-{as_flag(field.option)[2:]}"] = ()
    return options


def _literals(hint: Any) -> tuple[str, ...]:
    """Returns the values of a type that lists them."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return tuple(value for part in get_args(hint) if not isinstance(part, str) for value in _literals(part))


def bash_script(commands: Mapping[str, CommandWords], zsh: bool = False) -> str:
    """Returns the script of bash, which zsh understands with two lines more."""
    head = ["autoload -U +X compinit && compinit", "autoload -U +X bashcompinit && bashcompinit"] if zsh else []
    top = " ".join(name for name in commands if " " not in name)
    lines = [
        *("# The completion of splitvae; `splitvae completion SHELL` prints it.", *head, "_splitvae() {"),
        '  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" first="" options=""',
        '  local command="${COMP_WORDS[1]}" place=2',
        '  if [ "$command" = data ] && [ "$COMP_CWORD" -gt 2 ]; then command="data ${COMP_WORDS[2]}"; place=3; fi',
        f'  if [ "$COMP_CWORD" -eq 1 ]; then words="{top} --help --version"; else',
        '    case "$command" in',
    ]
    for name, command in commands.items():
        lines.append(f'      "{name}") first="{" ".join(command.first)}"; options="{" ".join(command.options)}"')
        known = {option: values for option, values in command.options.items() if values}
        if known:
            lines.append('        case "$before" in')
            lines += [f'          {option}) words="{" ".join(values)}" ;;' for option, values in known.items()]
            lines.append("        esac")
        lines.append("        ;;")
    lines += [
        *("    esac", '    if [ -z "$words" ]; then'),
        '      if [[ "$current" == -* ]]; then words="$options"',
        '      elif [ "$COMP_CWORD" -eq "$place" ]; then words="$first"; fi',
        *("    fi", "  fi"),
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
        *("}", "complete -o default -F _splitvae splitvae"),
    ]
    return "\n".join(lines)


def fish_script(commands: Mapping[str, CommandWords]) -> str:
    """Returns the script of fish."""
    lines = ["# The completion of splitvae; `splitvae completion fish` prints it.", "complete -c splitvae -e"]
    for name, command in commands.items():
        outer, _, inner = name.partition(" ")
        seen = f"__fish_seen_subcommand_from {outer}" + (f"; and __fish_seen_subcommand_from {inner}" if inner else "")
        if not inner:
            title = command.title.replace("'", "")
            lines.append(f"complete -c splitvae -n __fish_use_subcommand -a {name} -d '{title}'")
        if command.first:
            lines.append(f"complete -c splitvae -n '{seen}' -a '{' '.join(command.first)}'")
        for option, values in command.options.items():
            kind, bare = ("-l", option[2:]) if option.startswith("--") else ("-s", option[1:])
            value = f" -x -a '{' '.join(values)}'" if values else ""
            lines.append(f"complete -c splitvae -n '{seen}' {kind} {bare}{value}")
    return "\n".join(lines)
