"""The table of contents of a page: links to its headings."""

from __future__ import annotations

import re

__all__ = ["add_contents"]

HEADING = re.compile(r"<h2>(.*?)</h2>")
MIN_HEADINGS = 3  # below which a page needs no contents


def add_contents(body: str) -> str:
    """Returns the content of a page with names at its h2 headings, and links to them before the first.

    Arguments:
        body: The content, as HTML.
    """
    headings = HEADING.findall(body)
    if len(headings) < MIN_HEADINGS:
        return body
    names = iter(range(1, len(headings) + 1))
    body = HEADING.sub(lambda match: f'<h2 id="part-{next(names)}">{match[1]}</h2>', body)
    links = "".join(f'<li><a href="#part-{i}">{heading}</a></li>' for i, heading in enumerate(headings, start=1))
    return body.replace('<h2 id="part-1">', f'<nav class="card"><b>Contents</b><ol>{links}</ol></nav>\n<h2 id="part-1">', 1)
