"""A small JSON document: what JSON mode answers."""

import random

import orjson

from fleet_simulator.text import Subject


def json_answer(subject: Subject, chance: random.Random) -> str:
    """An object about the subject, spread over lines as the model does."""
    document = {
        "topic": subject.topic,
        "summary": f"A first look at {subject.topic} and {subject.other} — naïve, but friendly 🙂",
        "points": [subject.topic, subject.other],
        "confidence": round(chance.uniform(0.5, 1.0), 2),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
