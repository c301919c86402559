"""Every picture, as a matplotlib `Figure` of tensors; `save` writes one, `draw` writes all of a run.

Sheets of images are laid out in sheets.py, charts are drawn in plots.py, group_figures.py shows content and style,
introspective_figures.py what introspective training is judged by, and film.py the training itself.
Maps are gray from 0 (black) to 1 (white), never rescaled.

No figure touches pyplot: none opens a window, and none stays in memory.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from .data import Images, spaced
from .errors import UserError
from .files import replacing
from .film import film
from .group_figures import content_interpolations, references, style_interpolations, swaps
from .groups import group_labels
from .introspective_figures import deviations, plane
from .latents import GroupedLatent
from .metrics import kl_by_dimension
from .plots import STYLE, curves, latent_spectrum, sample_distances
from .runs import Codes, Run, batches, encode
from .sheets import tiles
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

BATCH = 256  # test images whose evidence is gathered
BLUE = (170, 195, 225)  # between maps, since they may be white themselves


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
    """The fingerprint of the model that a PNG of `save`, or a film, shows; empty where there is none."""
    try:
        with Image.open(path) as image:
            return str(image.info.get("Model") or image.info.get("comment", b"").decode())
    except OSError:
        return ""


# ---------------------------------------------------------------- sheets of images


def sheet(images: Tensor, columns: int | None = None) -> Figure:
    """A plain sheet of images (N, C, H, W), nearly square unless `columns` are given."""
    return tiles(images.split(columns or math.isqrt(max(0, len(images) - 1)) + 1))


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
    return tiles([images for _, images in rows], [label for label, _ in rows])


def maps(canvas: Canvas, columns: int = 10) -> Figure:
    """A sheet of the maps, as the paper's figure 15: of s for K = 2, of all K of a sample side by side for more."""
    split = canvas.masks.shape[1]
    if split == 1:
        raise UserError("an unsplit model (split=1) paints no map; train one with --split 2.")
    if split == 2:
        return tiles(canvas.masks[:, 0].split(columns), gap=BLUE)
    return tiles(canvas.masks.flatten(0, 1).split(max(1, columns // split) * split), gap=BLUE)


def reconstructions(x: Tensor, canvas: Canvas, columns: int = 10) -> Figure:
    """Pairs of rows: images x (B, C, H, W), and their reconstructions below."""
    pairs = zip(x.split(columns), canvas.image.split(columns), strict=True)
    rows = [row for pair in pairs for row in pair]
    return tiles(rows, [r"$x$", r"$\hat x$"] * (len(rows) // 2), group=2)


@torch.no_grad()
def interpolations(vae: VAE, pairs: Tensor, steps: int = 10) -> Figure:
    """One row a pair of codes (R, 2, D): what lies on the line between them, in equal steps."""
    at = torch.linspace(0, 1, steps, device=pairs.device)[:, None]
    rows = [vae.decode(torch.lerp(a, b, at)).image for a, b in pairs]
    return tiles(rows)


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
    return tiles(images.split(len(steps)), labels, headings)


# ---------------------------------------------------------------- a run's figures


@torch.no_grad()
def draw(run: Run, samples: Mapping[str, Tensor] | None = None, seed: int = 0) -> list[Path]:
    """Writes every figure of a run into its folder `figures`, and returns their paths.

    Images come from the test part, chosen by `seed`, which also draws the prior's samples. `samples` adds a sheet for
    each other sampler: name -> z (N, D). A run trained on images from memory is shown without them. The pictures that
    were drawn while it was trained become a film.
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
        if run.config.loss in ("intro", "soft-intro"):
            figures |= _of_introspection(vae, images, seed)
        if isinstance(vae.encoder.latent, GroupedLatent):
            figures |= _of_groups(vae, images, group_labels(images, run.config.group_by), seed)
    mark = vae.fingerprint()
    folder = run.path / "figures"
    paths = [save(figure, folder / f"{name}.png", mark) for name, figure in figures.items()]
    shown = film(folder, mark)
    return [*paths, shown] if shown else paths


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


def _of_introspection(vae: VAE, images: Images, seed: int) -> dict[str, Figure]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    three = order[torch.arange(3) % len(images)]  # the first of the reconstructions; repeated where images are few
    codes = encode(vae, replace(images, pixels=images.pixels[spaced(len(images), 2000)], labels=None))
    corners = encode(vae, replace(images, pixels=images.pixels[three], labels=None)).mean
    return {"plane": plane(vae, corners), "deviations": deviations(vae, codes)}


def _of_groups(vae: VAE, images: Images, labels: Tensor, seed: int) -> dict[str, Figure]:
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:BATCH]
    x = next(batches(images.pixels[chosen], vae.device))
    found = references(vae, x, labels[chosen])
    return {
        "swaps": swaps(vae, found),
        "swaps-evidence": swaps(vae, found, evidence=True),
        "style-interpolations": style_interpolations(vae, found),
        "content-interpolations": content_interpolations(vae, found),
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
