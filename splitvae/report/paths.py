"""The paths on a page: a report is sent to others, whom the folders of this machine do not concern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.text import shorten_path
from .html import escape
from .sections import ReportEntry

__all__ = ["hide_folders"]


def hide_folders(page: str, entries: Sequence[ReportEntry]) -> str:
    """Returns a page on which the paths of runs and images are relative to the working folder, or their last two parts.

    Arguments:
        page: The page, as HTML.
        entries: What the page shows.
    """
    paths = {str(entry.run.path) for entry in entries}
    paths |= {str(entry.run.config.data.source) for entry in entries}
    paths |= {source for entry in entries for source in _sources(entry.evaluation)}
    for path in sorted((path for path in paths if Path(path).is_absolute()), key=len, reverse=True):
        shown = shorten_path(path)
        first = Path(shown).parts[0]  # what follows may be quoted, as in a command
        page = page.replace(escape(path.removesuffix(shown) + first), escape(first))
    return page


def _sources(tree: Any) -> Iterator[str]:
    """Yields the values of all keys "source" in nested dicts and lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == "source" and isinstance(value, str):
                yield value
            yield from _sources(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _sources(value)
