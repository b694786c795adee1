"""A file of keys says what it says, or is refused whole and no word of it repeated where it may be a secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adjudge.config.scopes import SCOPES
from adjudge.errors import PolicyErrors, SetupError
from adjudge.service.access import key_file
from adjudge.service.access.key_file import change_keys, read_keys
from adjudge.service.access.keys import Key, key_id_of, new_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {"id": "0" * 16, "name": "flow", "scopes": ["read"], "sha256": "a" * 64, "made": "2026-01-01T00:00:00Z"}


def test_keys_are_read_as_they_were_written(tmp_path: Path) -> None:
    keys = [
        new_key("1e5", SCOPES)[0],
        new_key("no", ["read"], expires=NOW, rate=7)[0],
        Key(id="1" * 16, name="012", scopes=frozenset(["read"]), sha256="1" * 64, made=NOW, revoked=NOW),
    ]
    change_keys(tmp_path / "k", lambda _: {key.id: key for key in keys})
    assert list(read_keys(tmp_path / "k").values()) == keys
    change_keys(tmp_path / "k", lambda _: {})
    assert read_keys(tmp_path / "k") == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": 0}, "schema-value"),
        ({"id": "X" * 16}, "schema-value"),
        ({"id": None}, "schema-empty"),
        ({"name": "engine"}, "schema-value"),
        ({"name": "token:x"}, "schema-value"),
        ({"sha256": "a" * 63}, "schema-value"),
        ({"sha256": "A" * 64}, "schema-value"),
        ({"scopes": []}, "schema-empty"),
        ({"scopes": "read"}, "schema-type"),
        ({"scopes": ["red"]}, "schema-value"),
        ({"made": "yesterday"}, "schema-value"),
        ({"expires": "2026-01-01"}, "schema-value"),
        ({"rate": 0}, "schema-range"),
        ({"rate": "1"}, "schema-type"),
        ({"expire": "2026-01-01T00:00:00Z"}, "schema-unknown-key"),
    ],
)
def test_mistake_in_a_file_of_keys_is_told(tmp_path: Path, change: dict[str, object], code: str) -> None:
    (tmp_path / "k").write_text(json.dumps({"keys": [{**GOOD, **change}]}), "utf-8")
    with pytest.raises(PolicyErrors) as found:
        read_keys(tmp_path / "k")
    assert {error.code for error in found.value.errors} == {code}


@pytest.mark.parametrize("what", ["id", "name", "sha256", "made", "adj", "scopes"])
def test_key_that_was_put_where_its_digest_belongs_is_in_no_message(tmp_path: Path, what: str) -> None:
    text = new_key("flow", ["read"])[1]
    (tmp_path / "k").write_text(json.dumps({"keys": [{**GOOD, what: text}]}), "utf-8")
    with pytest.raises(PolicyErrors) as found:
        read_keys(tmp_path / "k")
    assert text[4:30] not in found.value.render() + str(found.value), "nor in the line that is shown"


def test_two_keys_of_one_id_and_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k").write_text(json.dumps({"keys": [GOOD, GOOD]}), "utf-8")
    with pytest.raises(PolicyErrors) as found:
        read_keys(tmp_path / "k")
    assert "two keys of the id" in str(found.value)
    monkeypatch.setattr(key_file, "KEYS_MAX", 1)
    with pytest.raises(PolicyErrors) as found:
        read_keys(tmp_path / "k")
    assert "more than 1 keys" in str(found.value)
    keys = {key.id: key for key, _ in (new_key("a", ["read"]), new_key("b", ["read"]))}
    with pytest.raises(SetupError, match="which is all it may"):
        change_keys(tmp_path / "other", lambda _: keys)
    assert not (tmp_path / "other").exists()


def test_key_knows_when_it_is_over() -> None:
    key = new_key("flow", ["read"], expires=NOW)[0]
    assert [key.state(NOW - timedelta(seconds=1)), key.state(NOW)] == ["valid", "expired"]


def test_every_single_change_of_a_key_is_seen_without_asking_anybody() -> None:
    """CRC-32 finds every change of one character, and every cut."""
    text = new_key("flow", ["read"])[1]
    assert key_id_of(text) == text[4:20]
    changed = [text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :] for at in range(len(text))]
    cut = [text[:at] for at in range(len(text))] + [text[at:] for at in range(1, len(text))]
    longer = [text + more for more in ("0", " ", "\n", "\0", "=", text)] + [text.upper(), f" {text}"]
    assert {key_id_of(one) for one in [*changed, *cut, *longer]} == {None}
