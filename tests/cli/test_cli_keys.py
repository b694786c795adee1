"""Keys are made, listed and revoked: each is shown once, and its file holds digests alone."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from adjudge.service.access.key_file import read_keys
from adjudge.service.access.keys import digest_of, key_id_of
from cli.conftest import Run


def made(run: Run, *options: str, file: str = "keys.yaml") -> str:
    """Make a key and return it."""
    result = run("keys", "new", file, "--name", "flow", "--scope", "decide", *options)
    assert result.exit_code == 0, result.stderr
    text: str = result.stdout.strip()
    assert text not in result.stderr
    return text


def listed(run: Run) -> list[dict[str, Any]]:
    result = run("keys", "list", "keys.yaml", "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_key_is_shown_once_and_its_file_is_its_owners(run: Run, folder: Path) -> None:
    text = made(run, "--scope", "read", "--expires", "90d", "--rate", "50")
    file = folder / "keys.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (key,) = read_keys(file).values()
    assert (key.id, key.sha256) == (key_id_of(text), digest_of(text))
    secret = text.rpartition("_")[2]
    assert secret not in file.read_text() and secret[:16] not in file.read_text()
    (said,) = listed(run)
    assert (said["state"], said["name"], said["scopes"], said["rate"]) == ("valid", "flow", ["decide", "read"], 50)
    assert said["expires"] > said["made"] and key.expires is not None
    assert (key.expires - key.made).days in (89, 90)
    shown = run("keys", "list", "keys.yaml").stdout
    assert key.id in shown and "valid" in shown and "1 key" in shown
    assert digest_of(text) not in shown + json.dumps(said)


def test_keys_are_added_and_revoked_one_by_one(run: Run, folder: Path) -> None:
    first, second = made(run), made(run)
    assert first != second
    for _ in range(2):  # a second time changes nothing
        result = run("keys", "revoke", "keys.yaml", key_id_of(first))
        assert (result.exit_code, result.stdout) == (0, f"key {key_id_of(first)} is revoked\n")
    assert [key["state"] for key in listed(run)] == ["revoked", "valid"]


def test_file_that_is_there_keeps_its_mode_and_what_a_link_leads_to(run: Run, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "keys.yaml").symlink_to("real/keys.yaml")
    made(run)
    assert (folder / "keys.yaml").is_symlink()
    (folder / "real/keys.yaml").chmod(0o640)
    made(run)
    assert len(listed(run)) == 2
    assert stat.S_IMODE((folder / "real/keys.yaml").stat().st_mode) == 0o640


def test_keys_made_at_the_same_time_are_all_there(run: Run, folder: Path) -> None:
    from adjudge.service.access.key_file import change_keys
    from adjudge.service.access.keys import new_key

    def add() -> None:
        for _ in range(5):
            key, _ = new_key("flow", ["decide"])
            change_keys(folder / "keys.yaml", lambda keys, key=key: {**keys, key.id: key})  # type: ignore[misc]

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(read_keys(folder / "keys.yaml")) == 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "keys.yaml", "--name", "engine", "--scope", "decide"], "cannot be a name"),
        (["new", "keys.yaml", "--name", "a b", "--scope", "decide"], "cannot be a name"),
        (["new", "keys.yaml", "--name", "token:x", "--scope", "decide"], "cannot be a name"),
        (["new", "keys.yaml", "--name", "x" * 65, "--scope", "decide"], "cannot be a name"),
        (["new", "keys.yaml", "--name", "a", "--scope", "decide\n"], "is not one of"),
        (["new", "keys.yaml", "--name", "a", "--scope", "root"], "is not one of"),
        (["new", "keys.yaml", "--name", "a"], "Missing option '--scope'"),
        (["new", "keys.yaml", "--name", "a", "--scope", "read", "--expires", "0s"], "is no time of a second"),
        (["new", "keys.yaml", "--name", "a", "--scope", "read", "--expires", "soon"], "is no time of a second"),
        (["new", "keys.yaml", "--name", "a", "--scope", "read", "--expires", "99999d"], "is no time of a second"),
        (["new", "gone/keys.yaml", "--name", "a", "--scope", "read"], "no such file or directory"),
        (["new", ".", "--name", "a", "--scope", "read"], "is a directory"),
        (["list", "gone.yaml"], "does not exist"),
        (["revoke", "policy.yaml", "0" * 16], "error[schema-"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(run: Run, folder: Path, arguments: list[str], said: str) -> None:
    result = run("keys", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (folder / "keys.yaml").exists()


def test_unknown_key_is_not_revoked_nor_repeated(run: Run, folder: Path) -> None:
    text = made(run)
    result = run("keys", "revoke", "keys.yaml", text)
    assert result.exit_code == 2
    assert "there is no key of this id" in result.stderr and text not in result.output


def test_file_that_others_may_write_is_no_file_of_keys(run: Run, folder: Path) -> None:
    made(run)
    (folder / "keys.yaml").chmod(0o620)
    for arguments in (["list", "keys.yaml"], ["new", "keys.yaml", "--name", "a", "--scope", "read"]):
        result = run("keys", *arguments)
        assert result.exit_code == 2 and "others than its owner may write" in result.stderr
