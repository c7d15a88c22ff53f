"""`make chart`: writes the settings that the chart takes, what its examples render to, and how it scales."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from harness.charts import EXAMPLES, VALUES_SCHEMA, helm_of, rendered, schema_with_settings
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


def list_settings() -> None:
    """Write into the schema of the values which settings there are."""
    VALUES_SCHEMA.write_text(schema_with_settings())


def draw() -> None:
    """Write the picture."""
    rules = rules_in(SCALED)
    courses = {name: played(rules, load) for name, load in LOADS.items()}
    PICTURE.write_text(picture(courses, rules.target))


if __name__ == "__main__":
    list_settings()
    failures = asyncio.run(write())
    draw()
    sys.exit(failures)
