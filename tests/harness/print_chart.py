"""`make chart`: writes what each example of the chart renders to, and the picture of its autoscaling."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from harness.charts import EXAMPLES, helm_of, rendered
from harness.scaling import LOADS, PICTURE, SCALED, rules_in
from harness.scaling_picture import picture
from model.autoscaling import played


async def write() -> int:
    """Write them; the number of those that could not be rendered."""
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        helm = await helm_of(Path(home), dict(os.environ))  # noqa: TID251 - the edge at which it is read
        for example in EXAMPLES:
            ended = await helm.template("--values", example)
            wrong += ended.status != 0
            if ended.status:
                sys.stderr.write(f"{example.name}: {ended.complaint}\n")
            else:
                rendered(example).write_text(ended.out)
    return wrong


def draw() -> None:
    """Write the picture."""
    rules = rules_in(SCALED)
    courses = {name: played(rules, load) for name, load in LOADS.items()}
    PICTURE.write_text(picture(courses, rules.target))


if __name__ == "__main__":
    failures = asyncio.run(write())
    draw()
    sys.exit(failures)
