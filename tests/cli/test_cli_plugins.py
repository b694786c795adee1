from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any

import pytest


def test_plugins_shows_what_each_provides(
    run: Any, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint(name="sample", value="cli_plugin", group="adjudge")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    result = run("plugins")
    assert result.exit_code == 0
    golden("cli/plugins.txt", result.stdout)


def test_plugins_shows_the_installed_package(run: Any) -> None:
    assert f"aliyun  (adjudge {version('adjudge')})\n" in run("plugins").stdout


def test_plugins_json_has_fields_of_providers(run: Any) -> None:
    plugins = {plugin["name"]: plugin for plugin in json.loads(run("plugins", "--format", "json").stdout)}
    provider = next(offer for offer in plugins["aliyun"]["offers"] if offer["kind"] == "provider")
    assert provider["name"] == "aliyun.deepfake"
    assert provider["fields"]["result"]["values"] == ["low", "suspicious", "high"]
    assert plugins["http_json"]["offers"][0]["fields"] is None
    assert {"kind": "command", "name": "sandbox"} in plugins["aliyun"]["offers"]


def test_plugins_that_failed_are_a_finding(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint(name="broken", value="adjudge_no_such_module", group="adjudge")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken])
    result = run("plugins")
    assert result.exit_code == 1
    assert result.stdout.startswith("broken  failed: cannot be imported: ModuleNotFoundError: ")
    assert json.loads(run("plugins", "--format", "json").stdout)[0]["error"].startswith("cannot be imported")


def test_plugins_that_are_none_are_said_to_be(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_PLUGINS", "")
    result = run("plugins")
    assert (result.exit_code, result.stdout) == (0, "no plugins\n")


def test_plugins_that_offer_one_name_are_a_finding(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from adjudge.plugin import hookimpl\n@hookimpl\ndef register(register):\n"
    text += "    register.reader('copy', print)\n"
    for name in ("plugin_one", "plugin_other"):
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(name=name[7:], value=name, group="adjudge") for name in ("plugin_one", "plugin_other")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)

    result = run("plugins")

    said = "`copy` is offered by one and other: say whose it is under `owners` of the configuration"
    assert (result.exit_code, result.stdout) == (
        1,
        f"one\n  reader copy  refused: {said}\n\nother\n  reader copy  refused: {said}\n",
    )
    assert json.loads(run("plugins", "--format", "json").stdout)[0]["offers"][0]["refused"] == said
