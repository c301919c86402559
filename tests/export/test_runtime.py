"""onnxruntime-web: from npm or a mirror into the cache, checked, and a sentence where there is no network."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from pathlib import Path

import pytest

from splitvae.errors import UserError
from splitvae.export import runtime

CONTENTS = {"ort.wasm.bundle.min.mjs": b"export {}", "ort-wasm-simd-threaded.wasm": b"\0asm"}


@pytest.fixture(autouse=True)
def _small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of two small files, an empty cache, no npm, and mirrors that are folders which do not exist yet."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(runtime, "RUNTIME_FILES", digests)
    monkeypatch.setattr(runtime, "MIRRORS", [(tmp_path / "mirror").as_uri()])
    monkeypatch.setenv("SPLITVAE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def write_mirror(tmp_path: Path, contents: dict[str, bytes]) -> None:
    folder = tmp_path / "mirror" / f"{runtime.PACKAGE}@{runtime.RUNTIME_VERSION}" / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def read_found() -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in runtime.find_runtime().items()}


def test_without_a_network_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        runtime.find_runtime()
    assert f"Cannot download onnxruntime-web {runtime.RUNTIME_VERSION}" in str(error.value)
    assert f"of the npm package onnxruntime-web@{runtime.RUNTIME_VERSION} to {tmp_path / 'cache'}" in str(error.value)


def test_a_mirror_gives_the_files_once(tmp_path: Path) -> None:
    write_mirror(tmp_path, CONTENTS)
    assert read_found() == CONTENTS
    write_mirror(tmp_path, dict.fromkeys(CONTENTS, b"gone"))
    assert read_found() == CONTENTS


def test_other_contents_are_refused_and_damaged_ones_fetched_again(tmp_path: Path) -> None:
    write_mirror(tmp_path, dict.fromkeys(CONTENTS, b"alert(1)"))
    with pytest.raises(UserError, match="its sha256 is"):
        runtime.find_runtime()
    write_mirror(tmp_path, CONTENTS)
    next(iter(runtime.find_runtime().values())).write_bytes(b"cut")
    assert read_found() == CONTENTS


def test_npm_gives_the_files_where_it_is_installed(tmp_path: Path) -> None:
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "pack onnxruntime-web@{runtime.RUNTIME_VERSION}" ] && /bin/cp {archive} "$4/package.tgz"\n'
    )
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    assert read_found() == CONTENTS
