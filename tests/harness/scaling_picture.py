"""Draws what the autoscaler makes of each load, as the picture in deploy/README.md."""

from collections.abc import Iterator, Mapping, Sequence

from harness.scaling import LOADS
from model.autoscaling import Course

WIDTH, HEIGHT, GAP, LEFT, TOP = 720, 84, 44, 150, 44
POINTS = 240
COLOURS = {
    "requests that wait or run": "#9aa7b5",
    "calls that run": "#2f81d6",
    "room in the workers": "#d9822b",
}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.axis{stroke:#8888;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def picture(courses: Mapping[str, Course], target: int) -> str:
    """One strip for each load, time from left to right."""
    height = TOP + len(courses) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" role="img">',
        "<title>What the autoscaler makes of ten loads</title>",
        f"<style>{STYLE}</style>",
        *_legend(),
    ]
    for row, (name, course) in enumerate(courses.items()):
        parts += _strip(name, course, target, TOP + row * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + number * 210
        yield f'<rect x="{x}" y="12" width="14" height="4" fill="{colour}"/>'
        yield f'<text x="{x + 20}" y="18">{name}</text>'


def _strip(name: str, course: Course, target: int, top: int) -> Iterator[str]:
    limit = LOADS[name].limit
    # A backlog is cut off above: what is worth seeing is what runs of it.
    tallest = max(*course.running, *(workers * target for workers in course.workers)) * 1.15
    asked = course.open
    room = [workers * target for workers in course.workers]
    yield f'<text x="8" y="{top + 14}">{name}</text>'
    yield f'<text x="8" y="{top + 32}">limit {limit} calls</text>'
    yield f'<text x="8" y="{top + 50}">at most {max(course.workers)} workers</text>'
    yield f'<text x="8" y="{top + 68}">{course.seconds // 60} minutes, {course.cut} cut</text>'
    yield f'<path class="axis" d="M{LEFT} {top}V{top + HEIGHT}H{LEFT + WIDTH}"/>'
    for values, colour in zip((asked, course.running, room), COLOURS.values(), strict=True):
        points = " ".join(_points(values, tallest, top))
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>'


def _points(values: Sequence[int], tallest: float, top: int) -> Iterator[str]:
    step = max(1, len(values) // POINTS)
    for at in range(0, len(values), step):
        value = min(values[at], tallest)
        yield f"{LEFT + WIDTH * at / len(values):.0f},{top + HEIGHT * (1 - value / tallest):.1f}"
