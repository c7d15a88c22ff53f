"""A Flask view that streams an answer as server-sent events.

AMQP_URL=amqp://guest:guest@localhost:5672/ flask --app flask_app run
AMQP_URL=... gunicorn --preload --worker-class gthread --threads 50 flask_app:app
curl -N 'localhost:5000/ask?q=Tell+me+of+the+sea'
"""
# ruff: noqa: INP001, TID251 -- a file to copy, whose only setting is AMQP_URL

import json
import os
from collections.abc import Iterator

from flask import Flask, Response, request

from fleet_client import FleetError, Restarted, Text
from fleet_client.sync import Fleet

app = Flask(__name__)
# Nothing is connected yet: each process connects with its first call, so forking after this is fine.
fleet = Fleet(os.environ["AMQP_URL"], tenant="shop")


@app.get("/ask")
def ask() -> Response:
    """The answer to `q`, as it is written."""
    question = request.args["q"]  # read here: the stream runs after the request has gone
    return Response(spoken(question), mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def spoken(question: str) -> Iterator[str]:
    """Server-sent events. A browser that goes away ends this generator, which cancels the request."""
    try:
        for event in fleet.stream(question, deadline=120):
            match event:
                case Text(text):
                    yield said("text", text)
                case Restarted():
                    yield said("restarted", "")  # the page drops what it has shown
                case _:
                    pass
        yield said("done", "")
    except FleetError as error:
        yield said("failed", error.code)


def said(kind: str, text: str) -> str:
    """One server-sent event; its data is JSON, since a text may hold line breaks."""
    return f"event: {kind}\ndata: {json.dumps(text)}\n\n"
