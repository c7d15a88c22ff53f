"""Structured logs: what is bound once for a request is on each of its lines; no content unless asked for."""

import logging
import sys
from contextlib import AbstractContextManager
from traceback import extract_tb

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

Log = FilteringBoundLogger

# These speak of every message and every connection at info, and one of them prints returned bodies.
_TALKATIVE = ("aiormq", "aio_pika", "faststream", "httpx", "httpcore", "aiohttp.access")


def configure_logging(level: str, style: str, *, content: bool = False) -> None:
    """Send this process's logs to stderr as one line each, those of libraries too.

    Args:
        level: the least serious level to print: debug, info, warning or error.
        style: `console`, `json`, or `auto` (console where stderr is a terminal).
        content: whether texts of errors and of libraries are shown, which may quote anything.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            _with_exception_text if content else _drop_exception_text,
            structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_OfLibraries(content=content)], force=True)
    logging.captureWarnings(capture=True)
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


def _with_exception_text(logger: object, method: str, event: EventDict) -> EventDict:
    """As `_drop_exception_text`, and the texts of an error and its cause with it."""
    error = event.get("error")
    if isinstance(error, BaseException):
        event["error_text"] = str(error)
        if error.__cause__ is not None:
            event["cause_text"] = str(error.__cause__)
    return _drop_exception_text(logger, method, event)


class _OfLibraries(logging.Handler):
    """Says which library has something to say, and where in it.

    What it says is left out: a library's message may quote a prompt, an answer or a URL with a password.
    """

    def __init__(self, *, content: bool) -> None:
        super().__init__()
        self._content = content
        self._log = get_log("library")

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        facts: dict[str, object] = {"text": record.getMessage()} if self._content else {}
        if record.exc_info is not None and record.exc_info[1] is not None:
            facts["error"] = record.exc_info[1]
        where = f"{record.pathname}:{record.lineno}"
        self._log.log(
            record.levelno, "a library has something to say", library=record.name, where=where, **facts
        )


def note(**facts: str | int) -> None:
    """Put `facts` on every line that this task logs from now on."""
    structlog.contextvars.bind_contextvars(**facts)


def bound(**facts: str) -> AbstractContextManager[None]:
    """Put `facts` on every line that is logged inside the block, by this task and those it starts."""
    return structlog.contextvars.bound_contextvars(**facts)
