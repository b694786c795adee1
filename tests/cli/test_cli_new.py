from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WAYS = [
    ("shop", "--yes"),
    ("shop", "--provider", "none", "--yes"),
    ("shop", "--provider", "none", "--signal", "device", "--input", "country", "--input", "email", "--yes"),
    ("shop", "--yes", "--ci", "github"),
    ("shop", "--yes", "--ci", "gitlab"),
]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", WAYS)
def test_new_policy_is_checked_tested_and_in_house_form(run: Any, empty: Path, arguments: tuple[str, ...]) -> None:
    result = run("new", *arguments)
    assert result.exit_code == 0, result.stderr
    checked = run("check", "shop.yaml")
    assert checked.exit_code == 0, checked.stdout
    assert "3 of 3 tests passed" in run("test", "shop.yaml").stdout
    assert run("format", "--check", ".").exit_code == 0
    written = {path.relative_to(empty).as_posix() for path in empty.rglob("*") if path.is_file()}
    build = {"github": {".github/workflows/policies.yml"}, "gitlab": {".gitlab-ci.yml"}}.get(arguments[-1], set())
    assert written == {"shop.yaml", "shop_test.yaml"} | build


def test_new_asks_for_what_was_not_said(run: Any, empty: Path) -> None:
    result = run("new", input="asked\nnone\nphone\ncountry, phone_type\nnone\n")
    assert result.exit_code == 0, result.stdout
    text = (empty / "asked.yaml").read_text()
    assert "  phone:\n" in text and "  phone_type: string" in text
    assert run("check", "asked.yaml").exit_code == 0


def test_new_overwrites_nothing(run: Any, empty: Path) -> None:
    (empty / "shop_test.yaml").write_text("mine\n")
    result = run("new", "shop", "--yes")
    assert result.exit_code == 2
    assert "shop_test.yaml already exists" in result.stderr
    assert [path.name for path in empty.iterdir()] == ["shop_test.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no name",), "cannot be a policy's name"),
        (("shop", "--provider", "aliyun.deepfaek"), "did you mean `aliyun.deepfake`?"),
        (("shop", "--provider", "http.json"), "a policy must declare the fields of"),
        (("shop", "--signal", "my-signal"), "cannot be a name in conditions"),
        (("shop", "--input", "dup", "--input", "dup"), "`dup` is asked for twice"),
        (("shop", "--signal", "face", "--input", "face"), "`face` is asked for twice"),
        (("shop", "--input", "now"), "`now`"),
        (("shop", "--input", "true"), "`true`"),
    ],
)
def test_new_answer_that_is_none_is_told(run: Any, empty: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run("new", *arguments, "--yes")
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(empty.iterdir()) == []


def test_schema_is_json_with_the_installed_providers(run: Any, empty: Path) -> None:
    assert "aliyun.deepfake" in run("schema").stdout
    assert '"adjudge tests"' in run("schema", "--tests").stdout
