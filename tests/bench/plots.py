"""Two pictures: the delay of a delta against the load, and where the processor time goes."""

from importlib import import_module
from pathlib import Path
from typing import Any

from bench.figures import Figures

LOADS = (100, 500, 1000)
NAMES = ("fleet", "ceiling", "plain", "sdk")


def draw(figures: Figures, folder: Path) -> list[Path]:
    """Write them into `folder`; nothing where matplotlib is not installed."""
    try:
        library: Any = import_module("matplotlib")  # only `make bench` installs it
    except ImportError:
        return []
    library.use("svg")
    pyplot: Any = import_module("matplotlib.pyplot")

    return [_delays(figures, folder, pyplot), _parts(figures, folder, pyplot)]


def _delays(figures: Figures, folder: Path, pyplot: Any) -> Path:
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name in NAMES:
        for which, style in (("p50_ms", "-"), ("p99_ms", "--")):
            points = [
                (load, delay)
                for load in LOADS
                if (delay := figures.get(f"{load}.{name}.{which}")) is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), style, marker="o", label=f"{name} {which[:3]}")
    axes.set(
        xlabel="streams, 20 deltas/s each", ylabel="added delay of a delta, ms", xscale="log", yscale="log"
    )
    return _saved(figure, axes, folder / "latency.svg", pyplot)


def _parts(figures: Figures, folder: Path, pyplot: Any) -> Path:
    figure, axes = pyplot.subplots(figsize=(7, 4))
    bars = [
        (f"{name}\n{load}", worker, figures.get(f"{load}.{name}.broker_us"))
        for load in LOADS
        for name in NAMES
        if (worker := figures.get(f"{load}.{name}.worker_us")) is not None
    ]
    names = [name for name, _, _ in bars]
    axes.bar(names, [worker for _, worker, _ in bars], label="worker")
    axes.bar(
        names, [broker for _, _, broker in bars], bottom=[worker for _, worker, _ in bars], label="RabbitMQ"
    )
    axes.set(ylabel="CPU of a delta, us")
    return _saved(figure, axes, folder / "cpu.svg", pyplot)


def _saved(figure: Any, axes: Any, path: Path, pyplot: Any) -> Path:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return path
