"""The dashboard and the alerts in `deploy/`: every metric, label and value that they ask for is there to be had.

What they ask for is held against the page of a running service after traffic of every kind.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx
import pytest
import yaml

from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.metrics.metrics import Metrics
from adjudge.model import Arm
from adjudge.plugin import Limits
from adjudge.service.admission import Admission
from adjudge.signals.admission import Guards
from client.serving import served
from docs.pages import ROOT
from engine.engines import device, engine, face
from plugins.test_metrics import record_of
from service.exposition import Figures, once, total
from service.test_service import DOCUMENT, post

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "adjudge.json").read_text("utf-8"))
RULES_FILE = ROOT / "deploy" / "prometheus" / "alerts.yaml"
RULES: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text("utf-8"))["groups"][0]["rules"]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
TARGETS = [(panel["title"], one) for panel in DASHBOARD["panels"] for one in panel.get("targets", [])]
QUERIES = [
    *((rule.get("alert", rule.get("record")), rule["expr"]) for rule in RULES),
    *((title, one["expr"]) for title, one in TARGETS),
]
OF_PROMETHEUS = {"up"}
SCRAPED = {"instance", "job"}
"""Labels that whoever scrapes adds."""

_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"}


class Selector(NamedTuple):
    name: str
    matchers: tuple[tuple[str, str, str], ...]


def selectors(expression: str) -> Iterator[Selector]:
    """Yield the metrics that an expression reads, with what it wants of their labels."""
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", expression)
    text = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", text)
    at = 0
    while found := _WORD.search(text, at):
        at = found.end()
        rest = text[at:].lstrip()
        if rest.startswith("(") or found.group() in _KEYWORDS:
            continue
        inside = re.match(r"\{([^}]*)\}", rest)
        if inside:
            at = text.index("}", at) + 1
        yield Selector(found.group(), tuple(_MATCHER.findall(inside.group(1)) if inside else ()))


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression groups or joins by."""
    lists = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    return {label for one in lists for label in re.findall(r"\w+", one)}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """The page of a service that had good requests, bad ones, too many, conflicts, and providers in trouble."""
    down = SignalFailed("down", kind="unavailable", reason_code="HTTP_503", billed=False)
    again = SignalFailed("no face", reason_code="NO_FACE", capture_again="Again, please.")
    limits = {"acme.face": Limits(daily_calls=10, daily_spend=Decimal(1))}
    providers = [face({"score": 0.1}, again, down), device()]
    at = tmp_path_factory.mktemp("log")
    counted = Metrics()
    counted.take([record_of(None, arm=Arm(rollout="new", number=1, name="canary"))])
    door = engine(providers, at=at, limits=limits, guards=Guards(), readers={"mine": counted})
    with (
        patch.object(Engine, "fresh_until", lambda _: {"risk": datetime(2026, 5, 1, tzinfo=UTC)}),
        served(door, over_tcp=True, admission=Admission(held_max_bytes=1000)) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        for n in (1, 2, 3, 3):
            assert post(http, {**DOCUMENT, "merchant_biz_id": f"{n:032x}"}).is_success
        assert post(http, {**DOCUMENT, "merchant_biz_id": f"{1:032x}", "inputs": {}}).status_code == 409
        assert post(http, {**DOCUMENT, "policy": "x" * 2000}).status_code == 503
        assert post(http, headers={"host": "evil.example"}).status_code == 421
        return once(http, lambda found: total(found, "adjudge_decisions_total") >= 4)


def test_expressions_are_taken_apart() -> None:
    found = selectors('sum by (le, a) (rate(x_bucket{i=~"$i", s!="no"}[5m])) / on (a) group_left y offset 1d > 0.5')
    assert [*found] == [("x_bucket", (("i", "=~", "$i"), ("s", "!=", "no"))), ("y", ())]
    assert grouped("sum by (a, b) (x) / on (c) y") == {"a", "b", "c"}
    assert [one.name for one in selectors("adjudge:a:b > 1 and up == 0")] == ["adjudge:a:b", "up"]


@pytest.mark.parametrize(("name", "expression"), QUERIES, ids=[name for name, _ in QUERIES])
def test_what_is_asked_for_is_there(name: str, expression: str, figures: Figures) -> None:
    series: dict[str, list[dict[str, str]]] = {}
    for metric, labels in figures:
        series.setdefault(metric, []).append(dict(labels))
    known = set(SCRAPED)
    asked = [*selectors(expression)]
    assert asked, "it reads something"
    for metric, matchers in asked:
        if metric in RECORDED:
            known |= grouped(RECORDED[metric])
            continue
        if metric in OF_PROMETHEUS:
            continue
        assert metric in series, f"{name}: there is no {metric}"
        labels = {label for one in series[metric] for label in one}
        known |= labels
        for label, how, wanted in matchers:
            assert label in labels | SCRAPED, f"{name}: {metric} has no {label}"
            values = {one.get(label, "") for one in series[metric]}
            if label not in SCRAPED and how == "=":
                assert wanted in values, f'{name}: no {metric} has {label}="{wanted}"'
            elif label not in SCRAPED and how == "=~":
                assert any(re.fullmatch(wanted, value) for value in values), (
                    f"{name}: no {label} of {metric} is {wanted}"
                )
    assert grouped(expression) <= known, name


def test_signals_are_told_unknown_by_statuses_that_there_are() -> None:
    from adjudge.model import SignalStatus

    wanted = {m for _, text in QUERIES for one in selectors(text) for m in one.matchers if m[0] == "status"}
    of_signals = {value for _, _, said in wanted for value in said.split("|") if "." not in said}
    assert of_signals <= {one.value for one in SignalStatus}


def test_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert all(one["datasource"]["uid"] == "${datasource}" for _, one in TARGETS)
    for title, one in TARGETS:
        named = set(re.findall(r"\{\{(\w+)\}\}", one["legendFormat"]))
        assert named <= grouped(one["expr"]), f"{title}: its legend names what the query drops"
        assert 'instance=~"$instance"' in one["expr"], title


def test_alerts_say_what_is_wrong_by_labels_that_they_have() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    for rule in ALERTS:
        said = rule["annotations"]["summary"]
        whole = " ".join(
            [rule["expr"], *(RECORDED[one.name] for one in selectors(rule["expr"]) if one.name in RECORDED)]
        )
        labels = grouped(whole) | (SCRAPED if "up{" in whole else set())
        assert set(re.findall(r"\$labels\.(\w+)", said)) <= labels, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert f"| `{rule['alert']}` |" in page, f"{rule['alert']}: nobody says what to do"
    assert {*re.findall(r"^\| `(Adjudge\w+)` \|", page, re.M)} == {rule["alert"] for rule in ALERTS}


def test_rules_hold_in_prometheus(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, `apt-get install prometheus`: the rules are not tried in Prometheus itself")
    for path in (RULES_FILE, Path(__file__).parent / "alerts_test.yaml"):
        shutil.copy(path, tmp_path)
    for what in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        ended = subprocess.run([promtool, *what], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stdout + ended.stderr
