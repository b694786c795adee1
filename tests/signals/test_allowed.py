"""What policies may have providers use of the operator's: refused in words unless it is allowed, wherever it opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from adjudge import Engine, PluginError, PolicyErrors, Registry, Request, parse_policy
from adjudge.cli.group import adjudge
from adjudge.config.allowed import NOTHING
from adjudge.config.file import open_engine, read_config
from adjudge.plugin import Provider, Uses
from adjudge.signals.allowed import ANY_HOST, Allowed, refused
from adjudge.testing import registry_of

POLICY = """
policy_language: 1
policy: p
signals:
  device:
    provider: http.json
    with:
      url: "http://127.0.0.1:9/device"
      headers: {x-key: "${ADJUDGE_AUDIT_KEY}"}
    fields: {score: int}
thresholds: {device.score: {review: 5}}
"""
LISTED = """
policy_language: 1
policy: l
inputs: {v: string}
signals: {s: {provider: lists, with: {bad: {file: %s, of: inputs.v}}}}
rules:
  - {id: bad, when: s.bad, then: reject}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def write(allow: str = "", policy: str = POLICY) -> Path:
        (tmp_path / "p.yaml").write_text(policy)
        (tmp_path / "adjudge.yaml").write_text(f"policies: [p.yaml]\n{allow}")
        return tmp_path / "adjudge.yaml"

    return write


def test_open_engine_without_allow_refuses_hosts_and_variables_at_their_signal(folder: Callable[..., Path]) -> None:
    with pytest.raises(PolicyErrors) as caught:
        open_engine(folder())

    assert {(error.code, error.line) for error in caught.value.errors} == {("not-allowed", 5)}
    assert {error.message: error.hint for error in caught.value.errors} == {
        "policies may not ask the host 127.0.0.1:9": "if they may: `allow: {hosts: [127.0.0.1:9]}` in adjudge.yaml",
        "policies may not send the environment variable ADJUDGE_AUDIT_KEY": (
            "if they may: `allow: {environment: [ADJUDGE_AUDIT_KEY]}` in adjudge.yaml, "
            "or --allow-environment ADJUDGE_AUDIT_KEY"
        ),
    }


def test_open_engine_with_what_is_allowed_opens(folder: Callable[..., Path]) -> None:
    open_engine(folder("allow: {environment: [ADJUDGE_AUDIT_KEY], hosts: [127.0.0.1]}\n"))


def test_engine_in_code_sends_no_variable_that_it_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_AUDIT_KEY", "canary")
    asked: list[str] = []
    registry = Registry.discover()
    monkeypatch.setattr("adjudge_plugins.http_json.resolve_headers", lambda headers: asked.append("resolved") or {})

    with Engine([parse_policy(POLICY, registry=registry)], registry=registry) as engine:
        signal = engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="a")).signals["device"]

    assert (signal.status, signal.reason_code) == ("error", "NOT_ALLOWED")
    assert signal.reason == "policies may not send the environment variable ADJUDGE_AUDIT_KEY"
    assert not asked


def test_decide_refuses_variables_and_takes_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJUDGE_AUDIT_KEY", "canary")
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "r.json").write_text(json.dumps({"merchant_biz_id": "0" * 32, "scene_code": "a"}))
    arguments = ["decide", str(tmp_path / "r.json"), "--policy", str(tmp_path / "p.yaml")]

    refused = CliRunner().invoke(adjudge, arguments)
    taken = CliRunner().invoke(adjudge, [*arguments, "--allow-environment", "ADJUDGE_AUDIT_KEY"])

    assert refused.exit_code == 2
    assert "--allow-environment ADJUDGE_AUDIT_KEY" in refused.output
    assert taken.exit_code == 0
    assert "unavailable" in taken.output  # nobody listens there, and so it was asked


def test_check_says_what_opening_would_refuse(folder: Callable[..., Path]) -> None:
    result = CliRunner().invoke(adjudge, ["check", str(folder())])

    assert result.exit_code == 2
    assert "policies may not ask the host 127.0.0.1:9" in result.output
    file = folder("allow: {environment: [ADJUDGE_AUDIT_KEY], hosts: ['127.0.0.1:9']}")
    assert CliRunner().invoke(adjudge, ["check", str(file)]).exit_code == 0


@pytest.mark.parametrize(
    ("pattern", "host", "taken"),
    [
        ("risk.internal", "risk.internal", True),
        ("risk.internal", "risk.internal:8443", True),
        ("risk.internal:8443", "risk.internal:8443", True),
        ("risk.internal:8443", "risk.internal", False),
        ("risk.internal:8443", "risk.internal:80", False),
        ("risk.internal", "evil-risk.internal", False),
        ("risk.internal", "risk.internal.evil", False),
        ("*.vendor.example", "a.vendor.example", True),
        ("*.vendor.example", "a.b.vendor.example:9", True),
        ("*.vendor.example", "vendor.example", False),
        ("*.vendor.example:8443", "a.vendor.example:8443", True),
        ("*.vendor.example:8443", "a.vendor.example", False),
        ("*.vendor.example:8443", "a.vendor.example:443", False),
        ("*.vendor.example:8443", "vendor.example:8443", False),
        ("*.vendor.example", "evilvendor.example", False),
        ("127.0.0.1", "2130706433", False),
        ("[::1]", "[::1]", True),
        ("[::1]", "[::1]:80", True),
        ("[::1]", "[::2]", False),
    ],
)
def test_allowed_hosts(pattern: str, host: str, taken: bool) -> None:
    refusals = list(Allowed(hosts=(pattern,)).refusals(Uses(hosts=frozenset({host}))))
    assert len(refusals) == (0 if taken else 1)


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "169.254.0.1:80", "2852039166", "0xa9fea9fe", "0251.0376.169.254", "169.254.43518"),
        *("[fe80::1]", "[fe80::1]:80", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200"),
        *("metadata.google.internal", "metadata.google.internal.", "169.254.169.254.", "169.254.169.254.:80"),
        *("[64:ff9b::a9fe:a9fe]", "[::169.254.169.254]", "[2002:a9fe:a9fe::]", "168.63.129.16", "192.0.0.192"),
    ],
)
def test_any_host_is_none_that_hands_out_the_machines_keys(host: str) -> None:
    assert list(ANY_HOST.refusals(Uses(hosts=frozenset({host}))))
    assert list(NOTHING.refusals(Uses(hosts=frozenset({host}))))
    assert not list(Allowed(hosts=(host,)).refusals(Uses(hosts=frozenset({host}))))


@pytest.mark.parametrize(
    "host", ["risk.internal", "127.0.0.1", "10.1.2.3:80", "[::1]", "[2001:db8::1]", "localhost", "metadata.example"]
)
def test_any_host_is_every_other(host: str) -> None:
    assert not list(ANY_HOST.refusals(Uses(hosts=frozenset({host}))))


def test_allowed_files_lie_below_a_folder_links_and_dots_included(tmp_path: Path) -> None:
    lists, elsewhere = tmp_path / "lists", tmp_path / "elsewhere.txt"
    lists.mkdir()
    elsewhere.write_text("x\n")
    (lists / "in.txt").write_text("x\n")
    (lists / "out.txt").symlink_to(elsewhere)
    allowed = Allowed(files=(lists,))

    def is_taken(file: Path | str) -> bool:
        return not list(allowed.refusals(Uses(files=frozenset({str(file)}))))

    assert is_taken(lists / "in.txt") and is_taken(lists / "new.txt")
    assert not is_taken(elsewhere) and not is_taken(lists / "out.txt") and not is_taken(lists / ".." / "elsewhere.txt")
    assert not is_taken("/etc/passwd\0")


def test_open_engine_with_files_named_refuses_lists_elsewhere(folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        open_engine(folder("allow: {files: [lists]}\n", LISTED % "/etc/passwd"))
    assert [error.message for error in caught.value.errors] == ["policies may not read the file /etc/passwd"]

    open_engine(folder("allow: {files: [lists]}\n", LISTED % (tmp_path / "lists" / "bad.txt")))
    open_engine(folder("", LISTED % "/etc/adjudge/bad.txt"))


def test_aliyun_names_its_endpoint_and_file_only_where_the_policy_chose_them() -> None:
    deepfake = Registry.discover().catalogue().providers["aliyun.deepfake"]

    assert deepfake.uses({"region": "ap-southeast-1"}) == Uses()
    assert deepfake.uses({"endpoint": "cloudauth-intl-vpc.eu-west-1.aliyuncs.com"}) == Uses()
    for elsewhere in ("evil.example", "evil.oss.aliyuncs.com", "cloudauth.aliyuncs.com.evil.example"):
        assert deepfake.uses({"endpoint": elsewhere}) == Uses(
            environment=frozenset({"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_SECURITY_TOKEN"}),
            hosts=frozenset({elsewhere}),
        )
    assert deepfake.uses({"endpoint": "http://127.0.0.1:8080", "credentials": {"file": "/k.ini"}}) == Uses(
        hosts=frozenset({"127.0.0.1:8080"}), files=frozenset({"/k.ini"})
    )


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ("allow: {hots: [a]}", "did you mean `hosts`?"),
        ("allow: {hosts: ['https://a']}", "`https://a` is not a host"),
        ("allow: {hosts: ['*']}", "`*` is not a host"),
        ("allow: {hosts: [7]}", "7"),
        ("allow: {environment: ['A B']}", "`A B` is not the name of an environment variable"),
        ("allow: [a]", "`allow`"),
    ],
)
def test_read_config_wrong_allow_is_refused(folder: Callable[..., Path], allow: str, said: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_config(folder(allow))

    assert said in caught.value.render()


def test_provider_whose_uses_fail_is_a_fault_of_the_plugin() -> None:
    def broken(config: object) -> Uses:
        raise KeyError("x")

    opened: list[object] = []
    provider = Provider(name="acme.x", fields={}, open=opened.append, uses=broken)  # type: ignore[arg-type]
    registry = registry_of([provider])
    policy = parse_policy("{policy_language: 1, policy: p, signals: {s: {provider: acme.x}}}", registry=registry)

    with pytest.raises(PluginError, match="its `uses`"):
        list(refused(policy.typed, registry.catalogue().providers, NOTHING))
    with Engine([policy], registry=registry) as engine:
        signal = engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="a")).signals["s"]
    assert signal.reason == "the provider could not be opened" and not opened
