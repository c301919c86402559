"""Tests of downloads: the cache folder, addresses that are tried in turn, and checksums."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from splitvae.errors import UserError
from splitvae.utils import download
from splitvae.utils.download import Checksum, fetch


def test_the_cache_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITVAE_DATA", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert download.cache_dir() == Path("/a")
    monkeypatch.delenv("SPLITVAE_DATA")
    assert download.cache_dir() == Path("/b/splitvae")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert download.cache_dir() == Path.home() / ".cache/splitvae"


def test_the_first_address_with_the_right_content_is_kept(tmp_path: Path) -> None:
    for name in ("wrong", "right"):
        (tmp_path / name).write_bytes(name.encode())
    urls = [(tmp_path / name).as_uri() for name in ("missing", "wrong", "right")]
    checksum, target = Checksum("sha256", hashlib.sha256(b"right").hexdigest()[:8]), tmp_path / "cache" / "file"
    fetch(urls, target, checksum, "the file", "give it.")
    assert target.read_bytes() == b"right" and [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_download_without_a_right_address_names_all_reasons_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_bytes(b"wrong")
    urls = [(tmp_path / name).as_uri() for name in ("missing", "wrong")]
    with pytest.raises(
        UserError, match=r"Cannot download the file \(.*No such file.*; .*its md5 is .* instead of 00\): do it\."
    ):
        fetch(urls, tmp_path / "cache" / "file", Checksum("md5", "00"), "the file", "do it.")
    assert not (tmp_path / "cache").exists()


def test_a_checksum_may_be_that_of_the_decompressed_content(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gzip.compress(b"content"))
    checksum = Checksum("md5", hashlib.md5(b"content").hexdigest(), decompressed=True)
    fetch([(tmp_path / "file.gz").as_uri()], tmp_path / "target.gz", checksum, "", "")
    assert gzip.decompress((tmp_path / "target.gz").read_bytes()) == b"content"
    with pytest.raises(UserError, match="instead of"):
        fetch([(tmp_path / "file.gz").as_uri()], tmp_path / "other", checksum._replace(decompressed=False), "", "")
