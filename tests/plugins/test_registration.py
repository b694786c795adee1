"""What the first-party plugins offer, and that offering it stays cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

from adjudge.plugin import Register

MODULES = (
    "adjudge_plugins.aliyun",
    "adjudge_plugins.http_json",
    "adjudge_plugins.lists",
    "adjudge_plugins.metrics",
    "adjudge_plugins.onnx_detector",
)


@pytest.mark.parametrize(
    ("module", "offered"),
    [
        ("adjudge_plugins.aliyun", [("provider", "aliyun.deepfake"), ("command", "sandbox")]),
        ("adjudge_plugins.http_json", [("provider", "http.json")]),
        ("adjudge_plugins.lists", [("provider", "lists")]),
        ("adjudge_plugins.metrics", [("reader", "prometheus")]),
        ("adjudge_plugins.onnx_detector", [("provider", "onnx.detector")]),
    ],
)
def test_register_module_offers_its_parts(module: str, offered: list[tuple[str, str]]) -> None:
    seen = []
    register = Register(module, lambda kind, name, thing: seen.append((kind, name)))

    __import__(module, fromlist=["register"]).register(register)

    assert seen == offered


def test_register_all_modules_imports_nothing_heavy() -> None:
    code = f"""
import sys
from adjudge.plugin import Register
for name in {MODULES!r}:
    __import__(name, fromlist=["register"]).register(Register(name, lambda *_: None))
heavy = {{"httpx", "jmespath", "http.server", "numpy", "onnxruntime", "PIL", "prometheus_client"}}
print(*sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
