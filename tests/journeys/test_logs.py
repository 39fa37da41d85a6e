"""The log: one line for each connection, and one for each end.

Nothing that a client sends forges a line or adds one.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from conftest import Server as Process
from conftest import board
from raw_client import (
    JOURNEY,
    UPGRADE,
    Closed,
    Server,
    address,
    io_loop,  # noqa: F401 (a fixture)
    join,
)

from handlers.socketio.operations.logs import JSONFormatter, TextFormatter, printable

FORMATTERS = {"text": TextFormatter(color=False), "json": JSONFormatter()}
in_each_format = pytest.mark.parametrize("form", FORMATTERS)

HOSTILE = {
    "a line of its own": "a\n[E 260101 00:00:00 engine:1] forged",
    "a carriage return": "a\rforged",
    "other ends of lines": "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029forged",
    "a terminal's commands": "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1mforged",
    "text that runs backwards": "abc\u202eforged\u2066\u200b",
    "half a character": "\ud800forged",
    "a null byte": "a\x00forged",
    "a backspace": "forged\x08\x08\x7f",
}


def record(message: str, *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("handlers.test").makeRecord(
        "handlers.test", logging.INFO, "test_logs.py", 7, message, args, exc_info, "f", extra
    )


def failed(what: str) -> Any:
    """What `logger.exception` has of an error whose words are a client's."""
    try:
        raise ValueError(what)
    except ValueError:
        return sys.exc_info()


# -- one line


@in_each_format
@pytest.mark.parametrize("what", HOSTILE)
def test_a_message_is_one_line_of_what_can_be_seen(form: str, what: str) -> None:
    line = FORMATTERS[form].format(record("it said %s", HOSTILE[what]))
    assert line.isprintable()
    assert "forged" in line
    assert len(line.splitlines()) == 1


@in_each_format
@pytest.mark.parametrize("what", HOSTILE)
def test_a_traceback_moves_no_cursor_and_begins_no_record(form: str, what: str) -> None:
    text = FORMATTERS[form].format(record("failed", exc_info=failed(HOSTILE[what])))
    first, *others = text.split("\n")
    assert "failed" in first
    assert all(line.isprintable() for line in (first, *others))
    assert all(line.startswith("    ") for line in others)
    assert "forged" in text
    assert "Traceback" in text


@in_each_format
def test_a_long_message_has_an_end(form: str) -> None:
    line = FORMATTERS[form].format(record("it said %s", "x" * 1_000_000))
    assert len(line) < 2500
    assert "(1000008 characters)" in line
    assert len(FORMATTERS[form].format(record("%s", "\u2028" * 1_000_000))) < 20_000


@in_each_format
def test_a_long_traceback_has_an_end_and_shows_it(form: str) -> None:
    text = FORMATTERS[form].format(record("failed", exc_info=failed("x\n" * 1_000_000 + "the end")))
    assert len(text) < 100_000
    assert "the end" in text


@in_each_format
def test_what_can_be_read_stays_as_it_is(form: str) -> None:
    line = FORMATTERS[form].format(record("%s sagt „%s“ zu 東京 👋", "Zoë", "50 %"))
    said = json.loads(line)["message"] if form == "json" else line
    assert said.endswith("Zoë sagt „50 %“ zu 東京 👋")


@in_each_format
def test_a_message_that_cannot_be_put_together_is_shown_in_parts(form: str) -> None:
    line = FORMATTERS[form].format(record("%d clients\n", "many\n"))
    assert "bad message" in line
    assert "many" in line
    assert len(line.splitlines()) == 1


@in_each_format
def test_a_record_is_left_as_it_was_for_other_handlers(form: str) -> None:
    hostile = record("it said %s", "a\nb", exc_info=failed("x\ny"))
    FORMATTERS[form].format(hostile)
    assert (hostile.msg, hostile.args, hostile.exc_text) == ("it said %s", ("a\nb",), None)


def test_printable_cuts_before_it_escapes() -> None:
    assert printable("ab\ncd", 4) == "ab\\nc… (5 characters)"
    assert printable("ab\ncd", 5) == "ab\\ncd"


# -- JSON


def test_a_line_of_json_has_its_fields_and_no_others() -> None:
    line = json.loads(
        JSONFormatter().format(
            record("gone", id="abc", address="192.0.2.7\n", transport="polling", reason="x", seconds=1.234, other=1)
        )
    )
    time = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    passed = datetime.now(timezone.utc) - datetime.fromisoformat(time.replace("Z", "+00:00"))
    assert timedelta() <= passed < timedelta(minutes=1)
    assert line == {
        "level": "info",
        "logger": "handlers.test",
        "message": "gone",
        "id": "abc",
        "address": "192.0.2.7\\n",
        "transport": "polling",
        "reason": "x",
        "seconds": 1.234,
    }


# -- the server's own


Start = Callable[[Process], Process]


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[tuple[Process, Server]]:
    """Run the server; its lines are complete when this ends."""
    process = board(*options)
    process.start()
    server = Server(process.port)
    try:
        yield process, server
    finally:
        await server.hang_up()
        process.stop()


async def last_word(client: Any) -> None:
    """Read on until the server closes."""
    try:
        while True:
            await client.next()
    except Closed:
        pass


@JOURNEY
async def test_a_client_is_two_lines_of_json() -> None:
    async with running("--log-format=json") as (process, server):
        client = await server.poll()
        await join(client)
        websocket = await server.websocket(client.sid)
        await websocket.send("2probe", "5", '42["no such event"]', "9nonsense")
        await last_word(websocket)
    lines = [json.loads(line) for line in process.lines if not line.startswith("Listening")]
    came, gone = [line for line in lines if line.get("id") == client.sid]
    assert all(client.sid not in line["message"] for line in lines if line not in (came, gone))
    assert {name: came[name] for name in ("level", "address", "transport")} == {
        "level": "info",
        "address": "127.0.0.1",
        "transport": "polling",
    }
    assert (gone["transport"], gone["reason"]) == ("websocket", "parse error")
    assert gone["fault"] == "not an Engine.IO packet: '9nonsense'"
    assert 0 <= gone["seconds"] < 20
    assert "reason" not in came
    assert gone["message"].endswith("parse error: not an Engine.IO packet: '9nonsense'")


@JOURNEY
async def test_a_client_that_joins_nothing_is_two_lines_too() -> None:
    async with running("--connect-timeout=0.1") as (process, server):
        client = await server.websocket()
        await last_word(client)
    came, gone = [line for line in process.lines if client.sid in line]
    assert "connected over websocket" in came
    assert "forced close: joined no namespace within 0.1 s" in gone


@JOURNEY
async def test_a_client_that_breaks_the_rules_of_websockets_is_two_lines_too() -> None:
    async with running() as (process, server):
        client = await server.websocket()
        client.send_frame(1, b"3", masked=False)
        await last_word(client)
    came, gone = [line for line in process.lines if client.sid in line]
    assert "connected over websocket" in came
    assert "transport error: a frame without a mask" in gone


@JOURNEY
@in_each_format
async def test_hostile_clients_write_no_lines_of_their_own(form: str) -> None:
    evil = "\x1b[31m\r\nforged\u2028\x85" + "x" * 10_000
    raw = b"\x1b[31mforged\x9b\xff" + b"x" * 3000
    async with running("--logging=debug", f"--log-format={form}") as (process, server):
        for parameters in ({"sid": evil}, {"transport": evil}, {"EIO": evil}):
            await server.request("GET", address(**parameters))
        for header in (b"User-Agent", b"Origin", b"X-Forwarded-For", b"Host", b"Upgrade", b"Cookie", b"\x1b[31mforged"):
            line = await server.connect()
            head = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            line.write(head + header + b": " + raw + b"\r\n\r\n")
            await line.gone.wait()
        for start in (b"GET /" + raw, b"GET http://" + raw, raw + b" /"):
            line = await server.connect()
            line.write(start + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await line.gone.wait()
        await server.request("GET", "/metrics", {"X-Forwarded-For": "x" * 10_000})
        await server.request("POST", address(), {**UPGRADE, "Origin": "https://x" * 1000})
        packets = (
            f"4{evil}",
            f"42/{evil},[]",
            f"40/{evil},",
            f'42["{evil}"]',
            '42["private","\\u001b[31mforged\\r\\n"]',
        )
        for packet in (evil, *packets, f"41/{evil},", f'43/,1["{evil}"]', f'451-["{evil}"]'):
            for transport in ("polling", "websocket"):
                client = await server.open(transport)
                await client.send("40", packet, "1")
        answer = await server.request("GET", "/healthz")
        assert answer.status == 200
    lines = [line for line in process.lines if not line.startswith("Listening")]
    assert len(lines) > 20
    assert any("forged" in line for line in lines)
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert len(line) < 4000
        if form == "json":
            assert json.loads(line)["message"]
        else:
            assert re.match(r"\[[DIWE] \d{6} \d\d:\d\d:\d\d [\w-]+:\d+\] ", line), line


@JOURNEY
async def test_a_log_file_is_written_in_the_same_form(tmp_path: Any) -> None:
    path = tmp_path / "log"
    async with running(f"--log-file-prefix={path}", "--log-format=json") as (_, server):
        await server.poll()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "connected over polling" in lines[0]["message"]


@JOURNEY
async def test_no_logging_is_none() -> None:
    async with running("--logging=none") as (process, server):
        client = await server.websocket()
        await client.send("9")
        await last_word(client)
    assert len(process.lines) == 1
