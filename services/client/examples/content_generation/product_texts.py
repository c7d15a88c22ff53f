"""A text for every product of a list, as a batch: goes on after a break, pays nothing twice.

python product_texts.py products.csv -o product_texts.jsonl      # with AMQP_URL set
"""
# ruff: noqa: INP001, TID251, T201 -- a program to copy, whose only setting is AMQP_URL, and which talks

import argparse
import asyncio
import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from fleet_client import Fleet, FleetError, Line

BATCH = "product-texts"


def lines(products: Path, done: set[str]) -> Iterator[Line]:
    """One line for each product that has no text yet, read as the batch has room."""
    with products.open(newline="") as file:
        for product in csv.DictReader(file):
            if product["sku"] not in done:
                prompt = (
                    f"Describe this product for our shop, in 60 words. {product['name']}: {product['facts']}"
                )
                yield Line(prompt, key=product["sku"], fields={"max_tokens": 300})


async def write(products: Path, done: set[str], file: TextIO) -> int:
    """Append a text for each product as it comes; how many failed."""
    failed = 0
    async with Fleet(os.environ["AMQP_URL"], tenant="content") as fleet:
        async for outcome in fleet.batch(lines(products, set(done)), BATCH, thinking=False):
            if outcome.answer is None:
                failed += 1
                print(f"{outcome.key}: {outcome.error}", file=sys.stderr)
            elif outcome.key not in done:
                # It may come twice, where a run broke off before it asked for the next one.
                done.add(outcome.key)
                print(json.dumps({"sku": outcome.key, "text": outcome.answer.text}), file=file, flush=True)
                print(f"{outcome.key}: {outcome.answer.text[:60]}…")
    return failed


def written(texts: Path) -> set[str]:
    """The products that have a text; a last line that a crash cut off is none, and is taken away."""
    if not texts.exists():
        return set()
    whole = [line for line in texts.read_text().splitlines(keepends=True) if line.endswith("\n")]
    texts.write_text("".join(whole))
    return {json.loads(line)["sku"] for line in whole}


def main() -> int:
    """Run; the status of the program."""
    asked = argparse.ArgumentParser(description="Write a text for every product.")
    asked.add_argument("products", type=Path)
    asked.add_argument("-o", dest="texts", type=Path, default=Path("product_texts.jsonl"))
    given = asked.parse_args()
    try:
        done = written(given.texts)
        with given.texts.open("a") as file:
            return 1 if asyncio.run(write(given.products, done, file)) else 0
    except FleetError as error:
        print(f"{error}\nRun it again: it goes on where it was.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("[stopped; run it again to go on]")
        return 130


if __name__ == "__main__":
    sys.exit(main())
