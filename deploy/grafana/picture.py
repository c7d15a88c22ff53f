"""Draws the dashboards beside it as pictures, from what a Prometheus has seen.

    python deploy/grafana/picture.py http://127.0.0.1:9190 --minutes 20

It wants matplotlib, which `make bench-tools` brings along, and writes `<name>.png` beside each `<name>.json`.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from PIL import Image

HERE = Path(__file__).parent
POINTS = 240
WIDTH_INCHES, ROW_INCHES, DOTS = 15.0, 2.8, 80
COLORS = 64
MOST_SERIES = 12
SUFFIXES = {"s": " s", "reqps": " req/s", "ops": "/s", "currencyUSD": " $"}
STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class Prometheus:
    """Answers queries over a stretch of time."""

    def __init__(self, url: str, since: float, until: float, rate_interval: str) -> None:
        self._url = url
        self.since, self.until = since, until
        self._rate_interval = rate_interval

    def series(self, query: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Each series' labels, and its points."""
        asked = {
            "query": query.replace("$__rate_interval", self._rate_interval),
            "start": self.since,
            "end": self.until,
            "step": max(1.0, (self.until - self.since) / POINTS),
        }
        with urlopen(f"{self._url}/api/v1/query_range?{urlencode(asked)}", timeout=30) as answer:  # noqa: S310
            result = json.load(answer)["data"]["result"]
        return [
            (found["metric"], [(at, float(value)) for at, value in found["values"] if value != "NaN"])
            for found in result
        ]


def said(value: float, unit: str) -> str:
    """A figure as people read it."""
    if unit == "percentunit":
        return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"  # noqa: PLR2004 - a tenth
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    for size, name in STEPS:
        if abs(value) >= size:
            return f"{value / size:g}{name}{SUFFIXES.get(unit, '')}"
    return f"{value:.3g}{SUFFIXES.get(unit, '')}"


def legend(template: str, labels: dict[str, str]) -> str:
    """The legend of a series."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template).strip()


def draw_panel(axes: Axes, panel: dict[str, Any], prometheus: Prometheus) -> None:
    """One picture of a dashboard."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    drawn = [
        (legend(target["legendFormat"], labels), points)
        for target in panel["targets"]
        for labels, points in prometheus.series(target["expr"])
        if points
    ]
    # What is always zero would only fill the legend.
    drawn = [series for series in drawn if any(value for _, value in series[1])] or drawn[:1]
    axes.set_title(f"{panel['title']}\n", fontsize=10, fontweight="bold", loc="left")
    axes.text(0, 1.03, panel["description"], fontsize=8, color="#666666", transform=axes.transAxes)
    if panel["type"] == "stat" or not drawn:
        text = said(drawn[0][1][-1][1], unit) if drawn else "none"
        axes.axis("off")
        size, color = (40, "#2f7d4f") if drawn else (14, "#999999")
        axes.text(0.5, 0.45, text, fontsize=size, color=color, ha="center", va="center")
        return
    draw_lines(axes, drawn, unit)
    axes.set_xlim(*(datetime.fromtimestamp(at, UTC) for at in (prometheus.since, prometheus.until)))


def draw_lines(axes: Axes, drawn: Sequence[tuple[str, list[tuple[float, float]]]], unit: str) -> None:
    """Lines over time, each with its name."""
    for name, points in drawn[:MOST_SERIES]:
        times = [datetime.fromtimestamp(at, UTC) for at, _ in points]
        axes.plot(times, [value for _, value in points], linewidth=1.2, label=name)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: dates.num2date(value).strftime("%H:%M")))
    axes.tick_params(labelsize=7)
    axes.grid(color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6.5, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.12))


def draw(dashboard: Path, prometheus: Prometheus) -> Path:
    """A whole dashboard, laid out as in Grafana."""
    page = json.loads(dashboard.read_text())
    rows = 1 + max(panel["gridPos"]["y"] // panel["gridPos"]["h"] for panel in page["panels"])
    figure, grid = plt.subplots(rows, 3, figsize=(WIDTH_INCHES, rows * ROW_INCHES), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for panel in page["panels"]:
        place = panel["gridPos"]
        axes = grid[place["y"] // place["h"]][place["x"] // place["w"]]
        axes.axis("on")
        draw_panel(axes, panel, prometheus)
    figure.suptitle(page["title"], fontsize=13, x=0.01, ha="left")
    figure.tight_layout()
    picture = dashboard.with_suffix(".png")
    figure.savefig(picture, dpi=DOTS)
    plt.close(figure)
    # Few colours are in it, and a quarter of the size is left.
    Image.open(picture).convert("RGB").quantize(COLORS).save(picture, optimize=True)
    return picture


def main() -> None:
    """Draw every dashboard."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prometheus", help="its URL")
    parser.add_argument("--minutes", type=float, default=20, help="how much time is shown")
    parser.add_argument("--until", type=float, default=None, help="its end, as Unix time; now where left out")
    parser.add_argument("--rate-interval", default="1m", help="stands for $__rate_interval")
    given = parser.parse_args()
    until = given.until or time.time()  # noqa: TID251 - a script's edge
    prometheus = Prometheus(given.prometheus, until - 60 * given.minutes, until, given.rate_interval)
    for dashboard in sorted(HERE.glob("*.json")):
        print(draw(dashboard, prometheus))  # noqa: T201


if __name__ == "__main__":
    main()
