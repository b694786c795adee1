"""The `providers:` of a configuration: read strictly, held against what is installed, and applied."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from adjudge.config.file import assemble, read_config
from adjudge.errors import PolicyErrors
from adjudge.plugin import Limits

POLICY = (
    "{policy_language: 1, policy: p, signals: {d: {provider: aliyun.deepfake}}, thresholds: {d.result: {high: reject}}}"
)
HOST = "https://cloudauth-intl.ap-southeast-1.aliyuncs.com"
ALL = """
policies: [p.yaml]
providers:
  aliyun.deepfake:
    rate: 20
    in_flight: 7
    daily_calls: 5000
    daily_spend: 2000
    price: 0.35
    attempts: 2
    attempt_timeout: 1500ms
    breaker: {failures: 9, pause: 1m}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(POLICY)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "adjudge.yaml"
    path.write_text(text)
    return path


def test_limits_every_key_reaches_the_guard(folder: Path) -> None:
    engine = assemble(read_config(write(folder, ALL)))

    guard = engine._served.accounts["aliyun.deepfake", HOST]
    assert guard.limits == Limits(
        rate=20.0,
        in_flight=7,
        daily_calls=5000,
        daily_spend=Decimal(2000),
        price=Decimal("0.35"),
        attempts=2,
        attempt_timeout_s=1.5,
        breaker_failures=9,
        breaker_pause_s=60.0,
    )
    assert guard.price == Decimal("0.35")


def test_limits_keep_what_the_provider_declares_where_they_say_nothing(folder: Path) -> None:
    engine = assemble(read_config(write(folder, "policies: [p.yaml]\nproviders: {aliyun.deepfake: {attempts: 1}}")))

    limits = engine._served.accounts["aliyun.deepfake", HOST].limits
    assert (limits.rate, limits.in_flight, limits.attempts, limits.breaker_failures) == (10, 64, 1, 5)


@pytest.mark.parametrize(
    ("said", "code", "at", "hint"),
    [
        ("aliyun.deepfaek: {rate: 1}", "name-provider", "aliyun.deepfaek", "did you mean `aliyun.deepfake`?"),
        ("aliyun.deepfake: {rat: 1}", "schema-unknown-key", "rat", "did you mean `rate`?"),
        ("aliyun.deepfake: {rate: 0}", "schema-range", "0}", None),
        ("aliyun.deepfake: {rate: -1}", "schema-range", "-1", None),
        ("aliyun.deepfake: {rate: fast}", "schema-range", "fast", None),
        ("aliyun.deepfake: {daily_spend: 1e3}", "schema-range", "1e3", None),
        ("aliyun.deepfake: {price: 0}", "schema-range", "0}", None),
        ("aliyun.deepfake: {attempts: 11}", "schema-range", "11", None),
        ("aliyun.deepfake: {in_flight: 0}", "schema-range", "0}", None),
        ("aliyun.deepfake: {daily_calls: many}", "schema-type", "many", None),
        ("aliyun.deepfake: {attempt_timeout: 3}", "schema-type", "3}", "add the unit: 3s or 3ms"),
        ("aliyun.deepfake: {breaker: {after: 3}}", "schema-unknown-key", "after", None),
        ("aliyun.deepfake: {breaker: 5}", "schema-type", "5}", None),
    ],
)
def test_limits_that_are_wrong_are_blamed_at_their_place(
    folder: Path, said: str, code: str, at: str, hint: str | None
) -> None:
    path = write(folder, f"policies: [p.yaml]\nproviders:\n  {said}\n")

    with pytest.raises(PolicyErrors) as caught:
        assemble(read_config(path))

    (error,) = caught.value.errors
    assert (error.code, error.line, error.column) == (code, 3, said.index(at) + 3)
    if hint is not None:
        assert error.hint == hint
