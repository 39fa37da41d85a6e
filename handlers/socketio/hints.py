"""What to write instead of what is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from .engineio.declared import MILLISECONDS, check_number, check_seconds
from .notices import Notices

MAX_KEEP = 1_000_000
"""Events of one name that a room keeps."""

KEYWORDS = {
    "callback": "await self.call(event, …), which returns the acknowledgement",
    "room": "self.to(room).emit(…)",
    "to": "self.to(room).emit(…)",
    "skip_sid": "self.except_(id).emit(…)",
    "namespace": 'hub.of("/namespace").emit(…)',
    "broadcast": "self.broadcast(event, …)",
    "include_self": "self.others.emit(…)",
    "timeout": "await self.call(event, …, timeout=seconds)",
}
"""What is written instead of keywords that other libraries have."""

EMITTER_KEYWORDS = {
    "callback": "a handler that answers: an emitter receives no acknowledgements",
    "room": "emitter.to(room).emit(…)",
    "to": "emitter.to(room).emit(…)",
    "skip_sid": "emitter.except_(id).emit(…)",
    "namespace": 'emitter.of("/namespace").emit(…)',
    "broadcast": "emitter.emit(event, …), which is for all",
}
"""The same for an emitter outside of the cluster."""

COOKIE = "set cookies in a RequestHandler, since a socket sends no headers"
HEADERS = "headers of a RequestHandler, since a socket sends none"
SESSION = "attributes of self, self.name = …"
DATA = "arguments of the method, which are the event's data"
PAGE = "self.emit(event, …), and let the page do it"
GUARD = "return self.current_user is not None in authenticate, instead of @authenticated; it is a GET always"
ONE = 'hub.of("/").get(id)'
QUERY = "self.get_query_argument(name), or self.request.query_arguments"
BODY = "arguments of events: the request that connects has no body"
OF_HANDLER = {
    "application": "self.settings, which are the application's",
    "clear_cookie": COOKIE,
    "clients": "self.to(room).clients, or self.others.clients",
    "close": "self.disconnect(close=True)",
    "close_room": "self.to(room).leave(room)",
    "data": SESSION,
    "emit_with_ack": "await self.call(event, …)",
    "enter_room": "self.enter(room)",
    "environ": "self.request, with .headers and .remote_ip",
    "finish": "return …, which acknowledges the event",
    "get_body_argument": DATA,
    "get_body_arguments": DATA,
    "get_environ": "self.request, with .headers and .remote_ip",
    "get_session": SESSION,
    "handshake": "self.request, and self.auth",
    "hub": 'Application(…, hub=hub), and self.settings["hub"]',
    "in_": "self.to(room)",
    "join": "self.enter(room)",
    "join_room": "self.enter(room)",
    "leave_room": "self.leave(room)",
    "on": "a method on_<event>, or @event(name) on a method",
    "redirect": PAGE,
    "render": PAGE,
    "render_string": PAGE,
    "reverse_url": "the address itself, or one of self.settings",
    "save_session": SESSION,
    "send": 'self.emit("message", …)',
    "session": SESSION,
    "set_cookie": COOKIE,
    "set_header": HEADERS,
    "set_signed_cookie": COOKIE,
    "set_status": "raise Refused(message), or return …",
    "sid": "self.id",
    "sleep": "await asyncio.sleep(seconds)",
    "start_background_task": "self.spawn(coroutine)",
    "timeout": "await self.call(event, …, timeout=seconds)",
    "write": "self.emit(event, …)",
    "write_message": "self.emit(event, …)",
}
OF_HUB = {
    "attach": "*routes(hub) in the list of an Application",
    "broadcast": 'hub.of("/").emit(event, …)',
    "call": f"await {ONE}.call(event, …)",
    "clients": 'hub.of("/").clients',
    "close_room": 'hub.of("/").to(room).leave(room)',
    "disconnect": 'hub.of("/").to(id).disconnect()',
    "emit": 'hub.of("/").emit(event, …)',
    "enter": 'hub.of("/").to(id).enter(room)',
    "enter_room": 'hub.of("/").to(id).enter(room)',
    "event": "a method on_<event> of the handler class",
    "fetch_sockets": 'await hub.of("/").fetch()',
    "get_environ": f"{ONE}.request",
    "get_session": f"attributes of {ONE}",
    "in_": 'hub.of("/").to(room)',
    "leave": 'hub.of("/").to(id).leave(room)',
    "leave_room": 'hub.of("/").to(id).leave(room)',
    "listen": "await serve(application, hub, port=…)",
    "manager": 'hub.of("/").to(room).clients',
    "on": "a method on_<event> of the handler class",
    "register_namespace": "hub.declare(name, handler class)",
    "rooms": f"{ONE}.rooms",
    "save_session": f"attributes of {ONE}",
    "send": 'hub.of("/").emit("message", …)',
    "session": f"attributes of {ONE}",
    "sleep": "await asyncio.sleep(seconds)",
    "sockets": 'hub.of("/").clients',
    "start_background_task": "hub.spawn(coroutine)",
    "to": 'hub.of("/").to(room)',
    "use": "authenticate of the handler class",
}
_ACTS = (
    "broadcast",
    "close_room",
    "disconnect",
    "emit",
    "enter",
    "enter_room",
    "in_",
    "leave",
    "leave_room",
    "send",
    "to",
)
FOREIGN = {
    "SocketIOHandler": OF_HANDLER,
    "Hub": OF_HUB,
    "ThreadsafeHub": {name: OF_HUB[name].replace("hub.of", "hub.threadsafe.of") for name in _ACTS},
    "Audience": {
        "__call__": "….emit(event, …), without parentheses before",
        "__len__": "len(….clients)",
        "broadcast": "….emit(event, …)",
        "close": "….disconnect(close=True)",
        "disconnect_sockets": "….disconnect(close=True)",
        "emit_with_ack": "await ….call(event, …)",
        "enter_room": "….enter(room)",
        "fetch_sockets": "await ….fetch()",
        "in_": "….to(room)",
        "join": "….enter(room)",
        "leave_room": "….leave(room)",
        "of": "hub.of(namespace)",
        "send": '….emit("message", …)',
        "sockets": "….clients",
        "sockets_join": "….enter(room)",
        "sockets_leave": "….leave(room)",
        "timeout": "await ….call(event, …, timeout=seconds)",
    },
    "Handshake": {
        "address": "self.request.remote_ip",
        "args": QUERY,
        "arguments": QUERY,
        "auth": "self.auth",
        "body": BODY,
        "body_arguments": BODY,
        "environ": "self.request.headers",
        "files": BODY,
        "full_url": "self.request.protocol, .host and .path",
        "get": "self.request.headers.get(name)",
        "host_name": "self.request.host",
        "method": GUARD,
        "sid": "self.id",
        "uri": "self.request.path, and .query_arguments",
        "url": "self.request.path, and .query_arguments",
        "__getitem__": "self.request.headers[name]",
    },
    "broadcast": {
        "emit": "self.others.emit(event, …), or self.broadcast(event, …) for all",
        "to": "self.others.to(room).emit(event, …)",
    },
}
"""By class or method: names that other libraries have, Tornado included, and what is written instead."""


class Foreign:
    """Name of another library; reading it raises AttributeError with a hint.

    An attribute or method of the author's takes its place, so no name is lost.
    """

    def __init__(self, name: str, instead: str) -> None:
        self._name = name
        self._instead = instead

    def __get__(self, instance: object | None, owner: type) -> NoReturn:
        described = f"{owner.__name__!r} object has no attribute {self._name!r}: write {self._instead}"
        raise AttributeError(described, name=self._name, obj=instance)


def add_foreign(owner: type) -> None:
    """Add names of other libraries to a class, unknown to mypy."""
    for name, instead in FOREIGN[owner.__name__].items():
        setattr(owner, name, Foreign(name, instead))


def add_foreign_calls(method: Callable[..., object]) -> None:
    """Add what other libraries call of a method, `broadcast.to(room)`."""
    for name, instead in FOREIGN[method.__name__].items():
        setattr(method, name, partial(_refuse_call, f"{method.__name__} is a method without .{name}: write {instead}"))


def _refuse_call(described: str, *_: object, **__: object) -> NoReturn:
    raise AttributeError(described)


def refuse_keywords(function: str, given: Mapping[str, object], known: Mapping[str, str] = KEYWORDS) -> NoReturn:
    """Raise TypeError for keywords that an emit does not have."""
    name = next(iter(given))
    instead = known.get(name, 'an object as argument, {"name": value}')
    raise TypeError(f"{function}({name}=…) is not there: write {instead}")


def check_room(room: str, more: Sequence[object] = ()) -> str:
    """Return the name of a room; raise TypeError for anything else."""
    if more:
        raise TypeError(f"one room at a time, got {room!r:.80} and {more!r:.80}: call it for each of them")
    if isinstance(room, str):
        return room
    if isinstance(room, (list, tuple, set, frozenset)):
        raise TypeError(f"the name of a room is a text, got {room!r:.80}: write *rooms, or enter each of them")
    described = f"the name of a room is a text, got {room!r:.80}"
    raise TypeError(described if room is None else f"{described}: write str(…), or f'kind:{room!s:.40}'")


def check_keep(keep: int, fits: bool) -> None:
    """Raise TypeError or ValueError for a `keep` that cannot be.

    fits: whether the audience is everyone, or one room.
    """
    check_number("keep", keep, "events", zero=True, whole=True)
    if keep > MAX_KEEP:
        raise ValueError(f"keep must be {MAX_KEEP} at most, got {keep!r:.40}: the room has them in memory")
    if not fits:
        raise ValueError("keep=… must be for everyone or one room: the room sends the events to later clients")


def check_timeout(notices: Notices, handler: type[Any], timeout: float, method: str = "call") -> None:
    """Check seconds; warn, once a class, if they look like milliseconds."""
    check_seconds("timeout", timeout, zero=True)
    if timeout >= MILLISECONDS:
        notices.warn(
            (handler, "timeout"),
            f"{handler.__name__}: {method}(timeout={timeout:g}) means seconds: write timeout={timeout / 1000:g} "
            "if milliseconds were meant",
        )


def note_absence(notices: Notices, handler: type[Any], what: str, outcome: str) -> None:
    """Log, once a class, a handler's use after its client left.

    At INFO: a client may leave while its handler waits, which is nobody's mistake.
    """
    notices.mention(
        (handler, what.partition("(")[0]),
        f"{handler.__name__}: {what} a client that has left {outcome}. After an await, look at "
        "self.connected; where handlers are kept, remove them in on_disconnect",
    )


def note_unanswered(notices: Notices, method: str) -> None:
    """Log, once a method, that its client left while it was asked."""
    notices.mention(
        (method, "unanswered"),
        f"{method} ended, because its client left before it answered: if it has more to do, catch Disconnected",
    )
