"""Structured logs: what is bound once for a request is on each of its lines. Content is never logged."""

import logging
import sys
from contextlib import AbstractContextManager
from traceback import extract_tb

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

Log = FilteringBoundLogger

# These speak of every message and every connection at info, and one of them prints returned bodies.
_TALKATIVE = ("aiormq", "aio_pika", "faststream", "httpx", "httpcore", "aiohttp.access")


def configure_logging(level: str, style: str) -> None:
    """Send this process's logs to stderr as one line each.

    Args:
        level: the least serious level to print: debug, info, warning or error.
        style: `console`, `json`, or `auto` (console where stderr is a terminal).
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            _drop_exception_text,
            structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def get_log(name: str) -> Log:
    """A logger that puts `name` on each line."""
    return structlog.get_logger(component=name)


def _drop_exception_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep an error's class and where it came from, and drop its text and its variables.

    Texts of libraries may quote a prompt, a URL or a key, and a traceback with variables always does.
    """
    error = event.pop("error", None)
    event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        event["at"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)
        ]
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__qualname__
    elif error is not None:
        event["error"] = error
    return event


def bound(**facts: str) -> AbstractContextManager[None]:
    """Put `facts` on every line that is logged inside the block, by this task and those it starts."""
    return structlog.contextvars.bound_contextvars(**facts)
