"""Log formats, text and JSON.

Clients cannot forge lines or move the cursor.

Code that logs a client's text quotes it (`%.80r`), to tell it from text of the program. All lines pass through here,
so here unprintable characters are escaped and long messages cut, independent of where they came from.
"""

from __future__ import annotations

import copy
import json
import logging
from datetime import datetime, timezone
from types import TracebackType
from typing import Any

from tornado.log import LogFormatter
from tornado.web import RequestHandler

LIMIT = 2000
"""Maximum characters of one message."""
TRACEBACK_LIMIT = 20_000
"""Maximum characters of one traceback; its end is kept, because that names the error."""
FIELDS = ("id", "address", "transport", "reason", "fault", "seconds")
"""Attributes of a record (`extra`) that JSON writes as fields of their own."""
FORMATS = ("text", "json")
"""Names of the log formats."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def printable(text: str, limit: int = LIMIT) -> str:
    """Return the first `limit` characters on one line, with unprintable ones escaped."""
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return cut if len(text) <= limit else f"{cut}… ({len(text)} characters)"


def _message(record: logging.LogRecord) -> str:
    try:
        return printable(record.getMessage())
    except Exception as error:
        return printable(f"bad message ({error!r}): {record.msg!r}, {record.args!r}")


def _traceback(text: str) -> str:
    cut = text if len(text) <= TRACEBACK_LIMIT else "…" + text[-TRACEBACK_LIMIT:]
    return "\n".join(printable(line) for line in cut.split("\n"))


class TextFormatter(LogFormatter):
    """Tornado's format; a traceback follows on indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line, and its traceback."""
        safe = copy.copy(record)
        safe.msg, safe.args, safe.exc_text = _message(record), None, None
        return super().format(safe)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 (the name is that of `logging`)
        """Return a traceback, each line escaped."""
        return _traceback(super().formatException(ei))


class JSONFormatter(logging.Formatter):
    """One JSON object a line.

    Keys: `time` (ISO 8601, UTC), `level`, `logger`, `message`, those of FIELDS that are set, and `exception`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one JSON object."""
        time = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = printable(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = _traceback(self.formatException(record.exc_info))
        return json.dumps(line)


def configure_logging(form: str) -> None:
    """Set this format, one of FORMATS, on all root log handlers."""
    root = logging.getLogger()
    if not root.handlers:
        # With `--logging=none` there is no handler; then Python itself would write warnings, unescaped.
        root.addHandler(logging.NullHandler())
    for handler in root.handlers:
        to_file = isinstance(handler, logging.FileHandler)
        handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter(color=not to_file))


def log_request(handler: RequestHandler) -> None:
    """Log a request, as the `log_function` of an application.

    Failures of the server are errors; refusals and a 503, which says that now is not the time, are for debugging.
    """
    status, request = handler.get_status(), handler.request
    level = logging.ERROR if status >= 500 and status != 503 else logging.DEBUG
    logging.getLogger("tornado.access").log(
        level, "%d %s %s (%s) %.1f ms",
        status, request.method, request.uri, request.remote_ip, 1000 * request.request_time(),
    )  # fmt: skip
