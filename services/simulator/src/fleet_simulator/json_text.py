"""A small JSON document: what JSON mode answers."""

import json
import random
from collections.abc import Iterable
from typing import Any, cast

import orjson

from fleet_simulator.text import Subject
from fleet_simulator.tool_arguments import arguments_for

_DECODER = json.JSONDecoder()


def json_answer(subject: Subject, instructions: Iterable[str], chance: random.Random) -> str:
    """An object that fits the JSON Schema in the instructions; without one, an object about the subject."""
    schema = next(filter(None, map(_schema_in, instructions)), None)
    return _about(subject, chance) if schema is None else arguments_for(schema, subject, chance)


def _schema_in(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        found: object = _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    schema = cast("dict[str, Any]", found)
    return schema if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) else None


def _about(subject: Subject, chance: random.Random) -> str:
    # Spread over lines as the model does.
    document = {
        "topic": subject.topic,
        "summary": f"A first look at {subject.topic} and {subject.other} — naïve, but friendly 🙂",
        "points": [subject.topic, subject.other],
        "confidence": round(chance.uniform(0.5, 1.0), 2),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
