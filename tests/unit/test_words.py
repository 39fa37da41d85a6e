"""The text of the project keeps to plain words: CONTRIBUTING.md, "Plain words"."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = (
    ".py",
    ".js",
    ".mjs",
    ".c",
    ".h",
    ".md",
    ".html",
    ".css",
    ".conf",
    ".service",
    ".socket",
    ".toml",
    ".txt",
    "Makefile",
)
FORBIDDEN = re.compile(
    r"(?<![A-Za-z])([Ll]est|[Ww]hoever|anew|affairs?|[Pp]art(s|ed|ing)?[ _]with|(is|are) due|[Ff]or[ _]want[ _]of"
    r"|[Tt]akes?[ _]note)(?![A-Za-z])|\bBesides:|\bThe same,"
)
POINTS_AWAY = re.compile(r"\b(it|its|this|that|these|those|them|one|ones|none)\b", re.IGNORECASE)
"""A docstring of three words with one of these says nothing: "Send it."."""


def files() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.endswith(TEXTS) and ROOT / name != Path(__file__) and (ROOT / name).is_file():
            yield ROOT / name


def test_no_text_has_a_forbidden_word() -> None:
    found = []
    for path in files():
        text = re.sub(r"\n[ \t]*(#|//|\*)?[ \t]*", " ", path.read_text())
        found += [f"{path.relative_to(ROOT)}: {text[m.start() - 30 : m.end() + 30]}" for m in FORBIDDEN.finditer(text)]
    assert found == []


def first_lines(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield (ast.get_docstring(node) or "").partition("\n")[0]


def test_a_docstring_says_what_in_at_most_twelve_words() -> None:
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        for line in first_lines(path) if name.endswith(".py") else ():
            words = line.split()
            if len(words) > 12 or (len(words) <= 3 and POINTS_AWAY.search(line)):
                found.append(f"{name}: {line}")
    assert found == []
