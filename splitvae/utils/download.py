"""Downloads: where they are kept, and how they are checked before they take their name there."""

from __future__ import annotations

import gzip
import hashlib
import os
import urllib.request
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import UserError
from .files import atomic_write

__all__ = ["Checksum", "cache_dir", "decompress", "fetch"]

TIMEOUT_SECONDS = 20  # without a byte


class Checksum(NamedTuple):
    """The published hash of a file."""

    algorithm: str  # a name that hashlib knows, such as "sha256"
    digest: str  # the hash in hex, or its beginning
    decompressed: bool = False  # whether it is the hash of what gzip decompresses: mirrors compress anew

    def compute(self, content: bytes) -> str:
        """Returns the hash of a content in hex. Raises OSError, EOFError or zlib.error for damaged gzip data."""
        content = decompress(content) if self.decompressed else content
        return hashlib.new(self.algorithm, content, usedforsecurity=False).hexdigest()


def cache_dir() -> Path:
    """Returns the folder of downloads: $SPLITVAE_DATA, else $XDG_CACHE_HOME/splitvae, else ~/.cache/splitvae."""
    if folder := os.environ.get("SPLITVAE_DATA"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "splitvae"


def decompress(content: bytes) -> bytes:
    """Decompresses a content if it begins like a gzip file, and returns any other unchanged."""
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def fetch(urls: Sequence[str], target: Path, checksum: Checksum, title: str, advice: str) -> None:
    """Downloads a file from the first of several addresses that gives the right content.

    Arguments:
        urls: The addresses, which are tried in turn.
        target: The file to write. It exists only once its content was checked.
        checksum: What the content must agree with.
        title: What error messages call the file.
        advice: The end of the error message: what to do without a network.

    Raises:
        UserError: If no address gives the right content, with the reason for each, or if the file cannot be written.
    """
    reasons = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                content = response.read()
            digest = checksum.compute(content)
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            reasons.append(f"{urlsplit(url).netloc}: {getattr(error, 'reason', None) or error}")
            continue
        if digest.startswith(checksum.digest):
            with atomic_write(target) as draft:
                draft.write_bytes(content)
            return
        reasons.append(f"{urlsplit(url).netloc}: its {checksum.algorithm} is {digest} instead of {checksum.digest}")
    raise UserError(f"Cannot download {title} ({'; '.join(reasons)}): {advice}")
