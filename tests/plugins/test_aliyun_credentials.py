"""Where the AccessKey comes from, and that nothing ever shows it."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.model import Face
from adjudge.plugin import Register, SignalFailed, hookimpl
from adjudge.registry import Registry, parse_policy
from adjudge.signals.admission import Guards
from adjudge_plugins import aliyun
from adjudge_plugins.aliyun.credentials import Keyring, read_keyring
from adjudge_plugins.aliyun.endpoint import parse_endpoint
from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials

VENDOR = parse_endpoint("https://cloudauth-intl.ap-southeast-1.aliyuncs.com")
LOOPBACK = parse_endpoint("http://127.0.0.1:1")
FILE = """
[default]
type = access_key
access_key_id = LTAIfile
access_key_secret = canary-file

[night]
type = sts
access_key_id = STSnight
access_key_secret = canary-night
security_token = canary-token
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials.ini"
    path.write_text(FILE)
    return path


def read(keyring: Keyring, endpoint: Any = VENDOR, secrets: Mapping[str, Any] | None = None) -> Credentials:
    return asyncio.run(keyring.read(endpoint, secrets or {}))


def failing(keyring: Keyring, secrets: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(SignalFailed) as caught:
        read(keyring, secrets=secrets)
    assert (caught.value.kind, caught.value.billed) == ("misconfigured", False)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)
    return caught.value.reason


def shown(key: Credentials) -> tuple[str, str, str | None]:
    return key.access_key_id, key.access_key_secret, key.security_token


def test_read_file_has_the_vendors_own_form_and_profiles(file: Path) -> None:
    assert shown(read(Keyring(file=str(file)))) == ("LTAIfile", "canary-file", None)
    assert shown(read(Keyring(file=str(file), profile="night"))) == ("STSnight", "canary-night", "canary-token")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_read_file_of_any_editor(file: Path, end: str) -> None:
    plain = read(Keyring(file=str(file)))
    file.write_bytes(b"\xef\xbb\xbf" + FILE.replace("\n", end).encode())
    assert shown(read(Keyring(file=str(file)))) == shown(plain)


def test_read_file_that_changed_counts_at_once(file: Path) -> None:
    keyring = Keyring(file=str(file))
    read(keyring)
    file.write_text(FILE.replace("canary-file", "changed"))
    assert read(keyring).access_key_secret == "changed"


def test_read_environment_goes_before_the_file_that_it_names(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(file))
    assert read(Keyring()).access_key_id == "LTAIfile"
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIenv")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")
    assert read(Keyring()).access_key_id == "LTAIenv"
    assert read(Keyring(file=str(file))).access_key_id == "LTAIfile", "the policy names one: that one counts"


def test_read_sandbox_has_its_own_key_unless_one_is_given(file: Path) -> None:
    assert read(Keyring(), LOOPBACK) is SANDBOX_CREDENTIALS
    assert read(Keyring(file=str(file)), LOOPBACK).access_key_id == "LTAIfile"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: no such file or directory"),
        ("canary", "is not an INI file"),
        ("[default]\naccess_key_id = canary\naccess_key_id = canary\n", "is not an INI file"),
        ("[other]\naccess_key_id = canary\n", "has no section [default]"),
        ("[default]\naccess_key_id = canary\n", "lacks access_key_id or access_key_secret"),
        ("[default]\naccess_key_id = a\naccess_key_secret = canaryé\n", "is damaged"),
        (b"\xff\xfecanary", "is not an INI file"),
    ],
)
def test_read_file_that_is_of_no_use_says_why_without_showing_it(
    tmp_path: Path, text: str | bytes | None, said: str
) -> None:
    path = tmp_path / "keys.ini"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in failing(Keyring(file=str(path)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_read_pipe_is_no_file_of_credentials(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        assert "is not a file" in failing(Keyring(file=str(path)))


class Vault:
    """A source that rotates: another key each time."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def read(self) -> Mapping[str, str]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # whatever the test wants it to say


def test_read_plugin_is_asked_every_time() -> None:
    vault = Vault(
        {"access_key_id": "one", "access_key_secret": "s"},
        {"access_key_id": "two", "access_key_secret": "s", "security_token": "t"},
    )
    keyring = Keyring(plugin="vault")
    assert [shown(read(keyring, secrets={"vault": vault}))[0::2] for _ in range(2)] == [("one", None), ("two", "t")]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Vault(RuntimeError("canary")), "the secret source `vault` raised RuntimeError"),
        (Vault({"access_key_id": "canary"}), "gave no access_key_id or access_key_secret"),
        (Vault({"access_key_id": 5, "access_key_secret": "canary"}), "raised AttributeError"),
        (Vault(None), "raised AttributeError"),
    ],
)
def test_read_plugin_that_fails_is_a_misconfiguration(source: Vault, said: str) -> None:
    assert said in failing(Keyring(plugin="vault"), {"vault": source})


def test_read_plugin_that_is_not_there_names_those_that_are() -> None:
    assert failing(Keyring(plugin="vualt"), {"vault": Vault({})}).endswith("offered: vault")


def test_decide_with_a_rotating_key_of_a_plugin(request_of: Callable[..., Any], jpeg: bytes) -> None:
    """From the hook of one plugin to the signature of another's call."""
    first, second = (Credentials(access_key_id=f"LTAI{n}", access_key_secret=f"canary-{n}") for n in (1, 2))
    vault = Vault(
        *({"access_key_id": k.access_key_id, "access_key_secret": k.access_key_secret} for k in (first, second))
    )

    class Secrets:
        @hookimpl
        def register(self, register: Register) -> None:
            register.secrets("vault", vault)

    registry = Registry()
    registry.register(aliyun, name="aliyun")
    registry.register(Secrets(), name="secrets")
    with Sandbox(credentials=first) as one, Sandbox(credentials=second) as two:
        policy = """
policy_language: 1
policy: p
signals:
  one: {provider: aliyun.deepfake, with: {endpoint: "%s", credentials: {plugin: vault}}}
  two: {provider: aliyun.deepfake, with: {endpoint: "%s", credentials: {plugin: vault}}}
gather: thrifty
rules:
  - {id: r, when: one.result == "high" || two.result == "high", then: reject}
"""
        loaded = parse_policy(policy % (one.url, two.url), registry=registry)
        with capture_logs() as events, Engine([loaded], registry=registry, guards=Guards()) as door:
            decision = door.decide_sync(request_of(Face.from_bytes(jpeg)))
    assert {name: signal.status for name, signal in decision.signals.items()} == {"one": "ok", "two": "ok"}
    assert "canary" not in repr(events)


def test_credentials_stand_in_no_repr_copy_pickle_or_asdict() -> None:
    @dataclass
    class Config:
        key: Credentials

    key = Credentials(access_key_id="canary-id", access_key_secret="canary-secret", security_token="canary-token")
    config = Config(key)
    for text in (repr(key), str(key), f"{config}", repr(asdict(config)), repr(copy.deepcopy(config))):
        assert "canary" not in text
    for written in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not written down"):
            written(key)
    with pytest.raises(TypeError):
        vars(key)
    assert "canary" not in repr(read_keyring({"credentials": {"plugin": "vault"}}))
