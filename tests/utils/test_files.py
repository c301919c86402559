"""Tests of atomic writing."""

from __future__ import annotations

from pathlib import Path

import pytest

from splitvae.errors import UserError
from splitvae.utils.files import atomic_write, read_json, write_json


def test_a_file_is_replaced_only_when_the_block_ends_without_an_error(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    with atomic_write(path) as draft:
        draft.write_text("old")
    with pytest.raises(KeyError), atomic_write(path) as draft:
        draft.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]
    with atomic_write(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"


def test_files_that_cannot_be_written_or_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{")
    with pytest.raises(UserError, match=r"b\.json cannot be written"):
        write_json(tmp_path / "file" / "b.json", {})
    with pytest.raises(UserError, match=r"c\.json cannot be read"):
        read_json(tmp_path / "c.json")
    with pytest.raises(UserError, match="file is damaged"):
        read_json(tmp_path / "file")
    write_json(tmp_path / "d.json", {"a": [1, None]})
    assert read_json(tmp_path / "d.json") == {"a": [1, None]}
