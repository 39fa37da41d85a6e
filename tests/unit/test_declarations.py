"""What an application declares is checked where it is written.

One line says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tornado.web import Application, RequestHandler

from handlers.socketio import Engine, Hub, Origins, Server, SocketIOHandler, event, event_stream, routes
from handlers.socketio.declarations import warn_of_lifecycle

BAD: Any = None


class Board(SocketIOHandler):
    """Answers nothing."""


def declare(name: str, base: type = SocketIOHandler, **members: Any) -> Callable[[], type]:
    """Return what declares a class."""
    return lambda: type(name, (base,), members)


def hub(**options: Any) -> Callable[[], Hub]:
    return lambda: Hub({"/": Board}, **options)


def engine(**options: Any) -> Callable[[], Engine]:
    return lambda: Engine(BAD, **options)


def route(**options: Any) -> Callable[[], Any]:
    return lambda: routes(Hub({"/": Board}), **options)


def stream(*args: Any, **options: Any) -> Callable[[], Any]:
    return lambda: event_stream(Hub({"/": Board}), *args, **options)


def mixed(**members: Any) -> Callable[[], type]:
    """Return what declares a class with a mixin."""
    return lambda: type("Mixed", (type("Mixin", (), members), SocketIOHandler), {})


async def late(self: Any) -> None: ...


def two_marks() -> Any:
    return declare("Twice", on_hello=lambda self: None, greet=event("hello")(lambda self: None))()


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    # namespaces
    (lambda: Hub({"chat": Board}), "must be a text that begins with /, got 'chat': write \"/chat\""),
    (lambda: Hub({"": Board}), "must be a text that begins with /, got '': write \"/\""),
    (lambda: Hub({7: Board}), "must be a text that begins with /, got 7"),
    (lambda: Hub({None: Board}), "must be a text that begins with /, got None"),
    (lambda: Hub({"/a,b": Board}), "no client can join '/a,b': leave out the ','"),
    (lambda: Hub({"/a?b": Board}), "no client can join '/a?b': leave out the '?'"),
    (lambda: Hub({"/" + "x" * 200: Board}), "200 characters at most"),
    (lambda: Hub({re.compile(r"game-\d+"): Board}), "names begin with /: write re.compile(r'/…')"),
    (lambda: Hub({re.compile(b"/game"): Board}), "fits bytes: write re.compile(r'/…')"),
    (lambda: Hub({r"/game-(\d+)": Board}), "fits only itself: write re.compile(r'/game-(\\d+)')"),
    (lambda: Hub({"/game-[0-9]": Board}), "'/game-[0-9]' fits only itself: write re.compile(r'/game-[0-9]')"),
    (lambda: Hub({"/game-.*": Board}), "write re.compile(r'/game-.*')"),
    (lambda: Hub({"/a|/b": Board}), "write re.compile(r'/a|/b')"),
    (lambda: Hub({"/rooms/{id}": Board}), "write re.compile(r'/rooms/([^/]+)')"),
    (lambda: Hub({"/rooms/<id>/<int:n>": Board}), "write re.compile(r'/rooms/([^/]+)/([^/]+)')"),
    (lambda: Hub({"/": Board}).declare("/x$", Board), "write re.compile(r'/x$')"),
    (lambda: Hub({}), 'Hub needs a namespace: write Hub({"/": BoardHandler})'),
    # no handler class
    (lambda: Hub(Board), "got <class 'test_declarations.Board'>: write Hub({\"/\": Board})"),
    (lambda: Hub([("/", Board)]), 'write Hub({"/": BoardHandler})'),
    (lambda: Hub({"/": RequestHandler}), "write class RequestHandler(SocketIOHandler)"),
    (lambda: Hub({"/": object()}), "must be a subclass of SocketIOHandler, got <object"),
    (lambda: Hub({"/": lambda: None}), "must be a subclass of SocketIOHandler, got <function"),
    (lambda: Hub({"/": None}), "the handler of '/' must be a subclass of SocketIOHandler, got None"),
    (lambda: Hub({re.compile("/a"): None}), "the handler of '/a' must be a subclass"),
    (lambda: Hub({"/": Board()}), "Board is no request handler: write Hub({'/': Board})"),  # type: ignore[call-arg]
    # __init__
    (declare("Own", __init__=lambda self, name: None), "Own.__init__ is called without arguments, and needs some"),
    (declare("Own", __init__=lambda: None), "write `def __init__(self)`; what it works with is in self.settings"),
    (declare("Own", __init__=lambda self, *, db: None), "missing a required"),
    (declare("Own", __init__=late), "Own.__init__ is async: write `def __init__(self)`"),
    (
        declare("Heir", declare("Base", __init__=lambda self, x=1: None)(), __init__=lambda self, application: None),
        "Heir.__init__ is called without arguments",
    ),
    # hooks
    (declare("H", on_disconnect=lambda self: None), "write `def on_disconnect(self, reason)`"),
    (declare("H", on_connect=lambda self, environ: None), "write `def on_connect(self)`"),
    (declare("H", authenticate=lambda self: None), "write `def authenticate(self, auth)`"),
    (declare("H", before_event=lambda self, event: None), "write `def before_event(self, event, args)`"),
    (declare("H", max_rooms="many"), "H.max_rooms must be a whole number of rooms, 0 or more, got 'many'"),
    # the library's own methods
    (declare("H", disconnect=lambda self, sid: None), "H.disconnect hides the library's (Disconnect this client"),
    (declare("H", disconnect=lambda self, sid: None), "such as my_disconnect; when a client leaves, on_disconnect"),
    (declare("H", emit=lambda self: None), "H.emit hides the library's (Send this client an event)"),
    (declare("H", leave=lambda self: None), "such as my_leave"),
    (declare("H", spawn=lambda self, x, y: None), "such as my_spawn"),
    (declare("H", to=None), "H.to hides the library's"),
    (declare("H", call=property(lambda self: None)), "H.call hides the library's"),
    (declare("H", others=[]), "H.others hides the library's (Everyone but this client)"),
    (declare("H", volatile=lambda self: None), "H.volatile hides the library's"),
    (declare("H", enter=event("enter")(lambda self, room: None)), "H.enter hides the library's"),
    (declare("Heir", declare("Base")(), broadcast=lambda self: None), "Heir.broadcast hides the library's"),
    (mixed(get_cookie=lambda self: None), "Mixed.get_cookie hides the library's"),
    # @event
    (lambda: event(lambda self: None), 'write @event("…")'),  # type: ignore[arg-type]
    (two_marks, "both answer 'hello': keep one of them"),
    # options of a hub
    (hub(ping_intervall=5), "Hub has no option 'ping_intervall': did you mean 'ping_interval'?"),
    (hub(pingInterval=5), "Hub has no option 'pingInterval': did you mean 'ping_interval'?"),
    (
        hub(cors_allowed_origins="*"),
        "Hub has no option 'cors_allowed_origins': write routes(hub, origins=[\"https://…\"])",
    ),
    (hub(origins=["*"]), "Hub has no option 'origins': write routes(hub, origins="),
    (hub(max_http_buffer_size=1), "write Hub(max_payload=…)"),
    (hub(nonsense=1), "Hub has no option 'nonsense': it has ping_interval, "),
    (
        hub(ping_interval="25"),
        "ping_interval must be a number of seconds, more than 0, got '25': write ping_interval=25",
    ),
    (hub(ping_interval=None), "ping_interval must be a number of seconds, more than 0, got None"),
    (hub(ping_interval=0), "ping_interval must be a number of seconds, more than 0, got 0"),
    (hub(ping_timeout=-1), "ping_timeout must be a number of seconds, more than 0, got -1"),
    (hub(ping_timeout=float("nan")), "ping_timeout must be a number of seconds, more than 0, got nan"),
    (hub(upgrade_timeout=float("inf")), "upgrade_timeout must be a number of seconds, more than 0, got inf"),
    (hub(connect_timeout=[45]), "connect_timeout must be a number of seconds, more than 0, got [45]"),
    (hub(recovery=-1), "recovery must be a number of seconds, 0 or more, got -1"),
    (hub(recovery=True), "recovery must be a number of seconds, 0 or more, got True"),
    (hub(presence_grace="x"), "presence_grace must be a number of seconds, 0 or more, got 'x'"),
    (hub(recovery_skips_authenticate="yes"), "recovery_skips_authenticate must be True or False, got 'yes'"),
    (
        hub(max_payload=1e6),
        "max_payload must be a whole number of bytes, more than 0, got 1000000.0: write max_payload=1000000",
    ),
    (hub(max_payload=0), "max_payload must be a whole number of bytes, more than 0, got 0"),
    (hub(max_backlog="1"), "max_backlog must be a whole number of bytes, more than 0, got '1': write max_backlog=1"),
    (hub(rate=-1), "rate must be a number of packets a second, 0 or more, got -1"),
    (hub(max_clients=1.5), "max_clients must be a whole number of clients, 0 or more, got 1.5"),
    (hub(max_per_address=-3), "max_per_address must be a whole number of clients, 0 or more, got -3"),
    (hub(handshake_rate="1"), "handshake_rate must be a number of handshakes a second, 0 or more, got '1'"),
    (hub(compress=True), "compress must be a whole number of bytes, 0 or more, got True"),
    (engine(ping_interval="25"), "ping_interval must be a number of seconds"),
    # routes
    (lambda: routes({"/": Board}), "routes needs a Hub, got {'/':"),  # type: ignore[arg-type]
    (lambda: routes(Board), 'write routes(Hub({"/": …}))'),  # type: ignore[arg-type]
    (route(path="socket.io"), "path must be a text that begins with /, got 'socket.io': write path='/socket.io'"),
    (lambda: routes(Hub({"/": Board}), "socket.io"), "path must be a text that begins with /, got 'socket.io'"),
    (route(path=""), "path must be a text that begins with /, got ''"),
    (route(path=None), "path must be a text that begins with /, got None: write path='/socket.io/'"),
    (route(path="/"), "path='/' takes the place of the application's first page: write path='/socket.io/'"),
    (route(path="/a?b"), "is no path of an address"),
    (route(path="/a b/"), "is no path of an address"),
    (route(path="//host/x"), "is no path of an address"),
    (route(trust_proxy="no"), "trust_proxy must be True or False, got 'no'"),
    (route(origin="*"), "routes has no option 'origin': did you mean 'origins'?"),
    (route(cors_allowed_origins="*"), "routes has no option 'cors_allowed_origins': "),
    (route(ping_interval=5), "routes has no option 'ping_interval': it has path, origins, trust_proxy"),
    (stream("events"), "path must be a text that begins with /, got 'events': write path='/events'"),
    (stream(namespace="/nope"), "no namespace '/nope': this hub has /"),
    (stream(name="x"), "event_stream has no option 'name': did you mean 'namespace'?"),
    (lambda: Server(Hub({"/": Board})), "Server needs an Application, got <handlers.socketio.hub.Hub"),
    (lambda: Server([*routes(Hub({"/": Board}))]), "Server needs an Application, got [(<"),
    (lambda: event_stream(Board), "event_stream needs a Hub"),  # type: ignore[arg-type]
    # origins
    (route(origins="*"), "origins must be a list, got the text '*': write origins=['*']"),
    (route(origins="https://a.example"), "write origins=['https://a.example']"),
    (route(origins=[None]), "an origin is a text, got None"),
    (route(origins=[b"https://a.example"]), "an origin is a text, got b'https"),
    (route(origins=["a.example"]), "'a.example' is no origin: write the scheme, too, as in 'https://a.example'"),
    (route(origins=["a.example:8080"]), "write the scheme, too, as in 'https://a.example:8080'"),
    (route(origins=["//a.example"]), "write the scheme, too"),
    (route(origins=[""]), "write the scheme, too, as in 'https://example.org'"),
    (route(origins=["https://a.example/app"]), "has no path: write 'https://a.example'"),
    (route(origins=["https://a.example/?x"]), "has no path: write 'https://a.example'"),
    (route(origins=["https://a.example#x"]), "has no path: write 'https://a.example'"),
    (route(origins=["https://*.a.example"]), "has a wildcard, which is not understood: name each origin"),
    (route(origins=["*.a.example"]), "has a wildcard, which is not understood"),
    (route(origins=["https://a:b@a.example"]), "at most a port, 'https://host:8443'"),
    (route(origins=["https://a.example:port"]), "at most a port, 'https://host:8443'"),
    (route(origins=["https://"]), "at most a port, 'https://host:8443'"),
    (stream(origins="*"), "origins must be a list, got the text '*'"),
    # without the star
    (lambda: Application([route()()]), "routes(hub) is a list of rules: write *routes(hub)"),
    (lambda: Application([(r"/", RequestHandler), stream()()]), "write *event_stream(hub)"),
]


@pytest.mark.parametrize(("mistake", "line"), MISTAKES, ids=[line[:60] for _, line in MISTAKES])
def test_a_mistake_is_refused_where_it_is_written(mistake: Callable[[], Any], line: str) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)) as raised:
        mistake()
    message = str(raised.value.args[0])
    assert line in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "name", ["ping_interval", "ping_timeout", "upgrade_timeout", "connect_timeout", "recovery", "presence_grace"]
)
def test_milliseconds_are_named(name: str, caplog: pytest.LogCaptureFixture) -> None:
    hub(**{name: 60000})()
    assert caplog.messages == [f"{name}=60000 means seconds: write {name}=60 if milliseconds were meant"]


def test_hours_of_recovery_are_plausible(caplog: pytest.LogCaptureFixture) -> None:
    hub(recovery=4 * 3600, presence_grace=0)()
    assert caplog.messages == []


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["*"],
        ("https://a.example", " HTTPS://B.example/ "),
        {"http://localhost:3000"},
        ["null", "capacitor://localhost", "file://", "chrome-extension://abc"],
        ["http://[::1]:8080"],
        (origin for origin in ["https://a.example"]),
    ],
)
def test_what_browsers_name_as_origins_is_allowed(origins: Any) -> None:
    route(origins=origins)()


def test_origins_are_compared_as_they_were_written() -> None:
    allowed = Origins(["file://", "capacitor://localhost/", "null", "https://A.example:443"])
    for origin in ("file://", "capacitor://localhost", "null", "https://a.example"):
        assert allowed.allows(origin, "host", "http"), origin


def test_what_is_declared_well_is_accepted() -> None:
    class Mixin:
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    class Own(Mixin, SocketIOHandler):
        def __init__(self, name: str = "nobody") -> None: ...

    hub = Hub(
        {"/": Own, "/a/b": Board, re.compile(r"/game-\d+"): Board, re.compile(r"(/x|/y)"): Board},
        ping_interval=0.5, ping_timeout=1, max_payload=1, recovery=0, rate=0.5, compress=1, max_clients=1,
    )  # fmt: skip
    assert [rule[0] for rule in event_stream(hub, "/news")] == ["/news"]
    pages: list[Any] = [(r"/", RequestHandler)]
    rules = routes(hub, path="/app/socket.io", origins=["*"], trust_proxy=True)
    assert len(rules) == len([*rules]) == len(rules + pages) - 1 == len(pages + rules) - 1
    pages += rules
    Application([*pages, *rules, *event_stream(hub)])
    Application(rules)  # type: ignore[arg-type]


LIFECYCLE: list[tuple[Callable[[], type], str]] = [
    (declare("H", open=lambda self: None), "the library never calls H.open: write on_connect(self)"),
    (declare("H", prepare=lambda self: None), "the library never calls H.prepare: write authenticate(self, auth)"),
    (declare("H", initialize=lambda self, db: None), "the library never calls H.initialize: write __init__(self)"),
    (declare("H", connect=late), "the library never calls H.connect: write on_connect(self)"),
    (
        declare("H", check_origin=lambda self, origin: True),
        "the library never calls H.check_origin: write routes(hub, or",
    ),
    (
        declare("H", on_close=lambda self: None),
        "only clients that send 'close' call H.on_close: write on_disconnect(self, reason), or @event('close')",
    ),
    (declare("H", on_open=late), "only clients that send 'open' call H.on_open: write on_connect(self)"),
    (declare("H", on_disconnected=late), "call H.on_disconnected: write "),
    (
        declare("H", on_authenticate=lambda self, auth: True),
        "(self, auth), or @event('authenticate')",
    ),
    (declare("H", on_close=staticmethod(lambda: None)), "call H.on_close: write "),
    (mixed(on_finish=lambda self: None), "only clients that send 'finish' call Mixed.on_finish"),
]


@pytest.mark.parametrize(("declares", "line"), LIFECYCLE, ids=[row[1][:30] for row in LIFECYCLE])
def test_a_hook_of_another_library_is_told_once(
    declares: Callable[[], type], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    heir = type("Heir", (declares(),), {})
    Hub({"/": heir})
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert line in record.getMessage()


class Own(SocketIOHandler):
    """Means what it says."""

    connect = None
    open: bool = False

    @event("close")
    def on_close(self) -> None: ...

    @event("prepared")
    def prepare(self) -> None: ...

    def on_message(self, text: str) -> None: ...

    def emit(self, event: str, *args: Any, **options: Any) -> Any:
        return super().emit(event, *args, **options)

    def enter(self, room: str = "lobby", *more: Any) -> Any:
        return super().enter(room)

    @property
    def others(self) -> Any:
        return super().others.to("lobby")

    @property
    def current_user(self) -> Any:
        return "me"

    def get_current_user(self) -> Any: ...


def test_what_an_author_means_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Hub({"/": type("Heir", (Own,), {})})
    warn_of_lifecycle(Own, SocketIOHandler)
    assert not caplog.records
