"""The configuration of an engine: one file, read as strictly as a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adjudge.config.audit import AuditSettings
from adjudge.config.file import Config, open_engine, read_config
from adjudge.config.jwt import JwtSettings
from adjudge.config.service import ServiceSettings, Tls
from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, PluginError, PolicyErrors
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Request
from adjudge.plugin import DecisionLedger, LedgerSettings, LogRecord, Position, Register, hookimpl
from adjudge.registry import Registry
from adjudge.testing import MERCHANT_BIZ_ID

POLICY = "{policy_language: 1, policy: NAME, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"
FULL = """
policies: [one.yaml, more/two.yaml]
audit:
  {directory: log, durability: flush, key: {file: a.key}, mac: {env: THE_MAC}, checkpoint: {records: 50, every: 2s},
   segment: {megabytes: 5, age: 1h}, anchors: [{file: elsewhere}], fingerprint_key: {file: log/f.key}}
answer_for: 1h
ledger: {file: {}}
cache: {megabytes: 10}
max_in_flight: 7
readers: [{name: hook, with: {url: "https://h.example", to: [a, 1, null]}}, {name: plain}]
plugins: [aliyun, lists]
strict_plugins: true
owners: {acme.score: acme}
deadline: 2500ms
service:
  {keys: keys.yaml,
   jwt: {issuer: i, audience: a, algorithms: [ES256, EdDSA], jwks: {url: "https://id.example/k"}, role_claim: [a, b],
         roles: {analyst: [read, label]}, clock_skew: 1m, longest: 1h},
   keys_on_socket: false, rate: 50, hosts: [Risk.Internal, "[::1]"],
   tls: {certificate: c.pem, key: c.key}, plain_http: true,
   notice: 5s, trusted_proxies: [10.0.0.7, "fd00::/8"]}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "more").mkdir(exist_ok=True)
    (folder / "one.yaml").write_text(POLICY.replace("NAME", "one"))
    (folder / "more" / "two.yaml").write_text(POLICY.replace("NAME", "two"))
    path = folder / "adjudge.yaml"
    path.write_text(text)
    return path


def test_config_reads_every_key_and_makes_paths_whole(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, FULL)) == Config(
        policies=(tmp_path / "one.yaml", tmp_path / "more" / "two.yaml"),
        audit=AuditSettings(
            directory=tmp_path / "log",
            durability="flush",
            every=50,
            seconds=2.0,
            key_file=tmp_path / "a.key",
            mac_variable="THE_MAC",
            segment_bytes=5 * 1024 * 1024,
            segment_s=3600.0,
            anchors=(tmp_path / "elsewhere",),
            fingerprint_file=tmp_path / "log" / "f.key",
        ),
        ledger=("file", {}),
        answer_for_s=3600.0,
        front_bytes=10 * 1024 * 1024,
        readers=(("hook", {"url": "https://h.example", "to": ["a", 1, None]}), ("plain", {})),
        plugins=("aliyun", "lists"),
        owners={"acme.score": "acme"},
        strict_plugins=True,
        deadline_s=2.5,
        max_in_flight=7,
        service=ServiceSettings(
            keys=tmp_path / "keys.yaml",
            jwt=JwtSettings(
                issuer="i",
                audience="a",
                algorithms=frozenset(["ES256", "EdDSA"]),
                keys="https://id.example/k",
                roles={"analyst": frozenset(["read", "label"])},
                role_claim=("a", "b"),
                clock_skew_s=60.0,
                longest_s=3600.0,
            ),
            keys_on_socket=False,
            rate=50,
            hosts=("risk.internal", "[::1]"),
            tls=Tls(tmp_path / "c.pem", tmp_path / "c.key"),
            plain_http=True,
            trusted_proxies=("10.0.0.7", "fd00::/8"),
            notice_s=5.0,
        ),
    )


def test_config_of_one_line_has_the_defaults(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "policies: [one.yaml]"))
    assert config == Config(policies=(tmp_path / "one.yaml",))
    assert (config.audit, config.answer_for_s, config.front_bytes) == (None, 48 * 3600.0, 32 * 1024 * 1024)
    assert (config.plugins, config.strict_plugins, config.deadline_s) == (None, False, 15.0)


def test_config_absolute_path_stays(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "policies: [/etc/p.yaml]")).policies == (Path("/etc/p.yaml"),)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", [("yaml-empty", 1, 1)]),
        ("[]", [("schema-type", 1, 1)]),
        ("policies", [("schema-type", 1, 1)]),
        ("{}", [("schema-missing", 1, 1)]),
        ("policies: []", [("schema-empty", 1, 11)]),
        ("policies:", [("schema-empty", 1, 1)]),
        ("policies: one.yaml", [("schema-type", 1, 11)]),
        ("policies: [1, '']", [("schema-type", 1, 12), ("schema-empty", 1, 15)]),
        ("policies: [a]\npolices: [b]", [("schema-unknown-key", 2, 1)]),
        ("policies: [a]\npolicies: [b]", [("yaml-duplicate-key", 2, 1)]),
        ("policies: [a]\naudit: log", [("schema-type", 2, 8)]),
        ("policies: [a]\naudit: {}", [("schema-missing", 2, 8)]),
        ("policies: [a]\naudit: {directory: 5}", [("schema-type", 2, 20)]),
        ("policies: [a]\naudit: {directory: d, durability: fsnyc}", [("schema-value", 2, 35)]),
        ("policies: [a]\nreaders: {}", [("schema-type", 2, 10)]),
        ("policies: [a]\nreaders: [{with: {}}]", [("schema-missing", 2, 11)]),
        ("policies: [a]\nreaders: [{name: s, with: []}]", [("schema-type", 2, 27)]),
        ("policies: [a]\nreaders: [{name: s, url: x}]", [("schema-unknown-key", 2, 21)]),
        ("policies: [a]\nreaders: [s]", [("schema-type", 2, 11)]),
        ("policies: [a]\naudit: {directory: d, sinks: [s]}", [("schema-unknown-key", 2, 23)]),
        ("policies: [a]\naudit: {directory: d, anchors: [{name: s}]}", [("schema-unknown-key", 2, 33)]),
        ("policies: [a]\naudit: {directory: d, anchors: [s]}", [("schema-type", 2, 33)]),
        ("policies: [a]\nobservers: [{name: s}]", [("schema-unknown-key", 2, 1)]),
        ("policies: [a]\naudit: {directory: d, key: {}}", [("schema-value", 2, 28)]),
        ("policies: [a]\naudit: {directory: d, key: {file: a, env: B}}", [("schema-value", 2, 28)]),
        ("policies: [a]\naudit: {directory: d, key: {env: 5}}", [("schema-type", 2, 34)]),
        ("policies: [a]\naudit: {directory: d, key: {file: d/a.key}}", [("schema-value", 2, 35)]),
        ("policies: [a]\naudit: {directory: d, mac: {file: ./d/../d/more/a.mac}}", [("schema-value", 2, 35)]),
        ("policies: [a]\naudit: {directory: d, mac: {}}", [("schema-value", 2, 28)]),
        ("policies: [a]\naudit: {directory: d, checkpoint: {records: 0}}", [("schema-range", 2, 45)]),
        ("policies: [a]\naudit: {directory: d, checkpoint: {age: 3s}}", [("schema-unknown-key", 2, 36)]),
        ("policies: [a]\naudit: {directory: d, segment: {megabytes: 1.5}}", [("schema-type", 2, 44)]),
        ("policies: [a]\naudit: {directory: d, segment: {age: 3}}", [("schema-type", 2, 38)]),
        ("policies: [a]\naudit: {directory: d, anchors: [{file: 5}]}", [("schema-type", 2, 40)]),
        ("policies: [a]\naudit: {directory: d, anchors: [{file: a, name: b}]}", [("schema-unknown-key", 2, 33)]),
        ("policies: [a]\nanswer_for: 60", [("schema-type", 2, 13)]),
        ("policies: [a]\nanswer_for: 0s", [("schema-range", 2, 13)]),
        ("policies: [a]\nanswer_for: 9000h", [("schema-range", 2, 13)]),
        ("policies: [a]\ncache: {megabytes: 0}", [("schema-range", 2, 20)]),
        ("policies: [a]\ncache: {megabytes: -1}", [("schema-range", 2, 20)]),
        ("policies: [a]\ncache: {megabytes: 1000001}", [("schema-range", 2, 20)]),
        ("policies: [a]\ncache: {megabytes: 1.5}", [("schema-type", 2, 20)]),
        ("policies: [a]\ncache: {with: {url: x}}", [("schema-unknown-key", 2, 9)]),
        ("policies: [a]\ncache: {store: redis, ttl: 1h, size: 5}", [("schema-unknown-key", 2, 9),
                                                                     ("schema-unknown-key", 2, 23),
                                                                     ("schema-unknown-key", 2, 32)]),
        ("policies: [a]\nledger: {}", [("schema-value", 2, 9)]),
        ("policies: [a]\nledger: {a: {}, b: {}}", [("schema-value", 2, 9)]),
        ("policies: [a]\nledger: postgres", [("schema-type", 2, 9)]),
        ("policies: [a]\nledger: {postgres: here}", [("schema-type", 2, 20)]),
        ("policies: [a]\nledger: {file: {directory: d}}", [("schema-value", 2, 16)]),
        ("policies: [a]\naudit: {directory: d}\nledger: {postgres: {}}", [("schema-value", 2, 8)]),
        ("policies: [a]\nreaders: [{name: 5}]", [("schema-type", 2, 18)]),
        ("policies: [a]\nreaders: [{name: n, with: {age: 012}}]", [("yaml-number", 2, 33)]),
        ("policies: [a]\nplugins: aliyun", [("schema-type", 2, 10)]),
        ("policies: [a]\nstrict_plugins: yes", [("schema-value", 2, 17)]),
        ("policies: [a]\nstrict_plugins: [true]", [("schema-type", 2, 17)]),
        ("policies: [a]\nmax_in_flight: 0", [("schema-range", 2, 16)]),
        ("policies: [a]\nmax_in_flight: many", [("schema-type", 2, 16)]),
        ("policies: [a]\ndeadline: 15", [("schema-type", 2, 11)]),
        ("policies: [a]\ndeadline: 6m", [("schema-range", 2, 11)]),
        ("policies: [a]\ndeadline: soon", [("schema-value", 2, 11)]),
        ("policies: [a]\ndeadline: -1s\nplugins: [1]\ncache: []", [("schema-range", 2, 11), ("schema-type", 3, 11),
                                                                    ("schema-type", 4, 8)]),
        ("policies: [a]\nservice: []", [("schema-type", 2, 10)]),
        ("policies: [a]\nservice: {notice: 5}", [("schema-type", 2, 19)]),
        ("policies: [a]\nservice: {notice: 1h}", [("schema-range", 2, 19)]),
        ("policies: [a]\nservice: {host: [a]}", [("schema-unknown-key", 2, 11)]),
        ("policies: [a]\nservice: {hosts: [a.b, 'a:80', 'http://a', 1]}", [("schema-value", 2, 24),
                                                                            ("schema-value", 2, 32),
                                                                            ("schema-type", 2, 44)]),
        ("policies: [a]\nservice: {rate: 0, keys: 5, keys_on_socket: no}", [("schema-range", 2, 17),
                                                                            ("schema-type", 2, 26),
                                                                            ("schema-value", 2, 45)]),
        ("policies: [a]\nservice: {keys: k, trusted_proxies: [a, 0.0.0.0/0, 10.0.0.1/8]}", [("schema-value", 2, 38),
                                                                                            ("schema-value", 2, 41),
                                                                                            ("schema-value", 2, 52)]),
        ("policies: [a]\nservice: {trusted_proxies: [10.0.0.1]}", [("schema-value", 2, 28)]),
        ("policies: [a]\nservice: {jwt: 1, keys_on_socket: false, trusted_proxies: [unix]}", [("schema-type", 2, 16),
                                                                                             ("schema-value", 2, 59)]),
        ("policies: [a]\nservice: {hosts: ['*'], tls: {certificate: a}}", [("schema-value", 2, 19),
                                                                           ("schema-missing", 2, 30)]),
        ("policies: [a", [("yaml-syntax", 1, 11)]),
        ("policies: &a [a]", [("yaml-alias", 1, 11)]),
    ],
)  # fmt: skip
def test_config_mistakes_are_found_together_each_at_its_place(
    tmp_path: Path, text: str, errors: list[tuple[str, int, int]]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PolicyErrors) as found:
        read_config(path)
    assert [(one.code, one.line, one.column) for one in found.value.errors] == errors
    assert {one.file for one in found.value.errors} == {str(path)}


def test_config_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as found:
        read_config(tmp_path / "adjudge.yaml")
    assert "cannot read the configuration: no such file or directory" in str(found.value)


def test_open_engine_reports_the_mistakes_of_all_policies_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "policies: [one.yaml, more/two.yaml, gone.yaml]")
    for name in ("one.yaml", "more/two.yaml"):
        (tmp_path / name).write_text((tmp_path / name).read_text().replace("n > 1", "m > 1"))
    with pytest.raises(PolicyErrors) as found:
        Engine.open(path)
    assert [one.code for one in found.value.errors] == ["yaml-file", "name-unknown", "name-unknown"]


def test_open_engine_takes_its_fingerprint_key_from_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was made beside a log may move, as it is; another one is refused."""
    raw = b" \n" + bytes(range(30))
    file = tmp_path / "f.key"
    for said, key in (("{file: f.key}", raw), ("{env: THE_KEY}", b"f" * 40), ("{file: f.key}", b"f" * 40)):
        file.write_bytes(key if key == raw else key + b"\n")
        file.chmod(0o600)
        monkeypatch.setenv("THE_KEY", f" {'f' * 40}\n")
        folder = "raw" if key == raw else "log"
        path = write(tmp_path, f"policies: [one.yaml]\naudit: {{directory: {folder}, fingerprint_key: {said}}}\n")
        with open_engine(path) as engine:
            assert engine._ledger.key == key
            engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="s"))
        assert not (tmp_path / folder / "fingerprint.key").exists()
    for wrong, why in (
        (b"short", "has 5 bytes, where a key has 32 at the least"),
        (b"f" * 41, "the `fingerprint_key`: is not the key that this log was written with"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(AuditUnavailable, match=why):
            open_engine(path)
    for mode in (0o644, 0o640):
        file.chmod(mode)
        with pytest.raises(AuditUnavailable, match="others may read this key"):
            open_engine(path)
    file.unlink()
    monkeypatch.delenv("THE_KEY")
    for place in ("{file: f.key}", "{env: THE_KEY}"):
        path.write_text(f"policies: [one.yaml]\naudit: {{directory: log, fingerprint_key: {place}}}\n")
        with pytest.raises(AuditUnavailable, match=r"no such file|is not set"):
            open_engine(path)


def test_open_engine_policies_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as found:
        Engine.open(write(tmp_path, "policies: [one.yaml, one.yaml]"))
    assert [one.code for one in found.value.errors] == ["name-duplicate"]
    assert "`one` is also the name of the policy in" in str(found.value)


class Offering:
    """A plugin with one of each, and what it opened."""

    def __init__(self) -> None:
        self.opened: dict[str, object] = {}
        self.lines: list[bytes] = []

    @hookimpl
    def register(self, register: Register) -> None:
        plugin = self

        class Reader:
            def open(self, end: Position) -> None: ...

            def take(self, records: Sequence[LogRecord]) -> None:
                plugin.lines += [record.line for record in records]

            def close(self) -> None: ...

        def opening(kind: str, thing: object) -> object:
            def open_(settings: Mapping[str, object]) -> object:
                if settings.get("fail"):
                    raise KeyError("url")
                if settings.get("refuse"):
                    raise PluginError("needs a url", plugin=kind)
                plugin.opened[kind] = settings
                return thing

            return open_

        def open_ledger(said: LedgerSettings) -> DecisionLedger:
            opening("ledger", None)(said.settings)  # type: ignore[operator]
            return MemoryLedger(answer_for_s=said.answer_for_s, clock=said.clock)

        register.ledger("shelf", open_ledger)
        register.reader("copy", opening("copy", Reader()))  # type: ignore[arg-type]
        register.reader("hook", opening("hook", Reader()))  # type: ignore[arg-type]


@pytest.fixture
def offering(monkeypatch: pytest.MonkeyPatch) -> Offering:
    plugin = Offering()
    registry = Registry()
    registry.register(plugin, name="offering")
    monkeypatch.setattr(Registry, "discover", lambda **options: registry)
    return plugin


PLUGGED = """
policies: [one.yaml]
audit: {directory: log}
readers: [{name: copy, with: {to: here}}, {name: hook, with: {url: x}}, {name: copy}]
deadline: 3s
"""
SHELVED = """
policies: [one.yaml]
ledger: {shelf: {room: 3}}
answer_for: 1h
"""


def test_open_engine_puts_a_ledger_in_its_place(tmp_path: Path, offering: Offering) -> None:
    request = Request(merchant_biz_id=MERCHANT_BIZ_ID, scene_code="s", inputs={"n": 5})
    with open_engine(write(tmp_path, SHELVED)) as engine:
        assert engine.decide_sync(request).status == "fresh"
        assert engine.decide_sync(request).status == "duplicate"
    assert offering.opened == {"ledger": {"room": 3}}


def test_open_engine_puts_readers_in_their_places(tmp_path: Path, offering: Offering) -> None:
    request = Request(merchant_biz_id=MERCHANT_BIZ_ID, scene_code="s", inputs={"n": 5})
    with open_engine(write(tmp_path, PLUGGED)) as engine:
        engine.decide_sync(request)
        assert engine.decide_sync(request).status == "duplicate"
    assert offering.opened == {"copy": {}, "hook": {"url": "x"}}
    assert [state.name for state in engine.readers()] == ["copy", "hook", "copy-2"]
    written = (tmp_path / "log" / "audit-000001.jsonl").read_bytes()
    assert sorted(offering.lines) == sorted(3 * written.splitlines(keepends=True))
    assert engine._deadline_s == 3.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: copy, with", "name: cpoy, with", "no installed plugin offers the reader `cpoy`; offered: copy"),
        ("name: hook", "name: hok", "no installed plugin offers the reader `hok`"),
        ("to: here", "fail: 1", "the reader `copy` cannot be opened: KeyError: 'url'"),
        ("url: x", "refuse: 1", "plugin `hook`: needs a url"),
    ],
)
def test_open_engine_plugin_that_is_not_there_or_does_not_open_is_named(
    tmp_path: Path, offering: Offering, old: str, new: str, said: str
) -> None:
    with pytest.raises(PluginError) as found:
        open_engine(write(tmp_path, PLUGGED.replace(old, new)))
    assert said in str(found.value)
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shelf", "redis", "no installed plugin offers the ledger `redis`; offered: shelf"),
        ("room: 3", "fail: 1", "the ledger `shelf` cannot be opened: KeyError: 'url'"),
        ("room: 3", "refuse: 1", "plugin `ledger`: needs a url"),
    ],
)
def test_open_engine_ledger_that_is_not_there_or_does_not_open_is_named(
    tmp_path: Path, offering: Offering, old: str, new: str, said: str
) -> None:
    with pytest.raises(PluginError) as found:
        open_engine(write(tmp_path, SHELVED.replace(old, new)))
    assert said in str(found.value)


def test_open_engine_that_fails_lets_the_log_go(
    tmp_path: Path, offering: Offering, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, PLUGGED)
    (tmp_path / "log").touch()
    with pytest.raises(AuditUnavailable, match="is not a directory"):
        open_engine(path)
    (tmp_path / "log").unlink()

    def fail(*parts: object, **named: object) -> None:
        raise ValueError("no")

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "__init__", fail)
        with pytest.raises(ValueError, match="no"):
            open_engine(path)
    with open_engine(path) as engine:
        assert set(engine.policies) == {"one"}


def test_open_engine_names_of_plugins_are_those_that_load(tmp_path: Path) -> None:
    with capture_logs():
        engine = open_engine(write(tmp_path, "policies: [one.yaml]\nplugins: [lists, gone]"))
    assert [(plugin.name, plugin.error) for plugin in engine.registry.plugins] == [
        ("lists", None),
        ("gone", "is not installed"),
    ]
    with pytest.raises(PluginError, match="plugin `gone`: is not installed"):
        open_engine(write(tmp_path, "policies: [one.yaml]\nplugins: [lists, gone]\nstrict_plugins: true"))


def test_open_engine_owner_that_does_not_offer_the_name_is_said(tmp_path: Path) -> None:
    wrong = (("lists: list", "`list`: does not offer `lists`"), ("lsits: lists", "`lists`: does not offer `lsits`"))
    for owners, said in wrong:
        with pytest.raises(PluginError, match=said):
            open_engine(write(tmp_path, f"policies: [one.yaml]\nowners: {{{owners}}}"))
    with open_engine(write(tmp_path, "policies: [one.yaml]\nowners: {lists: lists}")) as engine:
        assert "lists" in engine.registry.catalogue().providers
