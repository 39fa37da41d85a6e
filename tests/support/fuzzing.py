"""What the official client sends, recorded and then spoilt.

`js/record.mjs` has recorded it.

The same seed spoils it in the same way.
"""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from pathlib import Path

from raw_client import BINARY, CLOSE, PING, PONG, SEPARATOR, TEXT
from tornado.util import _websocket_mask

RECORDING = Path(__file__).with_name("traffic.json")
FINAL, COMPRESSED = 0x80, 0x40

Message = list[str | bytes]
"""The Engine.IO packets of a Socket.IO message: its text, and its attachments."""


class Traffic:
    """The recording: HTTP requests, WebSocket frames, and their messages."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.frames: list[bytes] = []
        self.handshake = b""
        """The request for the first WebSocket."""
        self.packets: Message = []
        for recording in json.loads(RECORDING.read_text()):
            for connection in recording["connections"]:
                head, _, body = connection.encode("latin-1").partition(b"\r\n\r\n")
                if b"Upgrade: websocket" in head:
                    self.handshake = self.handshake or head + b"\r\n\r\n"
                    frames = split_frames(body)
                    self.frames += frames
                    self.packets += [read_frame(frame) for frame in frames]
                else:
                    self.requests.append(head + b"\r\n\r\n" + body)
                    self.packets += map(read_item, body.decode().split(SEPARATOR) if body else [])
        self.messages: list[Message] = []
        for packet in self.packets:
            if isinstance(packet, str):
                self.messages.append([])
            self.messages[-1].append(packet)
        self.events = [message for message in self.messages if re.match(r"4[25](?:\d-)?\d*\[", str(message[0]))]
        """Those that may be sent at any time to the main namespace."""


def split_frames(data: bytes) -> list[bytes]:
    """Cut what was sent over a WebSocket into frames."""
    frames = []
    while data:
        length, start = data[1] & 0x7F, 6
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 8
        frames.append(data[: start + length])
        data = data[start + length :]
    return frames


def read_frame(frame: bytes) -> str | bytes:
    """Return what a recorded frame carries."""
    start = 8 if frame[1] & 0x7F == 126 else 6
    data = _websocket_mask(frame[start - 4 : start], frame[start:])
    return data.decode() if frame[0] & 0x0F == TEXT else data


def read_item(item: str) -> str | bytes:
    """Return what an item of a recorded POST carries."""
    return base64.b64decode(item[1:]) if item.startswith("b") else item


def write_frame(head: int, data: bytes, key: bytes = bytes(4), length: int | None = None) -> bytes:
    """Write a frame that a client sends.

    length: the length that it claims, if that is not the true one.
    """
    size = len(data) if length is None else length
    short = size if size < 126 else 126 if size < 1 << 16 else 127
    more = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8, "big")
    return bytes([head, 0x80 | short]) + more + key + _websocket_mask(key, data)


def write_frames(packets: Message) -> bytes:
    """Write packets as a WebSocket carries them."""
    return b"".join(
        write_frame(FINAL | TEXT, p.encode(errors="replace")) if isinstance(p, str) else write_frame(FINAL | BINARY, p)
        for p in packets
    )


def write_payload(packets: Message) -> bytes:
    """Write packets as the body of a POST."""
    items = [p if isinstance(p, str) else "b" + base64.b64encode(p).decode() for p in packets]
    return SEPARATOR.join(items).encode(errors="replace")


NAMES = ["echo", "late", "ask", "shout", "join", "leave", "tell", "kick", "cut", "refused", "~", "", "\\ud800",
         "é" * 99, "on_connect", "disconnecting", "__init__", "toString", "a\\u000ab", "\\u2028"]  # fmt: skip
VALUES = ["null", "true", "-0", "1e308", "5e-324", "1e400", "NaN", "9" * 4300, "9" * 4301, "0." + "7" * 4400, '""',
          '"\\ud800"', '"\\u0000\\u001e\\n"', '"__proto__"', "[]", "{}", "[[[[[]]]]]", "[" * 98 + "]" * 98,
          "[" * 5000 + "]" * 5000, '{"":{"":{}}}', '{"__proto__":{"a":1}}', '{"_placeholder":true,"num":0}',
          '{"_placeholder":true,"num":-1}', '{"_placeholder":true,"num":1e3}', '{"_placeholder":1}', '{"a":1,"a":2}',
          '"' + "x" * 2000 + '"', '{"' + "k" * 2000 + '":1}', "[" + "0," * 500 + "0]", '"lobby"', "1", "-1", "01",
          '{"then":1}', '"\U0001f600"', '"' + "\\" * 100 + '"', "[1", '"', "}"]  # fmt: skip
HEADS = ["40", "41", "42", "43", "431", "44", "451-", "461-1", "4510-", "45999-", "40/custom,", "41/custom,",
         "42/custom,", "42/custom,7", "40/late,", "41/late,", "40/late,{}", "40/refuse,", "40/game-1,", "41/game-1,",
         "40/none,", "40/" + "n" * 300 + ",", "0", "1", "2", "3", "5", "6", "7", "b", "4", "4b", "2probe", "3probe",
         ""]  # fmt: skip
JOINS = ["40/custom,", "41/custom,", "40/late,", "41/late,", '40/late,{"a":1}', '40/late,{"a":1}', "40/game-2,"]
REJOINS = ["40/late,", "41/late,", '40/late,{"a":1}']
PIECES = [b"\x00", b"\xff", b"\x1e", b"\r\n", b"\r\n\r\n", b"\x80", b"\xc3", b"\xed\xa0\x80", b"[", b'"', b"}", b"4",
          b"b", b"0" * 20, b"9" * 40, b"%00", b"&sid=", b"?", b" ", b": "]  # fmt: skip
FIELDS = [b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 1, 1", b"Content-Length: \xb2",
          b"Content-Length: " + b"9" * 5000, b"Transfer-Encoding: chunked", b"Transfer-Encoding: x",
          b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade: websocket", b"Expect: 100-continue",
          b"Origin: http://[", b"Origin: \x7f", b"Host: [", b"Host: \xff", b"Content-Encoding: gzip",
          b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; x=\"", b": nothing", b" folded",
          b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Key: ", b"X-Forwarded-For: \xff, ::1%lo", b"Last-Event-ID: 1e9",
          b"Cookie: a=\xff"]  # fmt: skip
PARAMETERS = [b"EIO=3", b"EIO=", b"transport=websocket", b"transport=polling", b"transport=%ff", b"sid=%00", b"sid=x",
              b"recovery=1", b"b64=1", b"j=0", b"%ff=%ff", b"&&&=", b"t=" + b"x" * 2000]  # fmt: skip
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')


class Spoiler:
    """Draws what a client may send that is wrong, or looks so."""

    def __init__(self, traffic: Traffic, seed: object) -> None:
        self._traffic = traffic
        self._draw = random.Random(repr(seed))

    # -- messages

    def mild(self) -> Message:
        """An event in which something was changed that may well be legal."""
        text, *attachments = self._draw.choice(self._traffic.events)
        assert isinstance(text, str)
        found = list(_VALUE.finditer(text, text.index("[")))
        name, *values = found
        if not values or self._draw.random() < 0.3:
            text = self._put(text, name, f'"{self._draw.choice(NAMES)}"')
        else:
            text = self._put(text, self._draw.choice(values), self._draw.choice(VALUES))
        return [text, *(self.bytes(part) if self._draw.random() < 0.3 else part for part in attachments)]

    def harsh(self) -> Message:
        """A message that is hardly one."""
        message = list(self._draw.choice(self._traffic.messages))
        kind = self._draw.randrange(6)
        if kind == 0:
            return [self._draw.choice(HEADS) + self._draw.choice(["", *VALUES, '["echo"]', '["x"', "{}"])]
        if kind == 1:
            return [str(message[0]), *message]
        if kind == 2:
            return message[1:] or [b"unannounced"]
        if kind == 3:
            return [*message, b"one more"]
        if kind == 4:
            return [self._draw.choice(HEADS) + str(message[0])[2:], *message[1:]]
        return [self.bytes(str(message[0]).encode()).decode("utf-8", "replace"), *message[1:]]

    def conversation(self) -> list[Message]:
        """Messages of a client that joins, is valid, then invalid."""
        messages: list[Message] = [["40" if self._draw.random() < 0.9 else '40{"recovery":true}']]
        joins = self._draw.choices(JOINS, k=self._draw.choice([0, 0, 0, 1, 4]))
        messages += [[join] for join in (joins if self._draw.random() < 0.9 else REJOINS)]
        messages += [self.mild() for _ in range(self._draw.randrange(20))]
        return messages + [self.harsh() for _ in range(self._draw.randrange(5))]

    def _put(self, text: str, place: re.Match[str], value: str) -> str:
        return text[: place.start()] + value + text[place.end() :]

    # -- bytes

    def bytes(self, data: bytes) -> bytes:
        """The same with some bytes changed."""
        for _ in range(self._draw.choice((1, 1, 1, 2, 5))):
            data = self._change(data)
        return data

    def _change(self, data: bytes) -> bytes:
        at, end = sorted((self._draw.randrange(len(data) + 1), self._draw.randrange(len(data) + 1)))
        kind = self._draw.randrange(8)
        if kind < 3 and data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << self._draw.randrange(8)]) + data[at + 1 :]
        if kind == 3:
            return data[:at]
        if kind == 4:
            return data[:at] + data[end:]
        if kind == 5:
            return data[:end] + data[at:]
        if kind == 6:
            other = self._draw.choice(self._traffic.frames + self._traffic.requests)
            return data[:at] + other[self._draw.randrange(len(other)) :]
        return data[:at] + self._draw.choice(PIECES) + data[at:]

    # -- transports

    def websocket(self) -> bytes:
        """What a client sends behind its handshake."""
        kind = self._draw.randrange(10)
        if kind == 0:
            return self.bytes(b"".join(self._traffic.frames[: self._draw.randrange(1, 20)]))
        frames = [frame for message in self.conversation() for packet in message for frame in self._frames(packet)]
        if kind == 1:
            self._draw.shuffle(frames)
        if kind < 6:
            frames.append(self._broken_frame())
        return b"".join(frames)

    def upgrade(self) -> bytes:
        """What it sends over the WebSocket that it upgrades to."""
        probe = [self._frame(FINAL | TEXT, b"2probe"), self._frame(FINAL | TEXT, b"5")]
        if self._draw.random() < 0.2:
            self._draw.shuffle(probe)
        return b"".join(probe[: self._draw.choice([1, 2, 2, 2])]) + self.websocket()

    def _frames(self, packet: str | bytes) -> list[bytes]:
        opcode, data = (TEXT, packet.encode(errors="replace")) if isinstance(packet, str) else (BINARY, packet)
        kind = self._draw.randrange(20)
        if kind == 0:
            cut = self._draw.randrange(len(data) + 1)
            return [self._frame(opcode, data[:cut]), self._frame(FINAL | PING, b"?"), self._frame(FINAL, data[cut:])]
        if kind == 1:
            compressor = zlib.compressobj(wbits=-15)
            data = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            return [self._frame(FINAL | COMPRESSED | opcode, data[:-4] if self._draw.random() < 0.8 else data)]
        return [self._frame(FINAL | opcode, data)]

    def _frame(self, head: int, data: bytes, length: int | None = None) -> bytes:
        return write_frame(head, data, self._draw.randbytes(4), length)

    def _broken_frame(self) -> bytes:
        kind = self._draw.randrange(5)
        if kind == 0:
            return self.bytes(self._draw.choice(self._traffic.frames))
        if kind == 1:
            lie = self._draw.choice([0, 1, 125, 126, 0xFFFF, 0x10000, 1 << 31, 1 << 63, (1 << 64) - 1])
            return self._frame(self._draw.randrange(256), self._draw.randbytes(self._draw.randrange(200)), lie)
        if kind == 2:
            return self._frame(self._draw.randrange(256), self._draw.randbytes(self._draw.randrange(130)))
        if kind == 3:
            code = self._draw.choice([0, 999, 1000, 1001, 1005, 1006, 1016, 3000, 4999, 5000, 65535])
            return self._frame(FINAL | CLOSE, code.to_bytes(2, "big") + self._draw.choice([b"", b"bye", b"\xff"]))
        return self._frame(
            FINAL | self._draw.choice([CLOSE, PING, PONG]), self._draw.randbytes(self._draw.randrange(130))
        )

    def payload(self) -> bytes:
        """The body of a POST."""
        body = write_payload([packet for message in self.conversation() for packet in message])
        return self.bytes(body) if self._draw.random() < 0.2 else body

    def request(self, sid: str) -> bytes:
        """An HTTP request, or a part of one, that names this session."""
        request = self._draw.choice(self._traffic.requests).replace(b"{sid}", sid.encode())
        if self._draw.random() < 0.5:
            return request.replace(b"\r\n", b"\r\n" + self._draw.choice(FIELDS) + b"\r\n", 1)
        if self._draw.random() < 0.3:
            return request.replace(b" HTTP", b"&" + self._draw.choice(PARAMETERS) + b" HTTP", 1)
        return self.bytes(request)
