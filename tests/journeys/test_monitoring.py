"""Alert rules and dashboard in deploy/, by promtool's judgement."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from conftest import ROOT, find_tool

from handlers.socketio import Hub, SocketIOHandler
from handlers.socketio.operations.lag import LoopLag
from handlers.socketio.operations.metrics import write_metrics

ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
CASES = ROOT / "tests" / "support" / "alerts_test.yml"


def promtool(*arguments: object) -> str:
    command = [find_tool("promtool"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def dashboard_queries() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def measured() -> set[str]:
    """Return the names of all series, also of a cluster's node."""
    written = write_metrics(Hub({"/": SocketIOHandler}), LoopLag())
    families = re.findall(r"^# TYPE (\w+) (\w+)$", written, re.MULTILINE)
    figures = [
        name
        for path in (ROOT / "handlers/socketio/cluster").glob("*.py")
        for name in re.findall(r'Figure\(\s*"(\w+)"', path.read_text())
    ]
    assert figures
    buckets = {f"{name}_bucket" for name, kind in families if kind == "histogram"}
    return {"up", *buckets, *(name for name, _ in families), *(f"socketio_cluster_{name}" for name in figures)}


def test_the_rules_are_valid_and_alert_at_trouble_alone(tmp_path: Path) -> None:
    assert f"SUCCESS: {ALERTS.read_text().count('- alert:')} rules" in promtool("check", "rules", ALERTS)
    for path in (ALERTS, CASES):
        shutil.copy(path, tmp_path)
    promtool("test", "rules", tmp_path / CASES.name)


def test_each_rule_has_a_case() -> None:
    rules = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    assert sorted(re.findall(r'alertname="(\w+)"', CASES.read_text())) == sorted(rules)


def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m").replace("$instance", ".*")}
        for number, query in enumerate(dashboard_queries())
    ]
    assert len(rules) > 20
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    assert f"SUCCESS: {len(rules)} rules" in promtool("check", "rules", path)


def test_each_metric_that_is_asked_for_exists() -> None:
    exprs = "\n".join(re.findall(r"expr: ((?:.|\n {10})*)", ALERTS.read_text()))
    known = measured()
    for text in (exprs, "\n".join(dashboard_queries())):
        asked = set(re.findall(r"\b(?:up|(?:socketio|process)_\w+)\b", text))
        assert len(asked) > 10
        assert asked <= known
