"""What is read and written is UTF-8, whatever the locale and the environment of Python say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

POLICY = """policy_language: 1
policy: onboarding
inputs: {city: string}
rules:
  - {id: a,   when: 'city == "Zürich 東京"', then: reject, description: "größer"}
"""
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C", "PYTHONUTF8": "0"},
}


def adjudge(locale: str, *arguments: str, input: bytes = b"") -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "adjudge", *arguments],
        input=input,
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **LOCALES[locale]},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def city(folder: Path) -> dict[str, object]:
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    (folder / "policy_test.yaml").write_text(
        'policy: policy.yaml\ntests:\n  - {name: "東京", given: {inputs: {city: "Zürich 東京"}}, expect: reject}\n',
        "utf-8",
    )
    return {"merchant_biz_id": "a" * 32, "scene_code": "s", "inputs": {"city": "Zürich 東京"}}


@pytest.mark.parametrize("locale", LOCALES)
def test_texts_come_through_as_they_are(city: dict[str, object], folder: Path, locale: str) -> None:
    status, form, _ = adjudge(locale, "format", "-", input=POLICY.encode())
    assert (status, "Zürich 東京".encode() in form) == (0, True)
    assert adjudge(locale, "format", "policy.yaml")[0] == 0
    assert "Zürich 東京" in (folder / "policy.yaml").read_text("utf-8")
    line = json.dumps(city, ensure_ascii=False).encode()
    decide = ("decide", "-", "--policy", "policy.yaml", "--audit", "log")
    status, out, said = adjudge(locale, *decide, input=line)
    assert (status, out[:6]) == (0, b"REJECT"), said
    status, out, _ = adjudge(locale, "test", "policy.yaml", "--junit", "out.xml")
    assert status == 0, out
    assert "東京" in (folder / "out.xml").read_text("utf-8")
    status, out, _ = adjudge(locale, "audit", "show", "log", "--format", "json")
    assert (status, "Zürich 東京".encode() in out) == (0, True)
    assert adjudge(locale, "replay", "log")[0] == 0
    assert adjudge(locale, "check", ".")[0] in (0, 1)


@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_not_utf_8_is_an_error_with_its_place(city: dict[str, object], folder: Path, locale: str) -> None:
    status, _, said = adjudge(locale, "format", "-", input=POLICY.encode("cp1252", "replace"))
    assert (status, b"-:5:" in said, b"is not UTF-8" in said) == (2, True, True), said
    name = os.fsencode(folder) + b"/p\xff.yaml"
    with open(name, "wb") as file:  # no Path holds it in every locale
        file.write(POLICY.encode("cp1252", "replace"))
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"adjudge", b"check", name],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **LOCALES[locale]},
    )
    assert done.returncode == 2, done
    assert b"is not UTF-8" in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
