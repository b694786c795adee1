"""`adjudge top`: the figures of a page, a frame of them, and a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.cli.top.figures import Figures, figures_of
from adjudge.cli.top.frame import frame
from adjudge.cli.top.page import Page, read_page, since, together
from adjudge.texts import is_hidden

pytest.importorskip("starlette", reason="needs the extra `serve`")

from client.serving import served
from engine.engines import CLEAN, device, engine, face

BEFORE = """
adjudge_worker_info{version="1",worker="a-1"} 1
adjudge_http_requests_total{method="POST",route="/v1/decisions",status="200"} 100
"""
AFTER = """# HELP adjudge_http_requests_total Requests answered.
# TYPE adjudge_http_requests_total counter
adjudge_worker_info{version="1",worker="a-1"} 1.0
adjudge_http_requests_total{method="POST",route="/v1/decisions",status="200"} 1000.0
adjudge_http_requests_total{method="POST",route="/v1/decisions",status="503"} 100.0
adjudge_http_requests_total{method="GET",route="/v1/decisions/{decision_id}",status="200"} 20.0
adjudge_http_problems_total{code="overloaded",method="POST",route="/v1/decisions"} 100.0
adjudge_http_request_duration_seconds_bucket{le="0.01",method="POST",route="/v1/decisions"} 500.0
adjudge_http_request_duration_seconds_bucket{le="0.025",method="POST",route="/v1/decisions"} 980.0
adjudge_http_request_duration_seconds_bucket{le="0.05",method="POST",route="/v1/decisions"} 1000.0
adjudge_http_request_duration_seconds_bucket{le="+Inf",method="POST",route="/v1/decisions"} 1000.0
adjudge_http_under_way 12.0
adjudge_http_under_way_max 1000.0
adjudge_access_refused_total{code="unauthenticated",reason="none"} 4.0
adjudge_decisions_total{outcome="pass",policy="p",settled="true",status="fresh"} 800.0
adjudge_decisions_total{outcome="review",policy="p",settled="false",status="fresh"} 150.0
adjudge_decisions_total{outcome="reject",policy="p",settled="true",status="supersedes"} 50.0
adjudge_duplicates_total 10.0
adjudge_rollout_decisions_total{arm="champion",outcome="pass",rollout="autumn"} 760.0
adjudge_rollout_decisions_total{arm="champion",outcome="review",rollout="autumn"} 140.0
adjudge_rollout_decisions_total{arm="canary",outcome="pass",rollout="autumn"} 40.0
adjudge_rollout_decisions_total{arm="canary",outcome="review",rollout="autumn"} 10.0
adjudge_refused_total{code="merchant-biz-id-conflict"} 2.0
adjudge_audit_available 0.0
adjudge_index_lag_records 120.0
adjudge_cache_lookups_total{cache="memory",result="hit"} 30.0
adjudge_cache_lookups_total{cache="memory",result="miss"} 970.0
adjudge_provider_calls_total{provider="acme.face"} 1000.0
adjudge_provider_failures_total{provider="acme.face"} 25.0
adjudge_provider_breaker{provider="acme.face",state="closed"} 0.0
adjudge_provider_breaker{provider="acme.face",state="open"} 1.0
adjudge_provider_budget{budget="daily_spend",provider="acme.face"} 2000.0
adjudge_provider_budget_used{budget="daily_spend",provider="acme.face"} 1900.5
adjudge_provider_budget_used{budget="daily_calls",provider="acme.face"} 4751.0
adjudge_provider_spent_total{currency="SGD",provider="acme.face"} 1900.5
adjudge_signal_duration_seconds_bucket{le="0.5",policy="p",provider="acme.face",signal="face"} 950.0
adjudge_signal_duration_seconds_bucket{le="1.0",policy="p",provider="acme.face",signal="face"} 1000.0
adjudge_signal_duration_seconds_bucket{le="+Inf",policy="p",provider="acme.face",signal="face"} 1000.0
adjudge_signals_total{policy="p",provider="acme.face",reason_code="",signal="face",status="ok"} 975.0
adjudge_signals_total{policy="p",provider="acme.face",reason_code="TIMEOUT",signal="face",status="timeout"} 25.0
adjudge_signals_total{policy="p",provider="acme.face",reason_code="",signal="face",status="skipped"} 500.0
adjudge_reader_lag_records{reader="prometheus"} 0.0
adjudge_reader_lag_seconds{reader="prometheus"} 0.0
adjudge_reader_lag_records{reader="cases"} 5000.0
adjudge_reader_lag_seconds{reader="cases"} 400.0
"""


def shown(figures: Figures, width: int) -> str:
    return "".join(f"{'!' if odd else ' '} {text}\n" for text, odd in frame(figures, width, "12:30:05"))


@pytest.fixture
def figures() -> Figures:
    after = read_page(AFTER)
    trouble = ["no service answers at http://127.0.0.1:9"]
    return figures_of(since(read_page(BEFORE), after), after, 2.0, trouble=trouble)


@pytest.mark.parametrize("width", [100, 48])
def test_frame_is_as_recorded(figures: Figures, width: int, golden: Callable[[str, str], None]) -> None:
    text = shown(figures, width)
    golden(f"top/frame-{width}.txt", text)
    assert max(len(line) - 2 for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [1, 20, 37, 200])
def test_frame_fits_any_terminal(figures: Figures, width: int) -> None:
    assert all(len(text) <= max(width, 20) for text, _ in frame(figures, width, "12:30:05"))
    nothing = figures_of(Page({}), Page({}), 0.0)
    assert len(frame(nothing, width, "12:30:05")) < 8


def test_names_of_others_steer_no_terminal() -> None:
    hostile = r'a\nadjudge  FORGED\\"' + "\x1b[2J\x9b\u202e审核"
    page = read_page(f'adjudge_provider_calls_total{{provider="{hostile}"}} 5\n' + AFTER.replace("acme.face", hostile))
    lines = frame(figures_of(page, page, 1.0), 60, "12:30:05")
    assert not [
        text for text, _ in lines if any(is_hidden(char) for char in text) or text.startswith("adjudge  FORGED")
    ]


def test_workers_are_taken_together_and_a_new_start_is_no_burst() -> None:
    first, second = read_page(AFTER), read_page(AFTER.replace("a-1", "b-1").replace("available 0.0", "available 1.0"))
    both = together([first, second])
    found = figures_of(both, both, 1.0)
    assert (found.workers, found.under_way, found.audit_available) == (["a-1", "b-1"], 24, False)
    assert found.decided["pass"] == 1600
    [provider], [budget] = found.providers, [one for one in found.providers[0].budgets if one.limit]
    assert (provider.breaker, budget.used, budget.limit) == ("open", 1900.5, 2000)
    assert {one.reader: one.lag_s for one in found.readers} == {"cases": 400, "prometheus": 0}
    anew = since(first, read_page('adjudge_decisions_total{outcome="pass"} 3\nadjudge_duplicates_total 11\n'))
    assert (anew.total("adjudge_decisions_total"), anew.total("adjudge_duplicates_total")) == (3, 1)


names = st.from_regex(r"adjudge_[a-z_]{1,8}", fullmatch=True)
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029\x1c\x1d\x1e\x0b\x0c"), max_size=8
)


@given(st.dictionaries(names, st.dictionaries(texts, st.floats(-1e9, 1e9), min_size=1, max_size=3), max_size=3))
def test_page_is_read_as_it_was_written(values: dict[str, dict[str, float]]) -> None:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for name, samples in values.items():
        gauge = Gauge(name, "x", ["some"], registry=registry)
        for label, value in samples.items():
            gauge.labels(label).set(value)
    read = read_page(generate_latest(registry).decode()).samples
    assert read == {
        name: {(("some", label),): value for label, value in of.items()}
        for name, of in values.items()
        if not name.endswith("_created")
    }


def test_quantile_is_between_the_bounds_of_its_bucket() -> None:
    page = read_page(
        "".join(f'adjudge_x_bucket{{le="{le}"}} {n}\n' for le, n in (("1.0", 50), ("2.0", 90), ("+Inf", 100)))
    )
    assert [page.quantile(share, "adjudge_x") for share in (0.25, 0.5, 0.7, 0.99)] == [0.5, 1.0, 1.5, 2.0]
    assert read_page("adjudge_x 1\nadjudge_y{ 3\nrubbish\nadjudge_z NaN").samples == {"adjudge_x": {(): 1.0}}
    assert page.quantile(0.5, "adjudge_y") is None


@pytest.fixture
def service() -> Iterator[str]:
    """A service that is asked all the time."""
    begun, over = threading.Event(), threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
            n = 0
            while not over.wait(0.02):
                document = {"merchant_biz_id": f"{n:032x}", "scene_code": "s", "inputs": CLEAN}
                http.post("/v1/decisions", content=json.dumps(document), headers={"content-type": "application/json"})
                n += 1
                begun.set()

    with served(engine([face(), device()]), over_tcp=True) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        assert begun.wait(60)
        yield url
        over.set()
        asking.join(60)


def top(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adjudge", "top", *arguments]


def test_once_prints_a_frame_or_a_document(service: str) -> None:
    command = top("--service", service, "--once", "--interval", "1")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "") and "\x1b" not in ended.stdout
    assert re.search(r"^in all     pass [1-9]", ended.stdout, re.M)
    as_json = subprocess.run([*command, "--format", "json"], capture_output=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(as_json.stdout)
    assert found["decided"]["pass"] > 0 and found["seconds"] >= 1 and found["trouble"] == []
    assert [one["provider"] for one in found["providers"]] == ["acme.device", "acme.face"]


def test_once_of_a_service_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    ended = subprocess.run(
        top("--service", str(tmp_path / "none.sock"), "--once"), capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout) == (
        2,
        "",
    ) and "error[service-unavailable]: no service answers" in ended.stderr


def test_frames_in_a_real_terminal_lie_over_each_other_and_end_with_ctrl_c(service: str) -> None:
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
    command = top("--service", service, "--service", "http://127.0.0.1:9", "--interval", "0.2")
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    os.close(follower)
    said, until = b"", time.monotonic() + 120
    try:
        while said.count(b"\x1b[H") < 3:
            assert time.monotonic() < until, said
            if select.select([leader], [], [], 1)[0]:
                said += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None and time.monotonic() < until:  # read on: it may wait for room in the terminal
            if select.select([leader], [], [], 0.1)[0]:
                with suppress(OSError):  # of a terminal that nobody has open any more
                    os.read(leader, 65536)
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(leader)
    frames = said.decode().split("\x1b[H")[1:3]
    for one in frames:
        assert one.endswith("\x1b[J") and one.count("\x1b[J") == 1 and "\x1b[2J" not in one
        lines = one.removesuffix("\x1b[J").split("\x1b[K\r\n")[:-1]
        assert len(lines) <= 11, "a line is left for the cursor"
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
        assert all(len(line) <= 60 and line.isprintable() for line in plain)
        assert plain[0].startswith("adjudge  ")
        assert [line for line in lines if line.startswith("\x1b[1;31mno service answers")], "trouble is in red"
