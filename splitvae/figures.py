"""Every picture, as a matplotlib `Figure` of tensors; `save` writes one, `draw` writes all of a run.

Images are shown pixel by pixel: all are enlarged by a whole number, such that ten fill about the width of a page, and
separated by a constant gap; nothing is interpolated. Maps are gray from 0 (black) to 1 (white), never rescaled. Charts
are drawn in plots.py.

No figure touches pyplot: none opens a window, and none stays in memory.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from PIL import Image
from torch import Tensor

from .data import Images, spaced
from .errors import UserError
from .files import replacing
from .metrics import kl_by_dimension
from .plots import DPI, STYLE, curves, latent_spectrum, sample_distances
from .runs import Codes, Run, batches, encode
from .split import Canvas
from .vae import VAE

__all__ = [
    "components",
    "curves",
    "draw",
    "drawn_by",
    "interpolations",
    "latent_spectrum",
    "maps",
    "png",
    "reconstructions",
    "save",
    "sheet",
    "traversals",
]

PAGE, GAP, BREAK, MARGIN = 1000, 4, 20, 12  # pixels: width of ten images or more, and spaces between them
WHITE, BLUE = (255, 255, 255), (170, 195, 225)  # gaps; those between maps are blue, since maps may be white themselves


def png(figure: Figure, model: str = "") -> bytes:
    """A figure as the bytes of a PNG, which keeps the fingerprint of the model it shows."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, dpi="figure", facecolor="white", metadata={"Software": "splitvae", "Model": model})
    return buffer.getvalue()


def save(figure: Figure, path: Path, model: str = "") -> Path:
    """Writes a figure as a PNG, in one piece."""
    with replacing(path) as draft:
        draft.write_bytes(png(figure, model))
    return path


def drawn_by(path: Path) -> str:
    """The fingerprint of the model that a PNG of `save` shows; empty where there is none."""
    try:
        with Image.open(path) as image:
            return str(image.info.get("Model", ""))
    except OSError:
        return ""


# ---------------------------------------------------------------- sheets of images


def _enlarged(images: Tensor, width: float) -> np.ndarray:
    """Images (N, C, H, W) in [0, 1] as uint8 (N, H', W', 3), about `width` wide, each pixel a square of whole size."""
    pixels = (images.detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    scale = max(1, round(width / pixels.shape[2]))
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3)).repeat(scale, 1).repeat(scale, 2)


def _tiles(
    rows: Sequence[Tensor],
    labels: Sequence[str] = (),
    headings: Sequence[str] = (),
    group: int = 0,
    gap: tuple[int, int, int] = WHITE,
) -> Figure:
    """Rows of images, each (n, C, H, W), with labels to the left, headings above, a break after each `group` of rows."""
    columns = max(map(len, rows))
    blocks = [_enlarged(row, PAGE / max(columns, 10) - GAP) for row in rows]
    height, width = blocks[0].shape[1:3]
    left = math.ceil(max(map(_points, labels)) * DPI / 72) + 2 * MARGIN if labels else 0
    top = 34 if headings else 0
    tops = [top + i * (height + GAP) + (i // group * (BREAK - GAP) if group else 0) for i in range(len(rows))]
    page = np.full((tops[-1] + height, left + columns * (width + GAP) - GAP, 3), 255, np.uint8)
    lefts = [left + j * (width + GAP) for j in range(columns)]
    for block, y in zip(blocks, tops, strict=True):
        page[y : y + height + GAP, left : left + len(block) * (width + GAP) - GAP] = gap
        for image, x in zip(block, lefts, strict=False):
            page[y : y + height, x : x + width] = image
    with rc_context(STYLE):
        size = (page.shape[1] + 0.01, page.shape[0] + 0.01)  # a hair more, since the canvas rounds down
        figure = Figure((size[0] / DPI, size[1] / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.figimage(page)
        for label, y in zip(labels, tops, strict=True) if labels else ():
            place = (left - MARGIN) / size[0], 1 - (y + height / 2) / size[1]
            figure.text(*place, label, ha="right", va="center_baseline")
        for heading, x in zip(headings, lefts, strict=False):
            figure.text((x + width / 2) / size[0], 1 - (top - MARGIN) / size[1], heading, ha="center", va="baseline")
    return figure


def _points(label: str) -> float:
    with rc_context(STYLE):
        return TextPath((0, 0), label, size=STYLE["font.size"]).get_extents().width if label else 0.0


def sheet(images: Tensor, columns: int | None = None) -> Figure:
    """A plain sheet of images (N, C, H, W), nearly square unless `columns` are given."""
    return _tiles(images.split(columns or math.isqrt(max(0, len(images) - 1)) + 1))


def components(canvas: Canvas, originals: Tensor | None = None) -> Figure:
    """One column an image: what it is blended of, and the blend (the paper's figures 1-4, 7, 10 and 12).

    Rows for K = 2: the map s, x_1, x_2, xhat. For more: all K maps, all K images, xhat. For K = 1: xhat. `originals`
    (B, C, H, W), if these are reconstructions, come first.
    """
    split = canvas.masks.shape[1]
    rows = [("$x$", originals)] if originals is not None else []
    if split == 2:
        rows += [(r"$\sigma$", canvas.masks[:, 0])]
    elif split > 2:
        rows += [(rf"$\sigma_{{{k + 1}}}$", canvas.masks[:, k]) for k in range(split)]
    if split > 1:
        rows += [(rf"$\hat x_{{{k + 1}}}$", canvas.images[:, k]) for k in range(split)]
    rows += [(r"$\hat x$", canvas.image)]
    return _tiles([images for _, images in rows], [label for label, _ in rows])


def maps(canvas: Canvas, columns: int = 10) -> Figure:
    """A sheet of the maps, as the paper's figure 15: of s for K = 2, of all K of a sample side by side for more."""
    split = canvas.masks.shape[1]
    if split == 1:
        raise UserError("an unsplit model (split=1) paints no map; train one with --split 2.")
    if split == 2:
        return _tiles(canvas.masks[:, 0].split(columns), gap=BLUE)
    return _tiles(canvas.masks.flatten(0, 1).split(max(1, columns // split) * split), gap=BLUE)


def reconstructions(x: Tensor, canvas: Canvas, columns: int = 10) -> Figure:
    """Pairs of rows: images x (B, C, H, W), and their reconstructions below."""
    pairs = zip(x.split(columns), canvas.image.split(columns), strict=True)
    rows = [row for pair in pairs for row in pair]
    return _tiles(rows, [r"$x$", r"$\hat x$"] * (len(rows) // 2), group=2)


@torch.no_grad()
def interpolations(vae: VAE, pairs: Tensor, steps: int = 10) -> Figure:
    """One row a pair of codes (R, 2, D): what lies on the line between them, in equal steps."""
    at = torch.linspace(0, 1, steps, device=pairs.device)[:, None]
    rows = [vae.decode(torch.lerp(a, b, at)).image for a, b in pairs]
    return _tiles(rows)


@torch.no_grad()
def traversals(vae: VAE, codes: Codes, rows: int = 10, base: int = 0) -> Figure:
    """One row a latent, from -3 to 3 deviations of the prior, the others as image `base` has them.

    The latents are those used most: the largest KL, in nats, given beside each. Codes without noise owe the prior
    nothing: their rows run over the codes' own mean and deviations.
    """
    kl = kl_by_dimension(codes.mean, codes.logvar)
    centre, spread = torch.zeros_like(codes.mean[0]), torch.ones_like(codes.mean[0])
    if codes.logvar is None:
        centre, spread = codes.mean.mean(0), codes.mean.std(0)
    used = kl.argsort(descending=True)[:rows].tolist()
    steps = torch.linspace(-3, 3, 13)
    z = codes.mean[base].repeat(len(used), len(steps), 1)
    for i, j in enumerate(used):
        z[i, :, j] = centre[j] + steps * spread[j]
    images = vae.decode(z.flatten(0, 1).to(next(vae.parameters()).device)).image
    labels = [f"$z_{{{j}}}$   {kl[j]:.2f} nats" for j in used]
    headings = [f"{step:+.0f}".replace("-", "−").replace("+0", "0") if step == step.round() else "" for step in steps]
    return _tiles(images.split(len(steps)), labels, headings)


# ---------------------------------------------------------------- a run's figures


@torch.no_grad()
def draw(run: Run, samples: Mapping[str, Tensor] | None = None, seed: int = 0) -> list[Path]:
    """Writes every figure of a run into its folder `figures`, and returns their paths.

    Images come from the test part, chosen by `seed`, which also draws the prior's samples. `samples` adds a sheet for
    each other sampler: name -> z (N, D). A run trained on images from memory is shown without them.
    """
    vae = run.vae.eval()
    canvas = vae.sample(100, seed)
    figures = {"samples": sheet(canvas.image), "components": components(_first(canvas, 10))}
    if vae.split > 1:
        figures["maps"] = maps(_first(canvas, 10 * max(1, 10 // vae.split)))  # half a page, or one
    for name, z in (samples or {}).items():
        figures[f"samples-{name}"] = sheet(vae.decode(z.to(next(vae.parameters()).device)).image)
    if run.history:
        figures["curves"] = curves(run.history)
    if any("fid" in row for row in run.history):
        figures["distances"] = sample_distances(run.history)
    if (images := _test_images(run)) is not None:
        figures |= _of_images(vae, images, seed)
    mark = vae.fingerprint()
    return [save(figure, run.path / "figures" / f"{name}.png", mark) for name, figure in figures.items()]


def _of_images(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    chosen = images.pixels[order[:40]]
    x = next(batches(chosen, next(vae.parameters()).device))
    posterior = vae.encode(x)
    canvas = vae.decode(posterior.mean)
    codes = encode(vae, replace(images, pixels=images.pixels[spaced(len(images), 2000)], labels=None))
    ends = torch.stack((posterior.mean, posterior.mean.roll(-8, 0)), 1)[:8]  # wraps around where images are few
    return {
        "components-reconstructed": components(_first(canvas, 10), x[:10]),
        "reconstructions": reconstructions(x, canvas),
        "interpolations": interpolations(vae, ends),
        "traversals": traversals(vae, codes),
        "latents": latent_spectrum(codes),
    }


def _first(canvas: Canvas, n: int) -> Canvas:
    return Canvas(canvas.images[:n], canvas.masks[:n])


def _test_images(run: Run) -> Images | None:
    try:
        return run.images("test")
    except UserError:
        if run.config.data is not None:
            raise
        return None
