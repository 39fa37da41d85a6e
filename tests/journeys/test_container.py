"""The server as process 1, as in a container.

For process 1 signals have no default action.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE, ROOT

STUCK = """
import asyncio, os, signal
from handlers.socketio.operations.shutdown import shutdown_event

async def main():
    told = shutdown_event()
    print(os.getpid(), flush=True)
    await told.wait()
    print("told", flush=True)
    await asyncio.sleep(3600)  # clients that take their time

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("as_first", [True, False], ids=["process 1", "any process"])
def test_a_second_signal_ends_the_process_at_once(number: signal.Signals, as_first: bool) -> None:
    inside = [sys.executable, "-c", STUCK]
    command = ["unshare", "--pid", "--fork", "--kill-child", *inside] if as_first else inside
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert (process.stdout.readline().strip() == "1") is as_first
        server = int(subprocess.check_output(["pgrep", "-P", str(process.pid)])) if as_first else process.pid
        signal_to(server, number)
        assert process.stdout.readline() == "told\n"
        began = time.monotonic()
        signal_to(server, number)
        process.wait(PATIENCE)
        assert time.monotonic() - began < PATIENCE
        assert process.returncode != 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def signal_to(pid: int, number: signal.Signals) -> None:
    subprocess.run(["kill", f"-{int(number)}", str(pid)], check=True)
