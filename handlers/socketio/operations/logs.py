"""The log, in plain text or as JSON: whatever a client has sent, it forges no line, moves no cursor and has an end.

Whoever logs quotes what came from outside (`%.80r`) to tell it from words of our own; here, in the one place that all
lines pass, what is not printable is escaped and what is too long cut, wherever it came from.
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
"""Characters of one message."""
TRACEBACK_LIMIT = 20_000
"""Characters of one traceback; its end, which says what was wrong, stays."""
FIELDS = ("id", "address", "transport", "reason", "fault", "seconds")
"""What a record may carry besides its message (`extra`), and JSON gives by itself."""
FORMATS = ("text", "json")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def printable(text: str, limit: int = LIMIT) -> str:
    """Return a text on one line, its first `limit` characters, with escapes for what is not to be seen."""
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
    """Tornado's lines; those of a traceback follow indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        safe = copy.copy(record)
        safe.msg, safe.args, safe.exc_text = _message(record), None, None
        return super().format(safe)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 (the name is that of `logging`)
        """Write a traceback."""
        return _traceback(super().formatException(ei))


class JSONFormatter(logging.Formatter):
    """One JSON object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, fields, and `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
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
    """Have all that is logged from now on written in this form, one of FORMATS, by the handlers that there are."""
    root = logging.getLogger()
    if not root.handlers:
        # `--logging=none`: without any handler, Python itself would write what is worse than a warning, as it is.
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
