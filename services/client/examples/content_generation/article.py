"""A long article, part by part: an outline first, then each part as it is written; goes on after a break.

python article.py "The tides"      # with AMQP_URL set; writes the-tides.md. Stopped? Run it again.
"""
# ruff: noqa: INP001, TID251, T201 -- a program to copy, whose only setting is AMQP_URL, and which talks

import argparse
import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field

from fleet_client import Cancelled, Fleet, FleetError, Restarted, Text, UnexpectedAnswer

PATIENCE_S = 600
MOST_ASKINGS = 3
MOST_RETRIES = 100
Found = TypeVar("Found")


class Part(BaseModel):
    """One part of the article."""

    heading: str = Field(description="a few words")
    brief: str = Field(description="what this part says, in one sentence")


class Outline(BaseModel):
    """What the article says, and in which order."""

    title: str
    parts: list[Part] = Field(min_length=3, max_length=8)


async def write(fleet: Fleet, subject: str) -> str:
    """The whole article, as Markdown.

    Every request has an ID that is made of what it asks. Run again, the same requests are asked: those that
    have an answer get that very answer, unpaid, and only what is missing is written.
    """
    outline = await asked_until_answered(lambda retry: outlined(fleet, subject, retry))
    print(f"# {outline.title}\n")
    written = [f"# {outline.title}"]
    for number in range(len(outline.parts)):
        print(f"## {heading(outline, number)}\n")
        text = await asked_until_answered(lambda retry, n=number: part(fleet, outline, n, retry))
        written.append(f"## {heading(outline, number)}\n\n{text}")
    return "\n\n".join(written) + "\n"


async def outlined(fleet: Fleet, subject: str, retry: int) -> Outline:
    """Title and parts; what a model writes may not fit, and each asking anew has an ID of its own."""
    prompt = f"{subject}: outline a long article about this, for curious readers."
    for number in range(MOST_ASKINGS):
        try:
            name = stable(f"outline {number}", prompt)
            return await fleet.complete(prompt, as_=Outline, id=name, retry=retry, timeout_s=PATIENCE_S)
        except UnexpectedAnswer:
            if number + 1 == MOST_ASKINGS:
                raise
    raise AssertionError  # the last asking returned or raised


async def part(fleet: Fleet, outline: Outline, number: int, retry: int) -> str:
    """One part, shown as it is written."""
    plan = "\n".join(f"{heading(outline, n)}: {each.brief}" for n, each in enumerate(outline.parts))
    prompt = (
        f"{heading(outline, number)}: {outline.parts[number].brief}\n\nWrite this part of an article alone, "
        f"in 400 words of Markdown, without its heading. The article, {outline.title}, has this plan:\n{plan}"
    )
    said: list[str] = []
    asked = fleet.stream(prompt, id=stable("part", prompt), retry=retry, thinking=False, timeout_s=PATIENCE_S)
    async with aclosing(asked) as events:
        async for event in events:
            match event:
                case Text(text):
                    said.append(text)
                    print(text, end="", flush=True)
                case Restarted():
                    said.clear()
                    print("\n[once more, from the start]\n")
                case _:
                    pass
    print("\n")
    return "".join(said)


async def asked_until_answered(ask: Callable[[int], Awaitable[Found]]) -> Found:
    """Ask anew, by the next `retry`, what was cancelled or may go well now.

    An error is remembered under its ID as an answer is: a part that a run left by Ctrl-C is Cancelled.
    """
    failed = 0
    for retry in range(MOST_RETRIES):
        try:
            return await ask(retry)
        except Cancelled:
            continue
        except FleetError as error:
            failed += 1
            if not error.retryable or failed == MOST_ASKINGS:
                raise
    raise Cancelled(f"A part was cancelled {MOST_RETRIES} times. Change a word of the subject to begin anew.")


def heading(outline: Outline, number: int) -> str:
    """A part's heading, with its number."""
    return f"{number + 1}. {outline.parts[number].heading}"


def stable(kind: str, prompt: str) -> str:
    """The same ID for the same question, in every run."""
    return f"{kind.replace(' ', '-')}-{hashlib.sha256(prompt.encode()).hexdigest()[:24]}"


async def run(subject: str) -> str:
    """Write the article."""
    async with Fleet(os.environ["AMQP_URL"], tenant="content") as fleet:
        return await write(fleet, subject)


def main() -> int:
    """Write the article into a file that is named after its subject; the status of the program."""
    asked = argparse.ArgumentParser(description="Write a long article.")
    asked.add_argument("subject")
    subject = asked.parse_args().subject
    file = Path(f"{re.sub(r'[^a-z0-9]+', '-', subject.lower()).strip('-') or 'article'}.md")
    try:
        file.write_text(asyncio.run(run(subject)))
    except FleetError as error:
        print(f"{error}\nRun it again: what is written is not paid again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n[stopped; run it again to go on]")
        return 130
    print(f"[written to {file}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
