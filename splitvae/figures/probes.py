"""Charts of probes (probes/measure.py) and maps of codes: which labels can be read from them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from ..data.images import evenly_spaced
from ..errors import UserError, setting
from .style import OKABE_ITO, STYLE, add_grid, new_chart

__all__ = ["plot_code_maps", "plot_model_maps", "plot_probe_accuracy"]

MAX_POINTS = 2000  # of a map
TSNE_PERPLEXITY = 30
MARKERS = "osD^vPX"

TOL_PALETTE = (  # for more classes than OKABE_ITO has colours: Paul Tol's "muted", https://personal.sron.nl/~pault/
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
)

MAX_LEGEND_CLASSES = 20  # of a legend; more classes have shades and a colour bar
NOTE_CHARACTERS, NOTE_COLOUR = 95, "#9a3412"
DASHED_LINE: Any = (0, (3, 1.2))


def plot_probe_accuracy(result: Mapping[str, Any]) -> Figure:
    """Plots the test accuracy of probes of the content over the number of images whose evidence is fused.

    Colours distinguish the trained network from the untrained one, and dashes samples of the posterior from its means. The
    shaded band is one standard error; the gray line is the share of the most frequent label. Above the chart stands which
    of the probes had too few iterations or images, or are no better than the most frequent label.

    Arguments:
        result: The result of `probe` (probes/measure.py).

    Raises:
        UserError: If the model's latent has no content, so that there is no evidence to fuse.
    """
    points = result["curve"]
    if not points:
        raise UserError(
            "this model has no content that images share, so that there is no curve of evidence to draw; train one with "
            f"{setting('latent', 'grouped')}."
        )
    members = [point["members"] for point in points]
    with rc_context(STYLE):
        notes = [line for note in result["notes"] for line in textwrap.wrap(note, NOTE_CHARACTERS)]
        figure = new_chart(5.4, 3.2 + 0.15 * len(notes))
        if notes:
            figure.suptitle("\n".join(notes), fontsize=7, color=NOTE_COLOUR, x=0.01, ha="left")
        axes = figure.subplots()
        for i, (prefix, network) in enumerate({"": "trained", "untrained_": "untrained"}.items()):
            for kind, dashes in {"means": "-", "samples": DASHED_LINE}.items():
                accuracies = [point[prefix + kind] for point in points]
                percent, error = (np.array([100 * a[key] for a in accuracies]) for key in ("test", "error"))
                style: dict[str, Any] = {"color": OKABE_ITO[i], "linestyle": dashes, "marker": "os"[i], "markersize": 3}
                axes.plot(members, percent, label=f"{network}, {kind}", **style)
                low, high = percent - error, np.minimum(percent + error, 100)
                axes.fill_between(members, low, high, color=OKABE_ITO[i], alpha=0.15, linewidth=0)
        majority = [100 * point["majority"] for point in points]
        axes.plot(members, majority, color="#777777", linestyle=(0, (1, 1.5)), label="the most frequent label")
        axes.set_xscale("log", base=2)
        axes.set_xticks(members, [str(k) for k in members])
        axes.minorticks_off()
        axes.set_xlabel("images whose evidence is accumulated")
        axes.set_ylim(0, 102)
        axes.set_title("% of test labels that a probe reads from the content")
        add_grid(axes)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def plot_code_maps(codes: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str] = (), seed: int = 0) -> Figure:
    """Plots PCA and t-SNE of codes, one row for each kind of code, coloured by class.

    Give posterior means of single images. Where evidence was accumulated by the true label, all codes of a class are nearly
    the same, and the separate clusters in which t-SNE shows them would be an artefact.

    Arguments:
        codes: The codes by name, such as "style" and "content", each with shape (N, D). At most 2,000 evenly spaced rows
            are shown.
        labels: The class of each row, with shape (N,) and integers.
        classes: The names of the classes 0, 1, ...; a class without a name is shown by its number.
        seed: The seed of t-SNE.

    Raises:
        UserError: If codes and labels differ in number, or if there are fewer than 5.
    """
    _check_rows(codes, len(labels))
    rows = evenly_spaced(len(labels), MAX_POINTS)
    class_index, names = _number_classes(labels[rows], classes)
    with rc_context(STYLE):
        figure = new_chart(6.6, 3.1 * len(codes) + 0.5)
        figure.suptitle("posterior means of single images, without evidence of others", fontsize=STYLE["font.size"])
        grid = figure.subplots(len(codes), 2, squeeze=False)
        for panels, (name, matrix) in zip(grid, codes.items(), strict=True):
            for axes, (method, points) in zip(panels, _project(matrix[rows], seed).items(), strict=True):
                _scatter(axes, points, class_index, len(names))
                axes.set_title(f"{name}, {method}")
        _add_legend(figure, names)
    return figure


def plot_model_maps(
    models: Mapping[str, Mapping[str, Tensor]], labels: Tensor, classes: Sequence[str] = (), seed: int = 0
) -> Figure:
    """Plots t-SNE of the codes of several models: a row for each model, a column for each kind of code.

    Above a panel whose points are fewer than the images stands how many there are: codes with the evidence of all images of
    a class in a batch are one point for the class and the batch, whatever the model has learned.

    Arguments:
        models: The codes of each model by name, each as for `plot_code_maps`, all of the same images and with the same
            names, such as those of `collect_codes` (figures/groups.py).
        labels: The class of each row, with shape (N,) and integers.
        classes: The names of the classes 0, 1, ...; a class without a name is shown by its number.
        seed: The seed of t-SNE.

    Raises:
        UserError: If codes and labels differ in number, or if there are fewer than 5.
    """
    columns = list(dict.fromkeys(name for codes in models.values() for name in codes))
    for codes in models.values():
        _check_rows(codes, len(labels))
    rows = evenly_spaced(len(labels), MAX_POINTS)
    class_index, names = _number_classes(labels[rows], classes)
    with rc_context(STYLE):
        figure = new_chart(2.6 * len(columns) + 0.4, 2.5 * len(models) + 0.5)
        grid = figure.subplots(len(models), len(columns), squeeze=False)
        for panels, (model, codes) in zip(grid, models.items(), strict=True):
            panels[0].set_ylabel(model)
            for axes, name in zip(panels, columns, strict=True):
                points = codes[name][rows]
                _scatter(axes, _project_tsne(points, seed), class_index, len(names))
                distinct = len(points.unique(dim=0))
                axes.set_title(name if distinct == len(points) else f"{name}: {distinct:,} points")
        _add_legend(figure, names)
    return figure


def _check_rows(codes: Mapping[str, Tensor], count: int) -> None:
    """Raises UserError if some codes have not `count` rows, or if these are too few to be shown."""
    for name, matrix in codes.items():
        if len(matrix) != count or count < 5:
            raise UserError(
                f"{len(matrix)} codes {name!r} and {count} labels were given; give one each, and at least 5 of them."
            )


def _number_classes(labels: Tensor, classes: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Returns the number 0, 1, ... of each row's class among those that occur, (N,), and their names."""
    values, class_index = np.unique(labels.numpy(), return_inverse=True)
    return class_index, [classes[v] if 0 <= v < len(classes) else str(v) for v in values]


def _add_legend(figure: Figure, names: Sequence[str]) -> None:
    """Names the classes below the panels by colour and marker, or, for many classes, by a colour bar."""
    if len(names) > MAX_LEGEND_CLASSES:
        shades = ScalarMappable(Normalize(0, len(names) - 1), "cividis")
        label = f"classes in order, {names[0]} to {names[-1]}"
        figure.colorbar(shades, ax=figure.axes, label=label, fraction=0.03)
        return
    look: Any = {"linestyle": "", "markersize": 4}
    handles = [Line2D([], [], label=name, **look, **_class_style(k, len(names))) for k, name in enumerate(names)]
    columns = max(1, min(len(names), 100 // (max(map(len, names)) + 7)))
    figure.legend(handles=handles, loc="outside lower left", ncols=columns)


def _project(matrix: Tensor, seed: int) -> dict[str, np.ndarray]:
    """Projects codes (N, D) to points (N, 2) by PCA and by t-SNE."""
    from sklearn.decomposition import PCA

    x = _at_least_two_columns(matrix)
    return {"PCA": PCA(2, svd_solver="full").fit_transform(x.numpy()), "t-SNE": _project_tsne(matrix, seed)}


def _project_tsne(matrix: Tensor, seed: int) -> np.ndarray:
    """Projects codes (N, D) to points (N, 2) by t-SNE."""
    from sklearn.manifold import TSNE

    x = _at_least_two_columns(matrix)
    perplexity = min(TSNE_PERPLEXITY, (len(x) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    points: np.ndarray = tsne.fit_transform(x.float().numpy())
    return points


def _at_least_two_columns(matrix: Tensor) -> Tensor:
    """Returns codes in float64, with a column of zeros where they have one only."""
    x = matrix.double()
    return torch.nn.functional.pad(x, (0, 1)) if x.shape[1] < 2 else x


def _class_style(k: int, classes: int) -> dict[str, Any]:
    """Returns a colour and a marker of class k. No two of at most 20 classes share both."""
    colours = OKABE_ITO if classes <= len(OKABE_ITO) else TOL_PALETTE
    return {"color": colours[k % len(colours)], "marker": MARKERS[(k + k // len(colours)) % len(MARKERS)]}


def _scatter(axes: Axes, points: np.ndarray, class_index: np.ndarray, classes: int) -> None:
    """Draws points (N, 2) in the style of their class, or, for many classes, in shades from blue to yellow."""
    common: dict[str, Any] = {"s": min(14, max(5, 5000 / len(points))), "alpha": 0.75, "linewidths": 0}
    if classes > MAX_LEGEND_CLASSES:
        axes.scatter(points[:, 0], points[:, 1], c=class_index, cmap="cividis", **common)
    else:
        for k in range(classes):
            members = points[class_index == k]
            axes.scatter(members[:, 0], members[:, 1], **_class_style(k, classes), **common)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
