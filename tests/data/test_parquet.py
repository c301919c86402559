"""Tests of parquet files and of data sets of the Hugging Face hub."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from splitvae.data import decode
from splitvae.data.sources import load


def encoded(array: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def image_table(cells: list, features: dict | None = None, **columns: object) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": cell, "path": None} if isinstance(cell, bytes) else cell for cell in cells]
    table = pa.table({"image": pa.array(cells, kind), **columns})
    info = {"info": {"features": {"image": {"_type": "Image"}, **(features or {})}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(info)})


def test_parquet_gives_images_labels_names_and_parts(
    tmp_path: Path, noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    originals = noise(6, 8, 8, 3)
    label = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    for part, rows in (("train-00000-of-00002", [0, 1]), ("train-00001-of-00002", [2, 3]), ("test", [4, 5])):
        table = image_table([encoded(originals[i]) for i in rows], label, label=[i % 2 for i in rows])
        pq.write_table(table, tmp_path / f"{part}.parquet")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert torch.equal(train.pixels, torch.from_numpy(originals[:4]).permute(0, 3, 1, 2))
    assert train.labels.tolist() == [0, 1, 0, 1] and train.classes == ("cat", "dog")
    assert torch.equal(test.pixels, torch.from_numpy(originals[4:]).permute(0, 3, 1, 2))
    assert_refused(tmp_path, "no validation part", part="validation")


def test_cifar10_in_the_layout_of_the_hub_is_read(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    originals = noise(4, 32, 32, 3)
    (tmp_path / "plain_text").mkdir()
    for part, rows in (("train", [0, 1, 2]), ("test", [3, 0])):
        table = image_table([encoded(originals[i]) for i in rows], label=[9 - i for i in rows])
        table = table.rename_columns(["img", "label"])
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, tmp_path / f"plain_text/{part}-00000-of-00001.parquet")
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.labels.tolist() == [9, 8, 7] and test.labels.tolist() == [6, 9] and train.classes == tuple(names)
    assert torch.equal(train.pixels, torch.from_numpy(originals[:3]).permute(0, 3, 1, 2)) and train.notes == ()


def test_boolean_columns_are_attributes(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    table = image_table([encoded(noise(8, 8))] * 20, smiling=[True, False] * 10, hat=[False] * 19 + [None], name=["x"] * 20)
    pq.write_table(table, tmp_path / "faces.parquet")
    train = load(tmp_path / "faces.parquet")
    assert train.labels.shape == (18, 2) and train.classes == ("smiling", "hat")
    assert train.labels.sum(0)[1] == 0 and 7 <= train.labels.sum(0)[0] <= 10


def test_the_image_column_is_found_by_its_type_where_metadata_are_absent(
    tmp_path: Path, noise: Callable[..., np.ndarray]
) -> None:
    table = image_table([encoded(noise(8, 8))] * 4, label=[3, 1, 2, 0]).replace_schema_metadata(None)
    (tmp_path / "train").mkdir()
    for path in (tmp_path / "train/0.parquet", tmp_path / "validation.parquet"):
        pq.write_table(table.rename_columns(["picture", "label"]), path)
    images = load(tmp_path, "validation")
    assert images.labels.tolist() == [3, 1, 2, 0] and images.classes == ("0", "1", "2", "3")


def test_hub_marks_of_missing_labels_leave_images_unlabelled(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    pq.write_table(image_table([encoded(noise(8, 8))] * 4, label=[-1] * 4), tmp_path / "a.parquet")
    images = load(tmp_path)
    assert images.labels is None and "'label' is left out" in images.notes[-1]


def test_damaged_images_in_parquet_are_named_by_row(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    cells = [encoded(noise(8, 8)), b"broken", None, encoded(noise(8, 8)), {"bytes": None, "path": "gone.png"}]
    for part in ("train", "test"):
        pq.write_table(image_table(cells, label=[0, 1, 2, 3, 4]), tmp_path / f"{part}.parquet")
    images = load(tmp_path)
    assert images.labels.tolist() == [0, 3]
    for row in (1, 2, 4):
        assert f"row {row} of train.parquet" in images.notes[-1]


def test_bad_parquet_is_refused(
    tmp_path: Path, noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 broken")
    assert_refused(tmp_path, "a.parquet", "cannot be read as Parquet")
    pq.write_table(image_table([encoded(noise(64, 64))] * 9), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert_refused(path, "a.parquet", "cannot be read as Parquet")
    pq.write_table(pa.table({"x": [1, 2], "name": ["a", "b"]}), path)
    assert_refused(path, "no column of images", "x (int64)", "name (string)")
    pq.write_table(image_table([]), path)
    assert_refused(path, "0 image")


def test_tables_are_decoded_once_by_row_groups_and_labelled_from_the_other_columns(
    tmp_path: Path, noise: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    path = tmp_path / "faces.parquet"
    cells = [encoded(noise(8, 8, 3)) if i != 12 else b"broken" for i in range(30)]
    pq.write_table(image_table(cells, hat=[i % 3 == 0 for i in range(30)]), path, row_group_size=7)
    direct = load(path, cache=False)
    assert torch.equal(load(path, cache=True).pixels, direct.pixels)
    monkeypatch.setattr(decode, "_open_image", None)  # nothing is decoded from now on
    again = load(path)
    assert torch.equal(again.pixels, direct.pixels) and torch.equal(again.labels, direct.labels)
    assert (again.notes, again.classes) == (direct.notes, direct.classes)
    monkeypatch.undo()
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    pq.write_table(image_table(cells[::-1], hat=[False] * 30), path, row_group_size=7)
    assert torch.equal(load(path, cache=True).pixels, load(path, cache=False).pixels)


def test_images_in_files_beside_a_table_are_not_kept(
    tmp_path: Path, noise: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    (tmp_path / "a.png").write_bytes(encoded(noise(8, 8)))
    pq.write_table(image_table([{"bytes": None, "path": "a.png"}] * 4), tmp_path / "a.parquet")
    before = load(tmp_path / "a.parquet", cache=True)
    (tmp_path / "a.png").write_bytes(encoded(noise(8, 8)))
    assert not torch.equal(load(tmp_path / "a.parquet", cache=True).pixels, before.pixels)


def test_a_table_that_is_damaged_within_is_refused(
    tmp_path: Path, noise: Callable[..., np.ndarray], assert_refused: Callable[..., None]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(image_table([encoded(noise(64, 64))] * 9), path)
    whole = bytearray(path.read_bytes())
    whole[4:60] = b"x" * 56
    path.write_bytes(whole)
    assert_refused(path, "a.parquet", "cannot be read as Parquet")
