"""onnxruntime-web, which runs ONNX files in the browser: two files of its npm package, of one pinned version.

They are 14 MB, so that they are no part of splitvae: they are taken from the cache of downloads, else from the package by
the npm of this machine, else from a public mirror of npm packages. Their SHA-256 is checked each time.

Of the builds of the package this is the smallest that computes by WebAssembly on the CPU. It uses one thread, so that any
static host can serve it: more threads would need two headers (COOP, COEP) that many hosts cannot send.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from ..errors import UserError
from ..utils.download import Checksum, cache_dir, fetch
from ..utils.files import atomic_write

__all__ = ["RUNTIME_FILES", "RUNTIME_VERSION", "find_runtime"]

PACKAGE, RUNTIME_VERSION = "onnxruntime-web", "1.30.0"
RUNTIME_FILES = {  # of the folder dist of the package, with their SHA-256
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
MIRRORS = ("https://cdn.jsdelivr.net/npm", "https://unpkg.com")  # mirror/package@version/path
NPM_SECONDS = 600


def find_runtime() -> dict[str, Path]:
    """Returns the files of onnxruntime-web by name, in the cache of downloads, where they are fetched once.

    Raises:
        UserError: If they are not in the cache, and neither npm nor a mirror gives them.
    """
    folder = cache_dir() / f"{PACKAGE}-{RUNTIME_VERSION}"
    files = {name: folder / name for name in RUNTIME_FILES}
    if not all(_is_intact(file) for file in files.values()) and not _fetch_by_npm(folder):
        for name, file in files.items():
            urls = [f"{mirror}/{PACKAGE}@{RUNTIME_VERSION}/dist/{name}" for mirror in MIRRORS]
            there = f"dist/{name} of the npm package {PACKAGE}@{RUNTIME_VERSION}"
            advice = f"connect to the network once, or copy {there} to {folder}."
            fetch(urls, file, Checksum("sha256", RUNTIME_FILES[name]), f"{PACKAGE} {RUNTIME_VERSION}", advice)
    return files


def _is_intact(file: Path) -> bool:
    """Returns whether a file is there with the right content."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == RUNTIME_FILES[file.name]


def _fetch_by_npm(folder: Path) -> bool:
    """Copies the files from the npm package to a folder; returns whether this succeeded."""
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as temporary:
        command = [npm, "pack", f"{PACKAGE}@{RUNTIME_VERSION}", "--pack-destination", temporary]
        try:
            subprocess.run(command, cwd=temporary, check=True, capture_output=True, timeout=NPM_SECONDS)
            (archive,) = Path(temporary).glob("*.tgz")
            with tarfile.open(archive) as package:
                for name in RUNTIME_FILES:
                    member = package.extractfile(f"package/dist/{name}")
                    content = member.read() if member is not None else b""
                    if hashlib.sha256(content).hexdigest() != RUNTIME_FILES[name]:
                        return False
                    with atomic_write(folder / name) as draft:
                        draft.write_bytes(content)
        except (OSError, ValueError, KeyError, tarfile.TarError, subprocess.SubprocessError):
            return False
    return True


def main() -> None:
    """Fetches the files and prints where they are: `python -m splitvae.export.runtime`."""
    try:
        for file in find_runtime().values():
            print(file)
    except UserError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
