"""HTML that pages are made of: escaped text, tables, and pictures that are embedded."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

__all__ = ["Row", "embedded", "escaped", "figure_html", "table_html"]


Row = tuple[str, list[str]]


LARGE_PNG_BYTES = 250_000  # beyond it a PNG makes a page slow to mail


def escaped(text: object) -> str:
    """A text as HTML shows it."""
    return html.escape(str(text))


def embedded(picture: bytes) -> str:
    """A PNG or GIF as the source of an image; a heavy PNG as WebP, whose losses no eye sees: the PNG is kept elsewhere."""
    kind = "gif" if picture[:3] == b"GIF" else "png"
    if kind == "png" and len(picture) > LARGE_PNG_BYTES:
        kind, buffer = "webp", io.BytesIO()
        Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "WEBP", quality=92)
        picture = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def figure_html(picture: bytes, title: str, caption: str = "") -> str:
    """A picture on a white card, with its title and caption above."""
    text = f"<p>{escaped(caption)}</p>" if caption else ""
    head = f"<figcaption><h3>{escaped(title)}</h3>{text}</figcaption>"
    return f'<figure>{head}<div class="white"><img alt="{escaped(title)}" src="{embedded(picture)}"></div></figure>'


def table_html(names: Sequence[str], rows: Sequence[Row], marked: Sequence[str] = ()) -> str:
    """A table with a heading for each column, where there are names, and for each row; `marked` rows are coloured."""
    headings = "".join(f"<th>{escaped(name)}</th>" for name in names)
    head = f"<thead><tr><th></th>{headings}</tr></thead>" if names else ""
    lines = []
    for what, cells in rows:
        mark = ' class="differs"' if what in marked else ""
        lines.append(f"<tr{mark}><th>{escaped(what)}</th>{''.join(f'<td>{escaped(cell)}</td>' for cell in cells)}</tr>")
    style = "" if names else ' class="one"'
    return f'<div class="card wide"><table{style}>{head}<tbody>{"".join(lines)}</tbody></table></div>'
