"""TODO docstring of figures.style."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter

__all__ = ["DPI", "STYLE", "logarithmic"]


DPI = 200


PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


INK = "#222222"


STYLE: Any = {
    "font.size": 8,
    "mathtext.fontset": "cm",
    "text.color": INK,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
}


TICKS = {"color": "#555555", "labelsize": 7, "major.width": 0.6}


STYLE |= {f"{axis}tick.{key}": value for axis in "xy" for key, value in TICKS.items()}


def _colour(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def logarithmic(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with numbers as one writes them."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter())


def _gridded(axes: Axes) -> None:
    axes.grid(True, axis="y", color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)
