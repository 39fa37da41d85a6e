"""`serve` and `admin`, as an application of one's own uses them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from conftest import PATIENCE, ROOT
from conftest import Server as Process
from documented import run_page
from raw_client import (
    JOURNEY,
    Closed,
    Server,
    WebSocket,
    io_loop,  # noqa: F401 (a fixture)
    join,
)
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application, RequestHandler

import handlers.socketio as library
from handlers.socketio import Hub, SocketIOHandler, event_stream, operations, routes, start_clock
from handlers.socketio.operations import admin, serve

PAGE = ROOT / "docs" / "serving.md"


def own(directory: Path, code: str, *arguments: str | Path) -> Process:
    """A server whose `main()` is this code."""
    path = directory / "main.py"
    path.write_text(code.replace("tornado_socketio", "handlers.socketio"))
    return Process(sys.executable, path, *arguments, cwd=directory, PYTHONPATH=ROOT)


def documented() -> str:
    """The first main() of the page, on a free port."""
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0].replace("3000", "0")


# -- the whole life


@JOURNEY
async def test_a_main_of_fifteen_lines_serves_its_events_and_pages_and_ends_well(tmp_path: Path) -> None:
    code = documented()
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    process = own(tmp_path, code)
    await asyncio.to_thread(process.start)
    clients = Server(process.port)
    client = await clients.websocket()
    await join(client)
    await client.send('42["say","hello"]')
    assert await client.next() == '42["said","hello"]'
    for path in ("/healthz", "/metrics", "/status", "/status/status.js", "/socket.io/socket.io.js"):
        assert (await clients.request("GET", path)).status == 200, path
    assert (await clients.request("GET", "/healthz")).json == {"status": "ok", "clients": 1, "trouble": []}
    watcher = await clients.websocket()
    await join(watcher, "/status")
    assert str(await watcher.next()).startswith('42/status,["history",[{')
    running = process._process
    process.send_signal(signal.SIGTERM)
    for each in (client, watcher):
        assert await closed(each) == 1001
    assert await asyncio.to_thread(running.wait, PATIENCE) == 0
    await clients.hang_up()
    await asyncio.to_thread(process.stop)
    assert not [line for line in process.lines if "Traceback" in line]


async def closed(client: WebSocket) -> int | None:
    """Read until the server closes; return its code."""
    try:
        while True:
            await client.next()
    except Closed as closing:
        return closing.code


LONG = """
import asyncio, json, sys
from contextlib import asynccontextmanager
from pathlib import Path
from tornado.web import Application
from tornado_socketio import Hub, SocketIOHandler, routes
from tornado_socketio.operations import serve

options = json.loads(sys.argv[1])

class Worker(SocketIOHandler):
    async def on_work(self):
        print("works", flush=True)
        await asyncio.sleep(3600)

@asynccontextmanager
async def database():
    print("opened", flush=True)
    yield
    print("closed, saved:", Path("state").exists(), flush=True)

async def main():
    hub = Hub({"/": Worker})
    await serve(Application(routes(hub)), hub, lifespan=database(), **{"port": 0, **options})
    print("ended, saved:", Path("state").exists(), flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def working(directory: Path, **options: Any) -> AsyncIterator[tuple[Process, Server]]:
    """Run a server; one handler works, and will not end in time."""
    process = own(directory, LONG, json.dumps(options).replace("{", "{{").replace("}", "}}"))
    await asyncio.to_thread(process.start)
    clients = Server(process.port)
    try:
        client = await clients.websocket()
        await join(client)
        await client.send('42["work"]')
        await process.logged("works")
        yield process, clients
    finally:
        await clients.hang_up()
        await asyncio.to_thread(process.stop)


@JOURNEY
async def test_the_lifespan_is_left_after_the_handlers_and_before_the_sessions_are_saved(tmp_path: Path) -> None:
    async with working(tmp_path, drain=0.1, state="state") as (process, _):
        process.send_signal(signal.SIGINT)
        await process.logged("ended")
    said = re.findall(r"^(?:opened|Listening|works|.* was cancelled|closed.*|ended.*)", "\n".join(process.lines), re.M)
    assert said[:3] == ["opened", "Listening", "works"]
    assert "Worker.on_work was cancelled" in said[3]
    assert said[4:] == ["closed, saved: False", "ended, saved: True"]


async def listens(port: int) -> bool:
    """Whether a process accepts connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


@JOURNEY
async def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    async with working(tmp_path, drain=3600) as (process, _):
        running = process._process
        process.send_signal(signal.SIGTERM)
        while await listens(process.port):
            pass
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, PATIENCE) == -signal.SIGTERM


@JOURNEY
async def test_a_bigger_body_is_taken_where_the_application_says_so(capsys: Any) -> None:
    class Upload(RequestHandler):
        def post(self) -> None:
            self.finish(str(len(self.request.body)))

    hub = Hub({"/": SocketIOHandler})
    app = Application([("/upload", Upload), *routes(hub)])
    async with serving(app, hub, capsys, max_body_size=200_000) as clients:
        assert (await clients.request("POST", "/upload", body=b"x" * 150_000)).text == "150000"


@asynccontextmanager
async def serving(app: Application, hub: Hub, capsys: Any, **options: Any) -> AsyncIterator[Server]:
    """Run `serve` in the test's own loop; cancel it at the end."""
    task = asyncio.ensure_future(serve(app, hub, 0, address="127.0.0.1", **options))
    said = ""
    while not (said := said + capsys.readouterr().out).endswith("...\n"):
        assert not task.done(), task.result()
        await asyncio.sleep(0)
    clients = Server(int(re.findall(r"\d+", said)[-1]))
    try:
        yield clients
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await clients.hang_up()


@JOURNEY
async def test_cancelling_drains_and_leaves_the_lifespan(capsys: Any) -> None:
    left = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            yield
        finally:
            left.append(len(hub.sessions))

    hub = Hub({"/": SocketIOHandler})
    async with serving(Application(routes(hub)), hub, capsys, lifespan=lifespan()) as clients:
        await join(await clients.websocket())
    assert left == [0]


@JOURNEY
async def test_a_hub_is_served_again_after_its_end(capsys: Any) -> None:
    hub = Hub({"/": SocketIOHandler})
    app = Application([*admin(hub), *routes(hub)])
    for _ in range(2):
        async with serving(app, hub, capsys) as clients:
            await join(await clients.websocket())
            assert (await clients.request("GET", "/healthz")).json["status"] == "ok"


def test_a_hub_that_was_drained_serves_on_the_next_loop() -> None:
    hub = Hub({"/": SocketIOHandler})

    async def life() -> bool:
        start_clock(hub)
        serves = not hub.draining
        await operations.drain(library.Server(Application(routes(hub))), hub, 0, may_return=False)
        assert hub.draining
        return serves

    assert [asyncio.run(life()), asyncio.run(life())] == [True, True]


TWO = """
import asyncio, sys
from tornado.web import Application
from tornado_socketio import Hub, SocketIOHandler, routes
from tornado_socketio.operations import serve

async def one(name):
    hub = Hub({"/": SocketIOHandler})
    await serve(Application(routes(hub)), hub, port=0, address="127.0.0.1", certfile=name)
    print("ended", name, flush=True)

async def main():
    await asyncio.gather(*map(one, sys.argv[1:]))

asyncio.run(main())
"""


@JOURNEY
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_reaches_all_servers_of_a_process(tmp_path: Path, number: signal.Signals) -> None:
    names = ["first.pem", "second.pem"]
    for name in names:
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / name)
    process = own(tmp_path, TWO, *names)
    await asyncio.to_thread(process.start)
    running = process._process
    await process.logged(rf"Listening on port (?!{process.port}\.)")
    (tmp_path / "first.pem").rename(tmp_path / "second.pem")
    process.send_signal(signal.SIGHUP)
    await process.logged("not renewed.*certfile=first.pem")
    process.send_signal(number)
    assert await asyncio.to_thread(running.wait, PATIENCE) == 0
    await asyncio.to_thread(process.stop)
    assert sorted(line for line in process.lines if "ended" in line) == [f"ended {name}" for name in names]


@JOURNEY
async def test_nobody_listens_where_the_lifespan_could_not_be_entered() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    hub = Hub({"/": SocketIOHandler})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="no database") as raised:
        await serve(Application(routes(hub)), hub, port=port, address="127.0.0.1", lifespan=lifespan())
    assert not await listens(port)
    assert raised.tb is not None, "as in a main() that keeps the error, the frames of serve are still there"


@JOURNEY
async def test_handlers_and_background_tasks_have_the_settings_before_the_first_request(capsys: Any) -> None:
    hub = Hub({"/": SocketIOHandler})
    async with serving(Application(routes(hub), color="blue"), hub, capsys):
        assert hub.settings["color"] == "blue"


@JOURNEY
async def test_None_is_no_file(capsys: Any) -> None:
    hub = Hub({"/": SocketIOHandler})
    async with serving(Application(routes(hub)), hub, capsys, state=None, certfile=None, keyfile=None) as clients:
        await join(await clients.websocket())


@JOURNEY
async def test_a_hub_that_serves_event_streams_only_needs_no_other_routes(capsys: Any) -> None:
    hub = Hub({"/": SocketIOHandler})
    async with serving(Application(event_stream(hub)), hub, capsys):
        pass


# -- what its author got wrong

HUB = Hub({"/": SocketIOHandler})
APP = Application(routes(HUB))

BODY = "max_body_size must be a whole number of 1 or more, got"
PORT = "port must be a whole number from 0 to 65535, got"
WITHOUT_ROUTES = {"hub": (bare := Hub({"/": SocketIOHandler})), "app": Application([*admin(bare)])}
DRAIN = "drain must be a number of seconds, 0 or more, got"

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"port": "3000"}, f"{PORT} '3000': write port=3000"),
    ({"port": "http"}, f"{PORT} 'http'"),
    ({"port": "3000.0"}, f"{PORT} '3000.0'"),
    ({"port": 3000.0}, f"{PORT} 3000.0"),
    ({"port": True}, f"{PORT} True"),
    ({"port": None}, f"{PORT} None"),
    ({"port": 70000}, f"{PORT} 70000"),
    ({"port": -1}, f"{PORT} -1"),
    ({"drain": -1}, f"{DRAIN} -1"),
    ({"drain": float("inf")}, f"{DRAIN} inf"),
    ({"drain": float("nan")}, f"{DRAIN} nan"),
    ({"drain": "10"}, f"{DRAIN} '10': write drain=10"),
    ({"drain": "2.5"}, f"{DRAIN} '2.5': write drain=2.5"),
    ({"drain": None}, f"{DRAIN} None"),
    ({"address": 7}, "address must be a text, got 7: write address='7'"),
    ({"state": True}, "state must be a text, got True: write state='True'"),
    ({"certfile": 1.5}, "certfile must be a text, got 1.5: write certfile='1.5'"),
    ({"trust_proxy": "yes"}, "trust_proxy must be True or False, got 'yes'"),
    ({"max_body_size": 0}, f"{BODY} 0"),
    ({"max_body_size": "1000"}, f"{BODY} '1000': write max_body_size=1000"),
    ({"app": SocketIOHandler}, "serve needs an Application, got <class '"),
    ({"app": routes(HUB)}, "serve needs an Application, got <handlers.socketio.routes.Rules"),
    ({"app": HUB, "hub": APP}, "serve needs an Application, got <handlers.socketio.hub.Hub"),
    ({"hub": {"/": 1}}, "serve needs the application's Hub, got {'/': 1}: write serve(app, hub, port=3000)"),
    ({"lifespan": asynccontextmanager(str)}, "lifespan must be an asynchronous context manager, got <function "),  # type: ignore[arg-type, type-var]
    (WITHOUT_ROUTES, "no rules lead to the hub: "),
    ({"hub": Hub({"/": SocketIOHandler})}, "no rules lead to the hub: write Application([…, *routes(hub)])"),
    ({"drian": 10}, "serve has no option 'drian': did you mean 'drain'?"),
    ({"zzz": 1}, "serve has no option 'zzz': it has port, address, drain, "),
    ({"origins": ["*"]}, "serve has no option 'origins': write routes(hub, origins=…)"),
    ({"xheaders": True}, "serve has no option 'xheaders': write trust_proxy=True"),
]  # fmt: skip


@JOURNEY
@pytest.mark.parametrize(("wrong", "said"), WRONG)
async def test_it_says_in_one_line_what_to_write_instead(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}") as raised:
        await serve(**{"app": APP, "hub": HUB, "port": 0, **wrong})
    assert "\n" not in str(raised.value)


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"state": "/nonexistent/state"}, "state=/nonexistent/state: there is no folder /nonexistent: create it"),
    ({"state": Path("/")}, "state must be a file, got the folder /"),
    ({"keyfile": "key.pem"}, "keyfile=key.pem needs a certificate: give certfile, too"),
    ({"certfile": Path("/nonexistent")}, "certfile=/nonexistent: No such file or directory"),
]


@JOURNEY
@pytest.mark.parametrize(("unusable", "said"), UNUSABLE)
async def test_it_ends_the_process_with_one_line(unusable: dict[str, Any], said: str) -> None:
    with pytest.raises(SystemExit, match=rf"^\S+: {re.escape(said)}"):
        await serve(APP, HUB, port=0, **unusable)


@JOURNEY
async def test_it_ends_the_process_with_one_line_about_recovery_that_is_off(tmp_path: Path) -> None:
    hub = Hub({"/": SocketIOHandler}, recovery=0)
    with pytest.raises(SystemExit, match=r"needs recovery: leave out state, or give the hub a recovery"):
        await serve(Application(routes(hub)), hub, port=0, state=tmp_path / "state")


def test_a_port_that_cannot_be_opened_ends_the_process_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        said = complaint(own(tmp_path, LONG, json.dumps({"port": port, "address": "127.0.0.1"})))
        assert said == f"main.py: port {port} is in use: stop the other server, or choose another port"
    said = complaint(own(tmp_path, LONG, json.dumps({"address": "192.0.2.1"})))
    assert said.startswith("main.py: port 0 cannot be opened: ")
    assert said.endswith(": check the address")


@JOURNEY
@pytest.mark.parametrize("address", ["999.1.1.1", "127..0.1", ".", "x" * 64, "http://[::1]", "\0"])
async def test_an_address_that_cannot_be_opened_ends_the_process_with_one_line(address: str) -> None:
    with pytest.raises(SystemExit, match=r"^\S+: port 0 cannot be opened: .*: check the address$"):
        await serve(APP, HUB, port=0, address=address)


def complaint(process: Process) -> str:
    """Return the one line of a server that cannot start."""
    run = subprocess.run(
        process.command,
        cwd=process.cwd,
        env={**os.environ, **process.env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    return line


def test_a_thread_that_gets_no_signals_is_told_so() -> None:
    said = []

    def run() -> None:
        with pytest.raises(RuntimeError) as raised:
            asyncio.run(serve(APP, HUB, port=0, address="127.0.0.1"))
        said.append(str(raised.value))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert said == ["only the main thread gets signals: call asyncio.run(main()) there"]


# -- the pages for administrators, alone


class PagesAlone(AsyncHTTPTestCase):
    """`admin(hub)` in an application that knows nothing of it."""

    def get_app(self) -> Application:
        return Application([*admin(Hub({"/": SocketIOHandler}))])

    def test_each_answers(self) -> None:
        for path in ("/healthz", "/metrics", "/status", "/status/status.css"):
            self.assertEqual(self.fetch(path).code, 200, path)
        self.assertIn(b"socketio_loop_lag_seconds_count", self.fetch("/metrics").body)

    @gen_test
    async def test_the_lag_is_sampled_from_the_first_look_on(self) -> None:
        clients = Server(self.get_http_port())
        while re.search(r"lag_seconds_count 0$", (await clients.request("GET", "/metrics")).text, re.MULTILINE):
            await asyncio.sleep(0)


class PagesOfAHub(AsyncHTTPTestCase):
    """`admin(hub)` under Tornado's own HTTP server."""

    def get_app(self) -> Application:
        self.hub = Hub({re.compile("/.*"): SocketIOHandler})
        return Application([*admin(self.hub, checks=[lambda: "the disk is full"]), *routes(self.hub)])

    @gen_test
    async def test_the_status_page_is_fed_although_an_expression_fits_its_namespace(self) -> None:
        clients = Server(self.get_http_port())
        client = await clients.websocket()
        await join(client, "/status")
        assert str(await client.next()).startswith('42/status,["history",')
        assert str(await client.next()).startswith('42/status,["now",')
        await clients.hang_up()

    def test_checks_are_shown(self) -> None:
        self.assertEqual(json.loads(self.fetch("/healthz").body)["trouble"], ["the disk is full"])


def check() -> None:
    """Find no problem."""


BAD: list[tuple[Callable[[Hub], Any], str]] = [
    (lambda hub: admin({"/": 1}), """admin needs a Hub, got {'/': 1}: write admin(Hub({"/": …}))"""),  # type: ignore[arg-type]
    (lambda hub: admin(hub, "::1"), "addresses must be a list of texts, got '::1': write ['::1']"),
    (lambda hub: admin(hub, [7]), "addresses must be texts, got 7: write '7'"),  # type: ignore[list-item]
    (lambda hub: admin(hub, ["here"]), "'here' does not appear to be an IPv4 or IPv6 network: write an address"),
    (lambda hub: admin(hub, checks=check), "checks must be a list of functions, got "),  # type: ignore[arg-type]
    (lambda hub: admin(hub, checks=[check()]), "checks must be functions, got None: write one that "),  # type: ignore[func-returns-value]
    (lambda hub: Application([admin(hub)]), "admin(hub) is a list of rules: write *admin(hub)"),
    (lambda hub: [admin(hub), admin(hub)], "the hub has a namespace '/status' already: "),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), BAD)
def test_admin_says_in_one_line_what_to_write_instead(call: Callable[[Hub], Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
        call(Hub({"/": SocketIOHandler}))


def test_a_namespace_is_declared_once_and_by_a_handler_class() -> None:
    hub = Hub({"/": SocketIOHandler})
    hub.declare("/more", SocketIOHandler)
    assert hub.of("/more").clients == []
    for name, handler, said in (
        ("/more", SocketIOHandler, "the hub has a namespace '/more' already"),
        ("more", SocketIOHandler, "must be a text that begins with /"),
        ("/other", object, "must be a subclass of SocketIOHandler"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            hub.declare(name, handler)  # type: ignore[arg-type]


# -- the parts


def test_the_code_and_the_names_of_the_page_are_there() -> None:
    page = run_page("docs/serving.md")
    assert page.drain is operations.drain
    rows = re.findall(r"^\| `.*", PAGE.read_text().partition("## In parts")[2], re.MULTILINE)
    named = re.findall(r"`(\w+)\(", "".join(rows))
    assert len(named) > 8
    assert [name for name in named if not hasattr(library, name) and not hasattr(operations, name)] == [
        "ready",
        "stopping",
    ]
