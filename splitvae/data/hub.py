"""Data sets of the Hugging Face hub: "hf://org/name", "hf://org/name/config", and either with ":split".

`datasets` downloads all splits of a set where one is asked for. Here its builder is given the files of that split alone,
and a folder of its own for what it writes, cache_dir()/hub/org___name/CONFIG/HASH/SPLIT; HASH changes with the set. What
layout.json in CONFIG says of the splits lets those that were read once be read without a network. A set that `datasets`
prepared whole before is used as it is.

The splits train, test and validation are the parts of a set. With ":split" that split is the whole source, whatever its
name, and a tenth of it is held out as test.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..utils.download import cache_dir
from ..utils.files import read_json, write_json
from .parts import PART_OF_NAME, MissingPartError, PartSelection, select_part

__all__ = ["open_hub_part", "parse_hub_name"]

_INFO = "dataset_info.json"  # `datasets` writes it last
_REASON_CHARACTERS = 400


class _HubName(NamedTuple):
    """What "hf://org/name/config:split" names.

    Arguments:
        source_name: The whole.
        repository: The data set, "org/name".
        config: The configuration; None is the one that the set has by default.
        split: The split; None if the splits are the parts of the source.
    """

    source_name: str
    repository: str
    config: str | None
    split: str | None

    @property
    def folder(self) -> Path:
        """The folder of this configuration in the cache."""
        return cache_dir() / "hub" / self.repository.replace("/", "___") / (self.config or "default")


class _Layout(NamedTuple):
    """The hash of a set and the names of its splits."""

    hash: str
    splits: tuple[str, ...]


def parse_hub_name(source_name: str) -> _HubName:
    """Returns the parts of "hf://org/name", "hf://org/name/config", or either with ":split".

    Raises:
        UserError: If it is none of these.
    """
    rest, colon, split = source_name.removeprefix("hf://").removeprefix("datasets/").partition(":")
    names = rest.split("/")
    if not 2 <= len(names) <= 3 or not all(names):
        raise UserError(
            f"{source_name} names no data set of the hub: type hf://org/name, such as hf://uoft-cs/cifar10; a "
            "configuration and a split may follow, hf://org/name/config:split."
        )
    if colon and not re.fullmatch(r"\w+([.-]\w+)*", split):
        raise UserError(
            f"{source_name} ends in {split!r}, which is no name of a split: type one name behind the colon, such as "
            f"hf://{rest}:train; slices and sums are not read."
        )
    return _HubName(source_name, "/".join(names[:2]), names[2] if len(names) > 2 else None, split or None)


def open_hub_part(source_name: str, part: str) -> tuple[Any, PartSelection]:
    """Opens what serves as the part "train", "test", "validation" or "all" of a set, from the cache or from the network.

    Arguments:
        source_name: The name of the set, which `parse_hub_name` explains.
        part: The part.

    Returns:
        The `datasets.Dataset` of one split of the set, and which of its rows are asked for.

    Raises:
        MissingPartError: If the set has several parts, but not this one.
        UserError: If the name is wrong, or the set cannot be loaded.
    """
    name = parse_hub_name(source_name)
    import datasets

    try:
        builder = datasets.load_dataset_builder(name.repository, *([name.config] if name.config else []))
        layout = _read_layout(builder, name)
        chosen, parts = _choose_split(name, layout.splits, part)
        dataset = _open_prepared(name, layout, chosen) or _prepare(builder, name, layout, chosen)
    except UserError:
        raise
    except Exception as error:  # the network, the hub and the readers of all formats can raise anything
        reason = " ".join(str(error).split())[:_REASON_CHARACTERS] or type(error).__name__
        recorded = _recall_layout(name)
        if recorded is not None:
            chosen, parts = _choose_split(name, recorded.splits, part)
            dataset = _open_prepared(name, recorded, chosen)
        if recorded is None or dataset is None:
            raise UserError(
                f"{source_name} cannot be loaded ({reason}): check the name and the network, or fetch its parquet files "
                "elsewhere and give their folder."
            ) from None
    if len(parts) == 1:
        return dataset, select_part({"all": len(dataset)}, part, source_name)
    own = PART_OF_NAME.get(chosen, chosen)
    return dataset, select_part({each: len(dataset) if each == own else 2 for each in parts}, part, source_name)


def _read_layout(builder: Any, name: _HubName) -> _Layout:
    """Returns the layout of a set as the hub says, and writes it to the cache; without the hub, as it was written there."""
    files = builder.config.data_files
    if files is None:  # the hub was not reached, and this is a set that was prepared whole
        return _recall_layout(name) or _Layout("", tuple(map(str, builder.info.splits or ())))
    layout = _Layout(str(builder.hash), tuple(map(str, files)))
    if _recall_layout(name) != layout:
        with suppress(UserError):  # the cache cannot be written; what is to be written there next gives the reason
            write_json(name.folder / "layout.json", layout._asdict())
    return layout


def _recall_layout(name: _HubName) -> _Layout | None:
    """Returns the layout that was written to the cache; None if there is none."""
    with suppress(UserError, KeyError, TypeError):
        content = read_json(name.folder / "layout.json")
        return _Layout(content["hash"], tuple(content["splits"]))
    return None


def _choose_split(name: _HubName, splits: Sequence[str], part: str) -> tuple[str, tuple[str, ...]]:
    """Returns the split of a set that serves as a part, and the parts of the source."""
    known = ", ".join(splits) or "none"
    if name.split is not None:
        if name.split not in splits:
            raise UserError(f"{name.source_name}: there is no split {name.split!r}, only {known}.")
        return name.split, ("all",)
    parts = {PART_OF_NAME.get(each, each): each for each in reversed(splits)}  # of two for one part, the first
    if len(parts) == 1:
        return splits[0], ("all",)
    if "train" not in parts:
        example = f"{name.source_name}:{splits[0]}" if splits else "another set"
        raise MissingPartError(f"{name.source_name} has the splits {known}, but no train: name one, such as {example}.")
    return parts[select_part(dict.fromkeys(parts, 2), part, name.source_name).part], tuple(parts)


def _open_prepared(name: _HubName, layout: _Layout, split: str) -> Any | None:
    """Opens a split in the cache; returns None if it is not there."""
    import datasets

    folder = name.folder / layout.hash / split
    if not layout.hash or not (folder / _INFO).is_file():
        return None
    shards = [datasets.Dataset.from_file(str(file)) for file in sorted(folder.glob("*.arrow"))]
    return datasets.concatenate_datasets(shards)


def _prepare(builder: Any, name: _HubName, layout: _Layout, split: str) -> Any:
    """Downloads the files of one split and opens it; a set that was prepared whole is opened at once."""
    if (Path(builder.cache_dir) / _INFO).is_file():
        builder.download_and_prepare()
        return builder.as_dataset(split=split)
    config, sizes = copy.copy(builder.config), builder.info.splits
    config.data_files = type(config.data_files)({split: config.data_files[split]})
    builder.config = config
    if sizes is not None and split in sizes:  # these are compared with what was read, and with the space on the disk
        builder.info.splits = type(sizes)({split: sizes[split]})
        builder.info.size_in_bytes = sizes[split].num_bytes
    builder.download_and_prepare(output_dir=str(name.folder / layout.hash / split))
    return _open_prepared(name, layout, split)
