"""A Django view that streams an answer as server-sent events: a whole project in one file.

AMQP_URL=amqp://guest:guest@localhost:5672/ python django_app.py runserver
AMQP_URL=... gunicorn --preload --worker-class gthread --threads 50 django_app:application
curl -N 'localhost:8000/ask?q=Tell+me+of+the+sea'

In a project of your own, the view and `fleet` go into an app's views.py, and `ask` into its urls.py.
"""
# ruff: noqa: INP001, TID251 -- a file to copy, whose only setting is AMQP_URL
# Django has no types of its own:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import os
import sys
from collections.abc import Iterator

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from fleet_client import FleetError, Restarted, Text
from fleet_client.sync import Fleet

# Nothing is connected yet: each process connects with its first call, so forking after this is fine.
fleet = Fleet(os.environ["AMQP_URL"], tenant="shop")


def ask(request: HttpRequest) -> HttpResponseBase:
    """The answer to `q`, as it is written."""
    if "q" not in request.GET:
        return HttpResponseBadRequest(b"q is missing")
    response = StreamingHttpResponse(spoken(str(request.GET["q"])), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


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


urlpatterns = [path("ask", ask)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost", "127.0.0.1"])
django.setup()
application = WSGIHandler()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
