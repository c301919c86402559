"""Charts of training histories: which lines they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from splitvae.figures.training_curves import plot_kls, plot_training_curves

History = list[dict[str, Any]]


def count_lines(figure: Figure) -> list[int]:
    return [len(axes.lines) for axes in figure.axes]


def test_curves_show_one_run_or_several_and_histories_without_validation(
    training_history: History, figure_pixels: Callable[[Figure], np.ndarray]
) -> None:
    bare = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in training_history]
    assert count_lines(plot_training_curves(training_history)) == [2, 1, 2, 2, 2, 1]
    assert count_lines(plot_training_curves(bare)) == [1, 1, 1, 1, 2, 1]
    assert count_lines(plot_training_curves({"a": training_history, "b": bare})) == [3, 2, 3, 3, 4, 2]
    for history in ([], training_history[:1], [training_history[0] | {"lr": 0.0, "kl": None}]):
        assert figure_pixels(plot_training_curves(history)).shape == (1080, 1120, 3)


def test_curves_show_the_terms_of_groups_and_of_players(training_history: History) -> None:
    groups = [row | {"kl_content": 9.0, "kl_style": 3.0} for row in training_history]
    panels = {axes.get_title(loc="left"): axes for axes in plot_training_curves(groups).axes}
    assert [text.get_text() for text in panels["KL, nats"].get_legend().get_texts()] == [
        "content, a group",
        "style, an image",
    ]
    terms = {"kl_real": 9.0, "kl_rec": 8.0, "kl_fake": 12.0, "alpha": 0.25, "beta": 1.0}
    panels = {
        axes.get_title(loc="left"): axes for axes in plot_training_curves([row | terms for row in training_history]).axes
    }
    assert len(panels["KL, nats"].lines) == 3
    assert len(panels["weights"].lines) == 2
    several = plot_training_curves({name: [row | terms for row in training_history] for name in "ab"}).axes[2]
    looks = [(line.get_color(), line._unscaled_dash_pattern) for line in several.lines]  # type: ignore[attr-defined]  # of Line2D
    assert len({str(look) for look in looks}) == 6  # three KLs of two runs
    both = plot_training_curves({"a": groups, "b": training_history})
    assert len(both.axes[2].lines) == 2  # a run without those terms has none to show


def test_no_legend_hides_a_line() -> None:
    waves = [
        {"epoch": e, "kl": 5 + 5 * (-1) ** e, "val_kl": 5 - 5 * (-1) ** e, "mse": 0.1 ** (e % 3)} for e in range(1, 40)
    ]
    figure = plot_training_curves([row | {"val_mse": 0.1 ** ((row["epoch"] + 1) % 3)} for row in waves])
    figure.draw_without_rendering()
    legends = [(axes, axes.get_legend()) for axes in figure.axes if axes.get_legend() is not None]
    assert len(legends) == 2
    for axes, legend in legends:
        box = legend.get_window_extent()
        assert axes.bbox.containsy(box.y0) and axes.bbox.containsx(box.x1)
        heights = np.concatenate([axes.transData.transform(line.get_xydata())[:, 1] for line in axes.lines])
        assert heights.max() < box.y0


def test_a_chart_has_a_line_for_each_kl_and_one_for_the_margin_which_may_move() -> None:
    rows = [{"epoch": e, "kl_real": 3.0 + e, "kl_rec": 8.0, "kl_fake": 0.0, "margin": 10.0} for e in range(1, 4)]
    (axes,) = plot_kls(rows, 10).axes
    assert [line.get_label() for line in axes.lines] == ["images", "reconstructions", "samples", "margin"]
    assert list(axes.lines[3].get_ydata()) == [10, 10]
    assert min(axes.lines[2].get_ydata()) > 0  # the axis is logarithmic
    rows[2]["margin"] = 15.0
    assert list(plot_kls(rows, 10).axes[0].lines[3].get_ydata()) == [10, 10, 15]
    plain = [{"epoch": e, "kl_real": 3.0} for e in range(1, 4)]  # epochs of a plain VAE
    assert len(plot_kls(plain, 20).axes[0].lines) == 2
    assert list(plot_kls([], 20).axes[0].lines[0].get_ydata()) == [20, 20]
