"""Tests of data sets of the hub: names, splits, what is downloaded, and reading without a network."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from splitvae.data.hub import parse_hub_name
from splitvae.data.sources import load, load_all
from splitvae.errors import UserError

REAL_BUILDER = datasets.load_dataset_builder


def write_split(path: Path, values: range | list[int]) -> None:
    """Writes a parquet file of 8x8 images whose pixels and labels are given values, in the layout of the hub."""
    cells = []
    for value in values:
        file = io.BytesIO()
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(file, "PNG")
        cells.append({"bytes": file.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(cells, kind), "label": pa.array([value % 2 for value in values], pa.int64())})
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["even", "odd"]}}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)


class Hub:
    """A hub of folders, which can be offline."""

    def __init__(self, root: Path) -> None:
        self.root, self.online = root, True

    def load_dataset_builder(self, repository: str, *config: str) -> Any:
        if not self.online:
            raise ConnectionError(f"Couldn't reach '{repository}' on the Hub\nat all")
        return REAL_BUILDER(str(self.root / repository), *config)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with the set org/name, whose splits hold 20 images each: train from the value 0 on, then 50, and test 100."""
    hub = Hub(tmp_path / "hub")
    for number, split in enumerate(("train", "validation", "test")):
        write_split(hub.root / f"org/name/data/{split}-00000-of-00001.parquet", range(50 * number, 50 * number + 20))
    monkeypatch.setattr(datasets, "load_dataset_builder", hub.load_dataset_builder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    return hub


def values(source: str, part: str = "train") -> list[int]:
    images = load(source, part)
    assert images.source == source and images.classes == ("even", "odd")
    assert (images.pixels[:, 0, 0, 0] % 2 == images.labels).all()
    return images.pixels[:, 0, 0, 0].tolist()


def test_splits_are_parts_and_only_the_wanted_one_is_read(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    for other in ("train", "validation"):
        (hub.root / f"org/name/data/{other}-00000-of-00001.parquet").write_bytes(b"PAR1 not to be read")
    assert values("hf://org/name", "test") == list(range(100, 120))
    assert "test split: 20 examples" in capsys.readouterr().err  # a progress bar
    write_split(hub.root / "org/name/data/train-00000-of-00001.parquet", range(20))
    assert values("hf://org/name") == list(range(20)) and values("hf://datasets/org/name") == list(range(20))


def test_a_named_split_is_the_whole_source(hub: Hub, assert_refused: Callable[..., None]) -> None:
    assert values("hf://org/name:test", "all") == list(range(100, 120))
    assert len(values("hf://org/name:validation")) == 18 and len(values("hf://org/name:validation", "test")) == 2
    assert len(load_all("hf://org/name:train")) == 20
    assert_refused("hf://org/name:tets", "no split 'tets'", "train, validation, test")
    for wrong in ("hf://org/name:train[:10%]", "hf://org/name:train+test", "hf://org/name:"):
        assert_refused(wrong, "no name of a split", "hf://org/name:train", "slices")


def test_what_was_read_once_is_read_without_a_network(hub: Hub, assert_refused: Callable[..., None]) -> None:
    first = load("hf://org/name")
    hub.online = False
    again = load("hf://org/name")
    assert again.sha256 == first.sha256 and again.classes == first.classes and again.labels.equal(first.labels)
    assert len(load("hf://org/name:train", "all")) == 20
    assert_refused("hf://org/name", "Couldn't reach 'org/name' on the Hub at all", "parquet files", part="test")
    assert_refused("hf://org/other", "Couldn't reach 'org/other'")


def test_a_changed_set_is_read_anew(hub: Hub) -> None:
    assert values("hf://org/name") == list(range(20))
    shutil.rmtree(hub.root / "org/name/data")
    for split, numbers in (("train", range(30)), ("test", range(4))):
        write_split(hub.root / f"org/name/data/{split}-00000-of-00001.parquet", numbers)
    assert values("hf://org/name") == list(range(30))


def test_a_set_that_was_prepared_whole_is_used_as_it_is(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    REAL_BUILDER(str(hub.root / "org/name")).download_and_prepare()
    monkeypatch.setattr(datasets.DownloadManager, "download", None)  # would fail if it were called
    assert values("hf://org/name", "test") == list(range(100, 120))
    assert not list((hub.root.parent / "cache").rglob("*.arrow"))


def test_configurations_are_chosen_by_name_and_errors_list_them(hub: Hub, assert_refused: Callable[..., None]) -> None:
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train.parquet\n"
        for name in ("low", "high")
    )
    (hub.root / "org/two").mkdir()
    (hub.root / "org/two/README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    write_split(hub.root / "org/two/low/train.parquet", range(20))
    write_split(hub.root / "org/two/high/train.parquet", range(200, 220))
    assert sorted(values("hf://org/two/high") + values("hf://org/two/high", "test")) == list(range(200, 220))
    assert load("hf://org/two/low:train", "all").pixels.max() == 19
    assert_refused("hf://org/two", "['low', 'high']")
    assert_refused("hf://org/two/middle", "'middle' not found", "['low', 'high']")


def test_splits_of_other_names_must_be_named(hub: Hub, assert_refused: Callable[..., None]) -> None:
    configs = "".join(f"  - split: {name}\n    path: {name}.parquet\n" for name in ("dogs", "cats"))
    (hub.root / "org/pets").mkdir()
    (hub.root / "org/pets/README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files:\n{configs}---\n")
    write_split(hub.root / "org/pets/dogs.parquet", range(20))
    write_split(hub.root / "org/pets/cats.parquet", range(20))
    assert_refused("hf://org/pets", "the splits dogs, cats, but no train", "hf://org/pets:dogs")
    assert len(load("hf://org/pets:cats")) == 18


@pytest.mark.parametrize("name", ["hf://name", "hf://", "hf://a//b", "hf://a/b/c/d", "hf:///b", "hf://:train"])
def test_incomplete_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="hf://org/name"):
        parse_hub_name(name)


def test_parts_of_names_are_told_apart() -> None:
    assert parse_hub_name("hf://uoft-cs/cifar10/plain_text:test")[1:] == ("uoft-cs/cifar10", "plain_text", "test")
    assert parse_hub_name("hf://a/b:v1.0-x_y")[1:] == ("a/b", None, "v1.0-x_y")
