"""Pictures of what probes read (probing.py), and of the codes themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from ..data.images import evenly_spaced
from ..errors import UserError
from .style import DPI, PALETTE, STYLE

__all__ = ["accuracy_curve", "code_maps"]


POINTS, PERPLEXITY = 2000, 30


MARKERS = "osD^vPX"


MANY = (
    "#332288",
    "#DDCC77",
    "#44AA99",
    "#882255",
    "#88CCEE",
    "#CC6677",
    "#117733",
    "#AA4499",
    "#999933",
    "#000000",
)  # Tol's


NAMED = 20  # most classes that a legend tells apart; more are told by a colour bar


DASHED: Any = (0, (3, 1.2))


def accuracy_curve(result: Mapping[str, Any]) -> Figure:
    """Accuracy on test images over the number of members, from a result of `probing.probe`.

    Colours tell the trained from the untrained network, dashes samples from means; shaded is one standard error, and gray
    the share of the most frequent label. Raises UserError where the latent has no content to accumulate evidence of.
    """
    points = result["curve"]
    if not points:
        raise UserError("this model has no content that images share, so that there is no curve of evidence to draw.")
    members = [point["members"] for point in points]
    with rc_context(STYLE):
        figure = Figure((5.4, 3.2), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for i, (prefix, who) in enumerate({"": "trained", "untrained_": "untrained"}.items()):
            for kind, dashes in {"means": "-", "samples": DASHED}.items():
                found = [point[prefix + kind] for point in points]
                share, error = (np.array([100 * f[key] for f in found]) for key in ("test", "error"))
                look: dict[str, Any] = {"color": PALETTE[i], "linestyle": dashes, "marker": "os"[i], "markersize": 3}
                axes.plot(members, share, label=f"{who}, {kind}", **look)
                axes.fill_between(
                    members, share - error, np.minimum(share + error, 100), color=PALETTE[i], alpha=0.15, linewidth=0
                )
        most = [100 * point["majority"] for point in points]
        axes.plot(members, most, color="#777777", linestyle=(0, (1, 1.5)), label="the most frequent label")
        axes.set_xscale("log", base=2)
        axes.set_xticks(members, [str(k) for k in members])
        axes.minorticks_off()
        axes.set_xlabel("images whose evidence is accumulated")
        axes.set_ylim(0, 102)
        axes.set_title("% of test labels that a probe reads from the content")
        axes.grid(True, axis="y", color="#e8e8e8", linewidth=0.5)
        axes.set_axisbelow(True)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def code_maps(codes: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str] = (), seed: int = 0) -> Figure:
    """PCA and t-SNE (perplexity 30) of codes, each a row, coloured by class; of at most 2,000 points, evenly spaced.

    Codes are to be posterior means of single images. With evidence accumulated by the true label all points of a class are
    nearly one vector, and the separate clusters that t-SNE makes of them would be an artefact.

    Arguments:
        codes: what to map, name -> (N, D). labels: (N,), integers. classes: the names of 0, 1, ...

    Raises UserError for codes and labels of different lengths, or fewer than 5 of them.
    """
    count = len(labels)
    for name, matrix in codes.items():
        if len(matrix) != count or count < 5:
            raise UserError(f"{len(matrix)} codes {name!r} and {count} labels were given; give one each, 5 at least.")
    rows = evenly_spaced(count, POINTS)
    values, told = np.unique(labels[rows].numpy(), return_inverse=True)
    names = [classes[v] if 0 <= v < len(classes) else str(v) for v in values]
    with rc_context(STYLE):
        figure = Figure((6.6, 3.1 * len(codes) + 0.5), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle("posterior means of single images, without evidence of others", fontsize=STYLE["font.size"])
        grid = figure.subplots(len(codes), 2, squeeze=False)
        for panels, (name, matrix) in zip(grid, codes.items(), strict=True):
            for axes, (method, points) in zip(panels, _planes(matrix[rows], seed).items(), strict=True):
                _scattered(axes, points, told, len(names))
                axes.set_title(f"{name}, {method}")
        if len(names) > NAMED:
            shades = ScalarMappable(Normalize(0, len(names) - 1), "cividis")
            figure.colorbar(shades, ax=list(grid.flat), label=f"classes in order, {names[0]} to {names[-1]}", fraction=0.03)
        else:
            handles = [
                Line2D([], [], linestyle="", markersize=4, label=n, **_look(k, len(names))) for k, n in enumerate(names)
            ]
            columns = max(1, min(len(names), 100 // (max(map(len, names)) + 7)))
            figure.legend(handles=handles, loc="outside lower left", ncols=columns)
    return figure


def _planes(matrix: Tensor, seed: int) -> dict[str, np.ndarray]:
    """Points in the plane, (N, 2), by each method."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    x = matrix.double()
    if x.shape[1] < 2:  # a line lies in a plane
        x = torch.nn.functional.pad(x, (0, 1))
    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    neighbours = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    return {
        "PCA": PCA(2, svd_solver="full").fit_transform(x.numpy()),
        "t-SNE": neighbours.fit_transform(x.float().numpy()),
    }


def _look(k: int, classes: int) -> dict[str, Any]:
    """A colour and a marker for class k; of up to 20 classes none has both of another."""
    colours = PALETTE if classes <= len(PALETTE) else MANY
    return {"color": colours[k % len(colours)], "marker": MARKERS[(k + k // len(colours)) % len(MARKERS)]}


def _scattered(axes: Axes, points: np.ndarray, told: np.ndarray, classes: int) -> None:
    """Points (N, 2) of classes 0 to `classes` - 1: each in its look, or of many in shades from blue to yellow."""
    common: dict[str, Any] = {"s": min(14, max(5, 5000 / len(points))), "alpha": 0.75, "linewidths": 0}
    if classes > NAMED:
        axes.scatter(points[:, 0], points[:, 1], c=told, cmap="cividis", **common)
    else:
        for k in range(classes):
            own = points[told == k]
            axes.scatter(own[:, 0], own[:, 1], **_look(k, classes), **common)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
