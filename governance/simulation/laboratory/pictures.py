"""One picture for each study; matplotlib (the extra `plots`) is loaded only here, and the report can do without."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from io import BytesIO
from textwrap import fill
from typing import Any

from governance.simulation.laboratory.study import Layer, Picture

COLORS = {"attacker": "#c8401e", "honest": "#1f6f8b", "other": "#b8860b", "bound": "#222222"}
SIZE_INCHES, DOTS_PER_INCH = (8.0, 4.6), 120
TITLE_WIDTH = 74
LABEL_WIDTH = 16


def can_draw() -> bool:
    """True iff matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(picture: Picture) -> bytes:
    """Return a picture as PNG."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    plots: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = plots.subplots(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH)
    bars = [layer for layer in picture.layers if layer.kind == "bars"]
    for layer in picture.layers:
        if layer.kind == "bars":
            _draw_bars(axes, layer, bars.index(layer), len(bars))
        else:
            _draw_layer(axes, layer)
    axes.set_title(fill(picture.title, TITLE_WIDTH), loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(picture.x_label)
    axes.set_ylabel(picture.y_label)
    ticker: Any = importlib.import_module("matplotlib.ticker")
    scales = (picture.x_log, axes.set_xscale, axes.xaxis), (picture.y_log, axes.set_yscale, axes.yaxis)
    for is_log, scale, axis in scales:
        if is_log:
            scale("log")
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
            axis.set_minor_formatter(ticker.NullFormatter())
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    target = BytesIO()
    figure.savefig(target, format="png", bbox_inches="tight", metadata={"Software": "mutua lab"})
    plots.close(figure)
    return target.getvalue()


def _draw_layer(axes: Any, layer: Layer) -> None:
    color = COLORS[layer.role]
    match layer.kind:
        case "line":
            axes.plot(layer.x, layer.y, color=color, label=layer.label, linewidth=1.8)
        case "step":
            axes.step(layer.x, layer.y, where="post", color=color, label=layer.label, linewidth=1.8)
        case "points":
            axes.plot(layer.x, layer.y, "o", color=color, label=layer.label, markersize=4, alpha=0.6)
        case "hline":
            axes.axhline(layer.y[0], color=color, linestyle="--", linewidth=1.2, label=layer.label)
        case _:
            axes.axvline(layer.x[0], color=color, linestyle=":", linewidth=1.4, label=layer.label)


def _draw_bars(axes: Any, layer: Layer, place: int, count: int) -> None:
    """Draw one group of bars beside the others, each with its value on top."""
    width = 0.8 / count
    shift = (place - (count - 1) / 2) * width
    places = [index + shift for index in range(len(layer.y))]
    found = axes.bar(places, layer.y, width=width, color=COLORS[layer.role], label=layer.label)
    axes.bar_label(found, labels=[f"{value:,.0f}" for value in layer.y], fontsize=8, padding=2)
    axes.set_xticks(range(len(layer.labels)), [fill(label, LABEL_WIDTH) for label in layer.labels], fontsize=8)
