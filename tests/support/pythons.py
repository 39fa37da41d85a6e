"""The Pythons and Tornados that the server promises to run on.

`python tests/support/pythons.py` gets them.

A Python of this machine is used: `python3.X` in the PATH, or pyenv's. Where the oldest or the newest one is not on
the machine, apt's packages of it are unpacked into the venv, of this release or of Debian's next. Nothing is
installed into the system.

Each Python that is found has an environment with the newest Tornado; the oldest Python has one with the oldest, too.
The oldest and the newest environment also have what the unit tests need.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = Path(sys.prefix) / "pythons"
MISSING = HOME / "missing.json"
"""Says why a Python is not run: {version: reason}."""
PROMISED = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
"""Oldest first."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LOADER = """#!/bin/sh
# This Python runs on the C library that it was built for, not on the machine's.
exec "{loader}" --argv0 "$0" --library-path "{libraries}" "{python}" "$@"
"""


class Apt:
    """apt with its own directories; on Debian it reads the next release.

    It takes no package for installed, so that it fetches a package with all that belongs to it.
    """

    def __init__(self, home: Path) -> None:
        self._archives = home / "archives"
        for directory in (home / "lists" / "partial", self._archives / "partial"):
            directory.mkdir(parents=True, exist_ok=True)
        options = {
            "Acquire::Languages": "none",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Dir::Cache": home,
            "Dir::Cache::archives": self._archives,
            "Dir::State": home,
            "Dir::State::lists": home / "lists",
            "Dir::State::status": "/dev/null",
        }
        archive = debian()
        if archive:
            (home / "sources.list").write_text(f"deb [signed-by={KEYRING}] {archive} testing main\n")
            options |= {"Dir::Etc::sourcelist": home / "sources.list", "Dir::Etc::sourceparts": "-"}
        self._options = [f"-o{name}={value}" for name, value in options.items()]
        self._run("apt-get", "-qq", "update")

    def offers(self, package: str) -> bool:
        """Whether there is such a package."""
        return package in self._run("apt-cache", "pkgnames", package).split()

    def unpack(self, package: str, into: Path) -> None:
        """Unpack a package, and all that it depends on."""
        self._run("apt-get", "-qq", "install", "--yes", "--download-only", package)
        into.mkdir(parents=True)
        for archive in self._archives.glob("*.deb"):
            subprocess.run(["dpkg", "-x", archive, into], check=True)
            archive.unlink()

    def _run(self, tool: str, *arguments: str) -> str:
        return subprocess.run([tool, *self._options, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


@cache
def apt() -> Apt:
    """Return apt, asked once for what there is."""
    return Apt(HOME / "apt")


def debian() -> str:
    """Return the address of this Debian's packages; "" on another system."""
    sources = subprocess.run(["apt-get", "update", "--print-uris"], check=True, stdout=subprocess.PIPE, text=True)
    archive = re.search(r"^'(\S+/debian/)dists/", sources.stdout, re.MULTILINE)
    return archive[1] if archive else ""


def find(version: str) -> Path | None:
    """Return a Python of this version, the machine's or unpacked."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [*map(Path, os.get_exec_path()), *pyenv.glob(f"{version}.*/bin"), unpacked(version) / "usr" / "bin"]
    return next((place / f"python{version}" for place in places if runs(place / f"python{version}", version)), None)


def runs(python: Path, version: str) -> bool:
    """Whether this Python has the version and the modules needed."""
    code = "import sqlite3, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return False
    return run.stdout == f"{version}\n"


def unpacked(version: str) -> Path:
    """Return the directory for a Python that apt has."""
    return HOME / "unpacked" / version


def fetch(version: str) -> Path | None:
    """Unpack a Python from apt's packages; return None where apt has none."""
    if not shutil.which("apt-get"):
        return None
    name, root = f"python{version}", unpacked(version)
    if not apt().offers(name):
        return None
    shutil.rmtree(root, ignore_errors=True)
    apt().unpack(name, root)
    (loader,) = root.glob("**/*-linux-gnu*/ld-linux*.so.*")
    libraries = ":".join(str(path) for path in root.glob(f"**/lib/{loader.parent.name}"))
    python = root / "usr" / "bin" / name
    binary = python.rename(python.with_name(f"{name}.elf"))
    python.write_text(LOADER.format(loader=loader, libraries=libraries, python=binary))
    python.chmod(0o755)
    assert runs(python, version), f"{python} does not run"
    return python


def tornado(which: str) -> str:
    """Return the requirement of the oldest or the newest supported Tornado.

    requirements.txt names them.
    """
    allowed = re.search(r"^tornado>=([\d.]+),\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert allowed, "requirements.txt says no oldest Tornado"
    return f"tornado=={allowed[1]}" if which == "oldest" else allowed[0]


def for_units() -> list[str]:
    """Return the requirements of the unit tests, as the requirements.txt have them."""
    lines = [line for folder in (ROOT, ROOT / "tests") for line in (folder / "requirements.txt").open()]
    found = {re.split("[<>=]", line)[0]: line.split()[0] for line in lines}
    return [found[name] for name in ("pytest", "pytest-tornado", "setuptools", "hypothesis")]


def make(python: Path, version: str, which: str, tools: Sequence[str] = ()) -> None:
    """Make the environment of a Python, if it is not there.

    It has a Tornado, and tools.
    """
    home, requirements = HOME / f"{version}-{which}", [tornado(which), *tools]
    note = home / "requirement"
    if note.exists() and note.read_text().split() == requirements and runs(home / "bin" / "python", version):
        return
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", "--without-pip", home], check=True)
    pip = [sys.executable, "-m", "pip", "--python", home, "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)
    note.write_text("\n".join(requirements))


def ends() -> tuple[str, str]:
    """Return the names of the oldest and the newest environment."""
    newest = max((name.partition("-")[0] for name in environments()), key=PROMISED.index, default=PROMISED[-1])
    return f"{PROMISED[0]}-oldest", f"{newest}-newest"


def environments() -> list[str]:
    """Return the names of the environments: "3.10-oldest", "3.10-newest" and so on."""
    return sorted(note.parent.name for note in HOME.glob("*/requirement"))


def look_for_all() -> dict[str, Path]:
    """Return the Pythons, oldest first.

    The oldest and the newest are fetched if the machine lacks them.
    """
    found = {version: find(version) for version in PROMISED}
    for version in reversed(PROMISED):
        found[version] = found[version] or fetch(version)
        if found[version]:
            break
    found[PROMISED[0]] = found[PROMISED[0]] or fetch(PROMISED[0])
    return {version: python for version, python in found.items() if python}


def why_not(version: str, newest: str) -> str:
    """Return why a Python is not run.

    newest: the newest one that is run.
    """
    between = PROMISED[0] != version and PROMISED.index(version) < PROMISED.index(newest)
    return "not on this machine" if between else "neither on this machine nor among apt's packages"


def main() -> None:
    """Make an environment for each available Python; list the others."""
    HOME.mkdir(exist_ok=True)
    found = look_for_all()
    oldest, newest = min(found, key=PROMISED.index), max(found, key=PROMISED.index)
    wanted = [(oldest, "oldest"), *((version, "newest") for version in found)]
    for name in environments():
        if tuple(name.split("-")) not in wanted:
            shutil.rmtree(HOME / name)
    for version, which in wanted:
        at_the_end = (version, which) in ((oldest, "oldest"), (newest, "newest"))
        make(found[version], version, which, for_units() if at_the_end else ())
    MISSING.write_text(json.dumps({version: why_not(version, newest) for version in PROMISED if version not in found}))


if __name__ == "__main__":
    main()
