"""What the journeys share: servers, Node.js and Chromium.

Servers run in processes of their own or in the test's own loop.

Nothing here is skipped if a tool is missing: a test that cannot run fails, and says that `make test` installs what it
needs.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application

from handlers.socketio.engineio import http_server

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Playwright
    from redis_server import RedisServer

# Of Tornado's own test cases; those of pytest-tornado have theirs in pyproject.toml.
os.environ.setdefault("ASYNC_TEST_TIMEOUT", "240")

# For `make test-fast`, and for other Pythons, where not every input is tried again.
settings.register_profile("few", max_examples=10)

ROOT = Path(__file__).parents[1]
JS = ROOT / "tests" / "js"
PATIENCE = 60
"""Seconds until what should have happened long ago counts as never; nothing waits that long unless it fails."""
CHROMIUM = {
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP *.example.com 127.0.0.1",
        "--disable-smooth-scrolling",  # a key or a turn of the wheel is lost where the page moved what still scrolls
    ]
}


class Server:
    """A server in a process of its own.

    `{port}` in its command is replaced; it prints the port it listens on.
    """

    def __init__(self, *command: str | Path, cwd: Path = ROOT, **env: object) -> None:
        self.command = [str(part) for part in command]
        self.cwd = cwd
        self.env = {name: str(value) for name, value in env.items()}
        self.port = 0
        self.handed: list[int] = []
        """File descriptors that it inherits."""
        self.lines: list[str] = []
        """What it has printed and logged, over all its lives."""
        self._news = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Start, on the same port as the last time."""
        before = len(self.lines)
        self._process = subprocess.Popen(
            [part.format(port=self.port) for part in self.command],
            cwd=self.cwd,
            env={**os.environ, **self.env, "PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.handed,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=[self._process])
        self._reader.start()
        try:
            greeting = self._wait_for(r"^Listening on port \d+", before)
        except AssertionError:
            self.stop()
            raise
        self.port = int(re.findall(r"\d+", greeting)[0])

    def stop(self, kill: bool = False) -> None:
        """End it: politely, or as a crash does."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            self._reader.join()
            process.stdout.close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def logged(self, pattern: str) -> str:
        """Wait for a line to be printed or logged."""
        return await asyncio.to_thread(self._wait_for, pattern)

    def _wait_for(self, pattern: str, start: int = 0) -> str:
        def find() -> str | None:
            return next((line for line in self.lines[start:] if re.search(pattern, line)), None)

        with self._news:
            self._news.wait_for(lambda: find() or not self._reader.is_alive(), PATIENCE)
            line = find()
        assert line is not None, f"{self.command} did not say {pattern!r}:\n" + "\n".join(self.lines)
        return line

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def board(*options: str) -> Server:
    """The board, as `python server.py` starts it."""
    return Server(sys.executable, "server.py", "--address=127.0.0.1", "--port={port}", "--database=:memory:", *options)


def check_server(interval: int, timeout: int) -> Server:
    """The check application on this server; milliseconds."""
    return Server(
        sys.executable,
        JS.parent / "support" / "conformance_server.py",
        PING_INTERVAL=interval,
        PING_TIMEOUT=timeout,
        CONNECT_TIMEOUT=5000,
    )


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where servers keep their files that are not told where."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def io_loop() -> Iterator[IOLoop]:
    """The loop of a module's tests.

    pytest-tornado's own is set current in a way that Tornado deprecates.
    """
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    loop.run_sync(leave_nothing_running)
    asyncio.set_event_loop(None)
    loop.close()


async def leave_nothing_running() -> None:
    """Cancel the tasks that clients have left in the loop.

    `asyncio.run` does so at its end.
    """
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[Server], Server]]:
    """Starts a server, which ends with the module at the latest."""
    servers: list[Server] = []

    def start(server: Server) -> Server:
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def peer(start) -> Server:
    """The check application on this server, with frequent heartbeats.

    A test can wait for them.
    """
    return start(check_server(1000, 20_000))


@pytest.fixture(scope="module")
def hasty_peer(start) -> Server:
    """The same with heartbeats that leave a client little time."""
    return start(check_server(300, 200))


@pytest.fixture(scope="module")
def nodes_peer(start, node) -> Server:
    """The check application on Node's own server.

    It serves the checks, and a page for them.
    """
    return start(Server(node, JS / "peer.mjs", PING_INTERVAL=1000))


@pytest.fixture
def serve(io_loop: IOLoop) -> Iterator[Callable[[Application], str]]:
    """Serves an application in the test's own loop, and returns its address."""
    servers: list[tuple[http_server.Server, Application]] = []

    def serve(application: Application) -> str:
        (socket,) = bind_sockets(0, "127.0.0.1")
        server = http_server.Server(application)
        server.add_socket(socket)
        servers.append((server, application))
        return f"http://127.0.0.1:{socket.getsockname()[1]}"

    yield serve
    for server, application in servers:
        server.stop()
        application.settings["hub"].close()
        io_loop.run_sync(server.close_all_connections)


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js; what the scripts import is there too."""
    path = shutil.which("node")
    if path is None:
        pytest.fail("Node.js is missing: `make test` installs it")
    if not (JS / "node_modules" / "socket.io-client").is_dir():
        pytest.fail("tests/js/node_modules is missing: `make test` installs it")
    return path


def find_tool(name: str) -> str:
    """Return the path of a program.

    It is the machine's, or unpacked into the venv by tests/support/install-tools.
    """
    unpacked = Path(sys.prefix) / "debian" / "usr"
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:{unpacked / 'bin'}:{unpacked / 'sbin'}")
    if path is None:
        pytest.fail(f"{name} is missing: on Debian and Ubuntu `make test` installs it")
    return path


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that the tests of a file share."""
    from redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


def find_chromium(playwright: Playwright) -> str:
    """Return the path of a Chromium.

    The machine's, headless if there is one, else Playwright's own.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
    if not Path(path).exists():
        pytest.fail("Chromium is missing: `make test` installs it")
    return path


@pytest.fixture(scope="module")
def launch(io_loop: IOLoop) -> Iterator[Callable[[], Awaitable[Browser]]]:
    """Starts a browser; it ends with the module."""
    # Here, because the unit tests run on Pythons that have no Playwright, too.
    from playwright.async_api import async_playwright

    playwright = io_loop.run_sync(async_playwright().start)

    async def launch() -> Browser:
        return await playwright.chromium.launch(executable_path=find_chromium(playwright), **CHROMIUM)

    yield launch
    io_loop.run_sync(playwright.stop)


@pytest.fixture(scope="module")
def browser(io_loop: IOLoop, launch) -> Iterator[Browser]:
    browser = io_loop.run_sync(launch)
    yield browser
    io_loop.run_sync(browser.close)


@pytest.fixture
def visit(io_loop: IOLoop, browser: Browser) -> Iterator[Callable[..., Awaitable[Page]]]:
    """Opens an address in a tab.

    The tab belongs to the context given, or to a new one.

    ordinary: whether the test fails when the browser logs an error or a request fails.
    script: runs before the page's own.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def visit(url: str, context: BrowserContext | None = None, ordinary: bool = True, script: str = "") -> Page:
        if context is None:
            context = await browser.new_context()
            contexts.append(context)
        page = await context.new_page()
        if ordinary:
            watch(page, complaints.append)
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        return page

    yield visit
    so_far = list(complaints)

    async def close() -> None:
        for context in contexts:
            await context.close()

    io_loop.run_sync(close)
    assert so_far == []


async def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression is true in the page.

    Playwright's `wait_for_function` needs `eval`, which our pages forbid.
    """

    async def holds() -> None:
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)

    await asyncio.wait_for(holds(), PATIENCE)


def watch(page: Page, complain: Callable[[str], None]) -> None:
    """Complain of whatever a developer would see in red."""
    page.on("console", lambda said: said.type in ("error", "warning") and complain(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: complain(f"uncaught: {error}"))
    page.on("requestfailed", lambda request: complain(f"failed: {request.method} {request.url} {request.failure}"))
    page.on("response", lambda answer: answer.status >= 400 and complain(f"{answer.status}: {answer.url}"))
    page.on("crash", lambda _: complain("crashed"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which Pythons ran the server, and which did not and why."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    for name, value in sorted({said for report in reports for said in report.user_properties}):
        terminalreporter.line(f"{name}: {value}")
