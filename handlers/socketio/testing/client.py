"""A client without sockets, which is the transport of its session."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from ..audience import DONE, Done
from ..client import Client
from ..engineio.codec.packet import Packet, PacketType
from ..engineio.handshake import Handshake
from ..engineio.reasons import CloseReason
from ..engineio.room import Slice
from ..engineio.session import Session
from ..errors import Refused
from ..hub import Hub
from ..message import Decoder, Kind, Message, encode

ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""Exceptions of a method that end a task or the loop by themselves."""
TURNS = 3
"""Turns of the loop in which nothing runs, after which all that was said has come."""


class TestClient:
    """A client of a hub, made by `connect`."""

    __test__ = False
    name = "websocket"
    id = ""
    """The client's id in the namespace."""
    recovered = False
    closed: CloseReason | None = None
    """Why the server closed the connection; None while open."""
    session: Session

    def __init__(
        self, hub: Hub, namespace: str, auth: dict[str, Any], handshake: Handshake, raises: bool = True
    ) -> None:
        self.silent = False
        """Set to True to leave pings unanswered."""
        self._hub = hub
        self._namespace = namespace
        self._auth = auth
        self._handshake = handshake
        self.raises = raises
        """Whether the test raises what the handler's methods raise."""
        self._decoder = Decoder()
        self._events: deque[list[Any]] = deque()
        self._answering: dict[str, Callable[..., Any]] = {}
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._place: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._replies: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        hub.failures.tell = note_failure

    # -- what a test says

    async def connect(self, timeout: float = 5) -> None:
        """Connect, or reconnect after `drop`.

        Raises Refused if the server refuses, or what `__init__`, `authenticate` or `on_connect` of the handler raises.
        """
        self.closed, self._refusal = None, None
        self._decoder = Decoder()
        self.session = self._hub.open(self, self._handshake)
        self.id = ""
        self._send(Message(Kind.CONNECT, self._namespace, {**self._auth, **self._place} or None))
        await self._until(lambda: bool(self.id or self._refusal or self.closed), "an answer to CONNECT", timeout)
        if self._refusal is not None:
            raise Refused(self._refusal["message"], self._refusal.get("data"))

    def emit(self, event: str, *args: Any) -> Done:
        """Send an event without acknowledgement; it may be awaited.

        Raises what its method raises at once; what it raises later is raised by what the test awaits next.
        """
        self._send(Message(Kind.EVENT, self._namespace, [event, *args]))
        self._raise_failure()
        return DONE

    async def call(self, event: str, *args: Any, timeout: float = 5) -> Any:
        """Send an event and return its acknowledgement (several arguments: a tuple).

        Raises what its method raises, and AssertionError for an event that has no method, or other arguments, and if no
        acknowledgement comes within `timeout` seconds.
        """
        self._last_id += 1
        answer = self._acks[self._last_id] = asyncio.get_running_loop().create_future()
        self._send(Message(Kind.EVENT, self._namespace, [event, *args], self._last_id))
        await self._until(answer.done, f"an acknowledgement of {event!r}", timeout)
        return answer.result()

    async def receive(self, event: str | None = None, timeout: float = 5) -> Any:
        """Return the argument (several: a tuple) of the next event.

        event: its name; by default any event. Raises AssertionError, with the events that came instead, after `timeout`
        seconds.
        """

        def found() -> list[Any] | None:
            return next((args for args in self._events if event in (None, args[0])), None)

        await self._until(lambda: found() is not None, f"event {event!r}" if event else "an event", timeout)
        args = found()
        assert args is not None
        self._events.remove(args)
        return args[1] if len(args) == 2 else tuple(args[1:])

    @property
    def received(self) -> list[tuple[Any, ...]]:
        """Events received and not yet returned by `receive`: (event, *args)."""
        return [tuple(args) for args in self._events]

    def answer(self, event: str, function: Callable[..., Any]) -> None:
        """Answer an event of the server by a function, also by coroutine."""
        self._answering[event] = function

    async def settled(self, timeout: float = 5) -> None:
        """Wait until all is handled, and `received` has what was said.

        Raises AssertionError with the names of the methods that have not ended within `timeout` seconds.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        idle = 0
        while idle < TURNS:
            await asyncio.sleep(0)
            idle += 1
            running = [*self._hub.running, *self._replies]
            if running:
                idle = 0
                left = deadline - asyncio.get_running_loop().time()
                if not (await asyncio.wait(running, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED))[0]:
                    names = ", ".join(sorted(task.get_name() for task in running if isinstance(task, asyncio.Task)))
                    raise AssertionError(f"{names} did not end within {timeout:g} s")
        self._raise_failure()

    def disconnect(self) -> Done:
        """Leave the namespace with a DISCONNECT packet."""
        self._send(Message(Kind.DISCONNECT, self._namespace))
        self._raise_failure()
        return DONE

    def drop(self) -> Done:
        """Lose the connection without a DISCONNECT packet."""
        self.session.lost(self, "transport close")
        self._raise_failure()
        return DONE

    def brings(self, data: str | bytes) -> None:
        """Send an Engine.IO message unchecked, valid or not."""
        self.session.receive(Packet(PacketType.MESSAGE, data), self)

    def _send(self, message: Message) -> None:
        for part in encode(message):
            self.brings(part)

    async def _until(self, come: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout
        while not come():
            self._raise_failure()
            self._changed.clear()
            try:
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.wait_for(self._changed.wait(), max(0.0, left))
            except asyncio.TimeoutError:
                closed = f", and the server closed the connection: {self.closed}" if self.closed else ""
                said = f"{what} did not come within {timeout:g} s; there is {self.received}{closed}"
                raise AssertionError(said) from None
        self._raise_failure()

    def fail(self, error: BaseException) -> None:
        """Raise an error in the test; the first, where there are several."""
        self._failure = error if self._failure is None else self._failure
        self._changed.set()

    def _raise_failure(self) -> None:
        error, self._failure = self._failure, None
        if error is not None:
            raise error

    # -- the transport

    ready = True
    burst = 0

    def deliver(self, unread: Slice) -> bool:
        """Receive entries."""
        self._take(unread)
        return True

    def release(self) -> None:
        """Do nothing: this client never upgrades."""

    def end(self, farewell: Slice, reason: CloseReason) -> None:
        """Receive the last entries, and store the reason."""
        self._take(farewell)
        self.closed = reason
        self._changed.set()

    def _take(self, unread: Slice) -> None:
        for entry in unread.entries:
            for packet in entry.packets:
                if packet.type is PacketType.PING and not self.silent:
                    asyncio.get_running_loop().call_soon(self.session.receive, Packet(PacketType.PONG), self)
                elif packet.type is PacketType.MESSAGE:
                    self._take_message(self._decoder.add(packet.data))
        self._changed.set()

    def _take_message(self, message: Message | None) -> None:
        if message is None:
            return
        if message.kind is Kind.CONNECT:
            self.id, pid = message.data["sid"], message.data.get("pid")
            self.recovered = pid is not None and pid == self._place.get("pid")
            self._place = {**(self._place if self.recovered else {}), **({"pid": pid} if pid else {})}
        elif message.kind is Kind.CONNECT_ERROR:
            self._refusal = message.data
        elif message.kind is Kind.ACK:
            self._acknowledge(message)
        elif message.kind is Kind.DISCONNECT:
            self._events.append(["disconnect"])
        else:
            self._take_event(message)

    def _acknowledge(self, message: Message) -> None:
        answer = self._acks.pop(message.id or 0, None)
        if answer is not None and not answer.done():
            args = message.data
            answer.set_result(args[0] if len(args) == 1 else tuple(args) or None)
            self._changed.set()

    def _take_event(self, message: Message) -> None:
        args = list(message.data)
        if message.id is None:
            if "pid" in self._place:
                self._place["offset"] = args.pop()
            self._events.append(args)
            return
        if args[0] in self._answering:
            reply = asyncio.get_running_loop().create_task(self._reply(*args, id_=message.id))
            self._replies.add(reply)
            reply.add_done_callback(self._replies.discard)
        else:
            self._events.append(args)

    async def _reply(self, event: str, *args: Any, id_: int) -> None:
        try:
            answer = self._answering[event](*args)
            self._send(Message(Kind.ACK, self._namespace, [await answer if isawaitable(answer) else answer], id_))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # such as that of pytest.fail
            self.fail(error)


def note_failure(client: Client, error: BaseException) -> None:
    """Let a test's client raise what a method raised for it."""
    transport = client.session.transport
    if isinstance(transport, TestClient) and transport.raises and not isinstance(error, ENDS):
        transport.fail(error)
