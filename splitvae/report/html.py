"""The HTML elements of a page: escaped text, tables, and figures with embedded pictures."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Sequence

from PIL import Image

from .exports import to_csv, to_latex

__all__ = ["Row", "embed_picture", "escape", "render_figure", "render_table"]

LARGE_PNG_BYTES = 250_000  # beyond it a PNG makes a page slow to mail
Row = tuple[str, list[str]]  # the heading of a row, and its cells


def escape(text: object) -> str:
    """Escapes a text for HTML."""
    return html.escape(str(text))


def embed_picture(picture: bytes) -> str:
    """Encodes a PNG or GIF as a data URI for the attribute `src`.

    A large PNG is converted to WebP, so that the page can be mailed. The loss is not visible, and the PNG remains in the
    run's folder.
    """
    kind = "gif" if picture[:3] == b"GIF" else "png"
    if kind == "png" and len(picture) > LARGE_PNG_BYTES:
        kind, buffer = "webp", io.BytesIO()
        Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "WEBP", quality=92)
        picture = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def render_figure(picture: bytes, title: str, caption: str = "") -> str:
    """Renders a picture on a white card, below its title and caption."""
    text = f"<p>{escape(caption)}</p>" if caption else ""
    head = f"<figcaption><h3>{escape(title)}</h3>{text}</figcaption>"
    width, height = Image.open(io.BytesIO(picture)).size
    size = f'width="{width}" height="{height}"'  # so that text does not move while the page is loaded
    return (
        f'<figure>{head}<div class="white"><img alt="{escape(title)}" {size} src="{embed_picture(picture)}"></div></figure>'
    )


def render_table(
    headings: Sequence[str], rows: Sequence[Row], marked: Sequence[str] = (), best: Sequence[Collection[int]] = ()
) -> str:
    """Renders a table, and below it the same as LaTeX and CSV.

    Arguments:
        headings: The headings of the columns, or nothing for a table of one column.
        rows: The heading and the cells of each row.
        marked: The headings of the rows that are coloured.
        best: For each row the positions of the cells that are bold.
    """
    cells = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    head = f"<thead><tr><th></th>{cells}</tr></thead>" if headings else ""
    lines = []
    for i, (heading, values) in enumerate(rows):
        bold = best[i] if i < len(best) else ()
        style = ' class="differs"' if heading in marked else ""
        texts = [f"<b>{escape(value)}</b>" if j in bold else escape(value) for j, value in enumerate(values)]
        cells = "".join(f"<td>{text}</td>" for text in texts)
        lines.append(f"<tr{style}><th>{escape(heading)}</th>{cells}</tr>")
    style = "" if headings else ' class="one"'
    table = f'<div class="card wide"><table{style}>{head}<tbody>{"".join(lines)}</tbody></table></div>'
    copies = f"<pre>{escape(to_latex(headings, rows, best))}</pre><pre>{escape(to_csv(headings, rows))}</pre>"
    return f"{table}<details><summary>LaTeX, CSV</summary>{copies}</details>"
