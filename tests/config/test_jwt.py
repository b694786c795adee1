"""Whose tokens are taken is said in full, or the configuration is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adjudge.config.file import read_config
from adjudge.config.jwt import JwtSettings
from adjudge.errors import PolicyErrors

GOOD: dict[str, Any] = {
    "issuer": "https://id.example",
    "audience": "adjudge",
    "algorithms": ["ES256"],
    "jwks": {"file": "jwks.json"},
    "roles": {"analyst": ["read"]},
}


def read(folder: Path, said: object) -> JwtSettings | None:
    (folder / "adjudge.yaml").write_text(json.dumps({"policies": ["p"], "service": {"jwt": said}}))
    return read_config(folder / "adjudge.yaml").service.jwt


def test_what_is_left_out_is_usual_and_paths_are_whole(tmp_path: Path) -> None:
    said = read(tmp_path, GOOD)
    assert said is not None
    assert (said.keys, said.role_claim, said.clock_skew_s, said.longest_s) == (
        tmp_path / "jwks.json",
        ("roles",),
        30.0,
        86_400.0,
    )
    assert read(tmp_path, {**GOOD, "role_claim": "scope"}) is not None
    for url in ("https://id.example/a?b=c", "http://127.0.0.1:1/k", "http://localhost/k", "http://[::1]/k"):
        found = read(tmp_path, {**GOOD, "jwks": {"url": url}})
        assert found is not None and found.keys == url


@pytest.mark.parametrize("name", GOOD)
def test_what_is_needed_is_asked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyErrors) as found:
        read(tmp_path, {key: value for key, value in GOOD.items() if key != name})
    assert [error.code for error in found.value.errors] == ["schema-missing"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"algorithms": []}, "schema-empty"),
        ({"algorithms": ["none"]}, "schema-value"),
        ({"algorithms": ["HS256"]}, "schema-value"),
        ({"algorithms": ["es256"]}, "schema-value"),
        ({"algorithms": "ES256"}, "schema-type"),
        ({"issuer": ""}, "schema-empty"),
        ({"audience": ["a"]}, "schema-type"),
        ({"jwks": {}}, "schema-value"),
        ({"jwks": {"file": "a", "url": "https://a"}}, "schema-value"),
        ({"jwks": {"keys": []}}, "schema-unknown-key"),
        ({"jwks": {"url": "http://id.example/k"}}, "schema-value"),
        ({"jwks": {"url": "http://localhost.evil.example/k"}}, "schema-value"),
        ({"jwks": {"url": "https://user:CANARY@id.example/k"}}, "schema-value"),
        ({"jwks": {"url": "https://169.254.169.254/k"}}, "schema-value"),
        ({"jwks": {"url": "https://metadata.google.internal/k"}}, "schema-value"),
        ({"jwks": {"url": "file:///etc/passwd"}}, "schema-value"),
        ({"jwks": {"url": "https://"}}, "schema-value"),
        ({"jwks": {"url": "https://a:99999/"}}, "schema-value"),
        ({"jwks": {"url": "https://a/#b"}}, "schema-value"),
        ({"jwks": {"url": "https://a b/"}}, "schema-value"),
        ({"roles": ["analyst"]}, "schema-type"),
        ({"roles": {"analyst": "read"}}, "schema-type"),
        ({"roles": {"analyst": ["root"]}}, "schema-value"),
        ({"role_claim": 5}, "schema-type"),
        ({"clock_skew": "10m"}, "schema-range"),
        ({"longest": "32d"}, "schema-range"),
        ({"keys": "x"}, "schema-unknown-key"),
    ],
)
def test_mistake_is_told(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    with pytest.raises(PolicyErrors) as found:
        read(tmp_path, {**GOOD, **change})
    assert code in {error.code for error in found.value.errors}
    assert "CANARY" not in str(found.value)
