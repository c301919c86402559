"""The style that all figures share: resolution, fonts, colours, and empty charts.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers can tell apart.
No figure uses pyplot, so that none opens a window and none stays in memory.
"""

from __future__ import annotations

from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

__all__ = ["DPI", "STYLE", "WIDTH", "add_grid", "line_colour", "new_chart", "use_log_scale"]

DPI = 200
WIDTH = 5.6  # of a chart, in inches
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
TEXT_COLOUR = "#222222"

STYLE: Any = {  # matplotlib's rcParams, for rc_context
    "font.size": 10,  # a figure of `WIDTH` inches on a phone, 400 pixels wide, has letters of 10 pixels
    "mathtext.fontset": "cm",
    "text.color": TEXT_COLOUR,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": TEXT_COLOUR,
    "axes.linewidth": 0.6,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
}

TICK_STYLE = {"color": "#555555", "labelsize": 9, "major.width": 0.6}


STYLE |= {f"{axis}tick.{key}": value for axis in "xy" for key, value in TICK_STYLE.items()}


def new_chart(width: float, height: float) -> Figure:
    """Returns an empty figure of a size in inches. Call it, and draw, inside `rc_context(STYLE)`."""
    figure = Figure((width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def line_colour(index: int) -> str:
    """Returns the colour of a line by its index; colours repeat after seven lines."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def use_log_scale(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with tick labels such as 0.1 and 100 in place of powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter())


def add_grid(axes: Axes, axis: Literal["x", "y"] = "y") -> None:
    """Draws light grid lines behind the data, at the ticks of one axis."""
    axes.grid(True, axis=axis, color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)
