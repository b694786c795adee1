"""Replay: each decision again from its own record, on any machine, years later."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adjudge.audit.annotations import erasure_body
from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.file import Segments
from adjudge.audit.kinds import bodies
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import AuditBroken, AuditUnavailable, ReplayMismatch, SignalFailed
from adjudge.model import Decision, Request
from adjudge.plugin import Function, Provider
from adjudge.policy import Policy
from adjudge.registry import Registry, load_policy, parse_policy
from adjudge.replay.decisions import Replayed, load_recorded, replay
from adjudge.testing import NOW, FakeClock, fake_provider, registry_of
from adjudge.values.declared import parse_fields

FIELDS = """
  flag: bool
  count: {type: int, range: [-5, 100]}
  ratio: {type: double, range: [0, 1]}
  country: string
  age: {type: duration, range: ["0s", "87600h"]}
  opened: timestamp
  result: {type: enum, values: [low, high]}
  tags: {type: set, values: [a, b]}
  scores: {type: map, keys: [k, l], of: {type: double, range: [0, 1]}, absent: 0}
  sizes: {type: map, of: int}
  names: {type: list, of: string}
  spans: {type: list, of: duration}
  times: {type: map, of: timestamp}
  email: {type: string, personal: true}
  born: {type: timestamp, personal: true}
"""
CONDITIONS = (
    "{p}flag", "{p}count > 3", "{p}ratio >= 0.5", '{p}country == "SG"', '{p}age < duration("24h")',
    "now - {p}opened > {p}age", '{p}result == "high"', '"a" in {p}tags', "size({p}novel_tags) > 0",
    "{p}scores.k > 0.5", "size({p}novel_scores) > 0", '{p}sizes["x"] > 1', 'has({p}sizes.x)', '"x" in {p}names',
    '{p}spans.exists(s, s > duration("1h"))', '{p}times["x"] < now', '{p}email.endsWith("@bad.example")',
    'now - {p}born < duration("1000h")', "{p}ratio * 2.0 > 1.0", "{p}count / 0 > 1",
)  # fmt: skip


def policy_text(name: str = "types", *, inputs: str = FIELDS, signals: str = "") -> str:
    text = f"policy_language: 1\npolicy: {name}\ninputs:{inputs}signals:\n{signals}"
    text += "  asked: {provider: acme.all}\n  given:\n    fields:" + FIELDS.replace("\n  ", "\n      ") + "\nrules:\n"
    for prefix in ("", "asked.", "given."):
        for at, condition in enumerate(CONDITIONS):
            outcome = ("review", "reject")[at % 2]
            text += f"  - {{id: {prefix[:1] or 'i'}{at}, when: '{condition.format(p=prefix)}', then: {outcome}}}\n"
    return text + (
        "scorecard:\n  points:\n    - {when: flag, add: 2}\n    - {when: asked.ratio > 0.5, add: -3}\n"
        "  bands: {review: 1, reject: 2}\n"
    )


def provider_fields() -> dict[str, object]:
    """Return the same fields as a provider declares them."""
    from adjudge.policy.loading.reader import Reader
    from adjudge.policy.text.yaml import read_yaml
    from adjudge.source import Source

    source = Source("fields", FIELDS)
    root, _ = read_yaml(source)
    assert root is not None
    return Reader(source).plain(root)  # type: ignore[return-value]


def record(
    directory: Path,
    text: str,
    requests: list[dict[str, Any]],
    *answers: Any,
    functions: tuple[Function, ...] = (),
    registry: Registry | None = None,
) -> list[Decision]:
    """Decide requests with a log."""
    registry = registry or registry_of([fake_provider("acme.all", provider_fields(), *answers)], functions)
    policy = parse_policy(text, registry=registry)
    with (
        capture_logs(),
        Engine([policy], registry=registry, trail=AuditTrail.open(directory), clock=FakeClock()) as engine,
    ):
        return [
            engine.decide_sync(Request(merchant_biz_id=f"{n:032x}", scene_code="s", **parts))
            for n, parts in enumerate(requests)
        ]


RIGHT: Mapping[str, object] = {
    "flag": True,
    "count": 5,
    "ratio": 0.75,
    "country": "SG",
    "age": timedelta(hours=5),
    "opened": NOW - timedelta(days=9),
    "result": "high",
    "tags": ["a", "new"],
    "scores": {"k": 0.9, "m": 1.0},
    "sizes": {"x": 2},
    "names": ["x", None],
    "spans": [timedelta(minutes=90)],
    "times": {"x": NOW - timedelta(days=1)},
    "email": "eve@bad.example",
    "born": NOW - timedelta(days=20),
}
TEXTS = {"age": "5h", "opened": "2026-01-06T08:30:00Z", "spans": ["90m"], "times": {"x": "2026-01-01T00:00:00+08:00"}}
WRONG: Mapping[str, object] = {
    "flag": "true",
    "count": 101,
    "ratio": 1,
    "country": 5,
    "age": "soon",
    "opened": datetime(2026, 1, 1),
    "result": "higher",
    "tags": "a",
    "scores": {"k": 2, "l": None},
    "sizes": {"x": "2"},
    "names": "x",
    "spans": ["1h", "x"],
    "times": {"x": "x"},
    "email": 5,
    "born": "then",
}
STRANGE: Mapping[str, object] = {
    "flag": None,
    "count": 2**70,
    "ratio": float("nan"),
    "country": "half \ud800",
    "age": timedelta(days=999_999_999),
    "opened": datetime.max.replace(tzinfo=UTC),
    "result": 5,
    "tags": {"b", "a", "z", "y"},
    "scores": {"k": float("inf")},
    "sizes": {5: 5},
    "names": ("x", "\ud800"),
    "spans": {timedelta(hours=2)},
    "times": {"x": datetime(2026, 1, 1)},
    "email": float("inf"),
    "born": datetime(1990, 1, 1),
}
CASES = {"right": RIGHT, "texts": {**RIGHT, **TEXTS}, "wrong": WRONG, "strange": STRANGE, "nothing": {}}


def answers(replayed: list[Replayed]) -> list[str]:
    return [one.answer for one in replayed]


def test_replay_is_identical_for_every_type_of_field_right_or_wrong(tmp_path: Path) -> None:
    requests = [{"inputs": case, "signals": {"given": case}} for case in CASES.values()]
    decisions = record(tmp_path, policy_text(), requests, *CASES.values())
    replayed = list(replay(tmp_path))
    assert [(one.answer, one.differences) for one in replayed] == [("identical", ())] * len(CASES)
    assert [one.recomputed for one in replayed] == [decision.verdict for decision in decisions]
    assert [one.decision.decision_id for one in replayed] == [decision.decision_id for decision in decisions]
    for one in replayed:
        one.require_identical()
    assert {"i0", "a0", "g0"} <= set(decisions[0].verdict.matched)
    assert decisions[0].verdict.matched == decisions[1].verdict.matched, "texts and times are the same to a policy"
    assert len(decisions[2].verdict.problems) > 30
    assert decisions[4].verdict.matched == ()


values = st.sampled_from(
    [*RIGHT.values(), *WRONG.values(), *STRANGE.values(), *TEXTS.values(), b"x", object(), [[]], {}]
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(RIGHT)), values), min_size=20, max_size=20))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replay_is_identical_whatever_a_provider_answers(
    tmp_path_factory: pytest.TempPathFactory, said: list[dict[str, object]]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    record(directory, policy_text(), [{}] * len(said), *said)
    assert answers(list(replay(directory))) == ["identical"] * len(said)
    shutil.rmtree(directory)


def rewrite(directory: Path, change: Callable[[str, dict[str, Any]], dict[str, Any] | None]) -> Path:
    """Return a copy of a log, chained anew after a change to the body of each record; None leaves a record out."""
    copy = directory.with_name(directory.name + "-changed")
    with AuditLog.open(copy, durability="flush") as log:
        for record_ in read(directory):
            body = {
                name: value
                for name, value in record_.decode().items()
                if name not in ("schema", "seq", "kind", "prev", "hash")
            }
            changed = change(record_.kind, body)
            if changed is not None:
                log.write_blocking(record_.kind, changed)
    for vault in directory.glob("vault*.sqlite*"):
        shutil.copy(vault, copy)
    return copy


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("outcome", "pass"), ("lower", "pass"), ("upper", "pass"), ("matched", []), ("unresolved", ["i0"]),
        ("reasons", ["OTHER"]), ("missing", ["flag"]), ("score", [0, 9]), ("waived", ["i0"]),
        ("problems", [["flag", "x"]]),
    ],
)  # fmt: skip
def test_replay_finds_each_part_of_a_verdict_that_was_changed(tmp_path: Path, part: str, changed: object) -> None:
    (decision,) = record(tmp_path / "log", policy_text(), [{"inputs": RIGHT, "signals": {"given": RIGHT}}], RIGHT)

    def change(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"verdict": body["verdict"] | {part: changed}} if kind == "decision" else body

    (found,) = replay(rewrite(tmp_path / "log", change))
    assert found.answer == "different"
    ((name, recorded, recomputed),) = found.differences
    assert (name, recomputed) == (part, getattr(decision.verdict, part))
    assert msgspec.json.decode(msgspec.json.encode(recorded)) == changed
    with pytest.raises(ReplayMismatch, match=rf"decision {decision.decision_id} \(record 2\): {part}: "):
        found.require_identical()


def test_replay_finds_a_field_that_was_changed(tmp_path: Path) -> None:
    record(tmp_path / "log", policy_text(), [{"inputs": RIGHT}], RIGHT)

    def change(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"inputs": body["inputs"] | {"flag": False}} if kind == "decision" else body

    (found,) = replay(rewrite(tmp_path / "log", change))
    assert {name for name, _, _ in found.differences} == {"matched", "score"}


def test_replay_without_the_policys_record_is_not_possible(tmp_path: Path) -> None:
    record(tmp_path / "log", policy_text(), [{}], RIGHT)
    (found,) = replay(rewrite(tmp_path / "log", lambda kind, body: body if kind == "decision" else None))
    assert (found.answer, found.recomputed) == ("not replayable", None)
    assert found.missing is not None and found.missing.startswith("the log does not hold the policy types ")
    with pytest.raises(ReplayMismatch, match="the log does not hold"):
        found.require_identical()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"text": "policy_language: 1\n"}, ":1:1: error[schema-missing]"),
        ({"providers": {}}, "does not load: types@"),
        ({"providers": {"acme.all": {"version": "1", "fields": {"x": {"type": "money"}}}}}, "does not load: "),
    ],
)
def test_replay_with_a_policys_record_that_does_not_load_says_why(
    tmp_path: Path, change: dict[str, object], missing: str
) -> None:
    record(tmp_path / "log", policy_text(), [{}], RIGHT)
    (found,) = replay(rewrite(tmp_path / "log", lambda kind, body: body | change if kind == "policy" else body))
    assert found.answer == "not replayable" and missing in str(found.missing)


def test_replay_with_another_text_under_the_policys_digest_says_so(tmp_path: Path) -> None:
    record(tmp_path / "log", policy_text(), [{}], RIGHT)

    def change(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"text": body["text"] + "# softer\n"} if kind == "policy" else body

    (found,) = replay(rewrite(tmp_path / "log", change))
    assert found.answer == "not replayable" and "is recorded with another text" in str(found.missing)


@pytest.mark.parametrize(("kind", "body"), [("decision", {"decision_id": 5}), ("policy", {"policy": "x"})])
def test_replay_of_a_record_of_another_shape_is_refused(tmp_path: Path, kind: str, body: dict[str, object]) -> None:
    with AuditLog.open(tmp_path) as log:
        log.write_blocking(kind, body)
    with pytest.raises(AuditBroken, match=rf"record 1 is not a valid {kind}: .*"):
        list(replay(tmp_path))


def test_replay_of_records_that_are_no_decisions_passes_over_them(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("label", {"finding": "fraud"})
    assert list(replay(tmp_path)) == []
    with pytest.raises(AuditUnavailable):
        list(replay(tmp_path / "nothing"))


def lose(directory: Path, name: str) -> None:
    """Take values out of the vault by hand; no record says so."""
    with sqlite3.connect(directory / "vault.sqlite") as vault:
        assert vault.execute("delete from personal where name = ?", (name,)).rowcount > 0
    vault.close()


def erase(directory: Path, *names: str) -> None:
    """Lose values as a lawful erasure of everybody does, of which the log tells."""
    subjects = {body.merchant_biz_id for _, body in bodies(directory, DecisionBody)}
    with AuditLog.open(directory) as log:
        for subject in subjects:
            log.write_blocking("erasure", erasure_body(subject, names, by="kim"))
    for name in names:
        lose(directory, name)


LOST = "is missing, and no record says that it was erased: `adjudge audit verify --vault`"


@pytest.mark.parametrize("name", ["email", "asked.born", "given.email"])
def test_replay_that_needs_an_erased_value_says_which(tmp_path: Path, name: str) -> None:
    case = {"inputs": RIGHT, "signals": {"given": RIGHT}}
    record(tmp_path, policy_text(), [case, {}], RIGHT, {})
    erase(tmp_path, name)
    first, second = replay(tmp_path)
    assert (first.answer, first.missing) == ("erased", f"`{name}` was erased")
    assert second.answer == "identical"


def test_replay_is_excused_by_the_record_of_an_erasure_alone(tmp_path: Path) -> None:
    """By one of the same subject, that names the field, after the decision; and it is looked for in the whole log."""
    decisions = record(tmp_path, policy_text(), [{"inputs": RIGHT}, {"inputs": RIGHT}], RIGHT, {})
    lose(tmp_path, "email")
    assert [(one.answer, one.missing) for one in replay(tmp_path)] == [("not replayable", f"`email` {LOST}")] * 2
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("erasure", erasure_body(decisions[0].merchant_biz_id, ("born",), by="kim"))
        log.write_blocking("erasure", erasure_body("f" * 32, ("email",), by="kim"))
    assert answers(list(replay(tmp_path))) == ["not replayable"] * 2
    with AuditLog.open(tmp_path, segments=Segments(max_bytes=1)) as log:
        log.write_blocking("erasure", erasure_body(decisions[0].merchant_biz_id, ("age", "email"), by="kim"))
    assert answers(list(replay(tmp_path))) == ["erased", "not replayable"]
    assert len(list(tmp_path.glob("audit-*.jsonl"))) > 1
    assert answers(list(replay(tmp_path / "audit-000001.jsonl"))) == ["erased", "not replayable"]


PERSONAL = """
policy_language: 1
policy: personal
inputs: {email: {type: string, personal: true}, unread: {type: timestamp, personal: true}}
signals: {own: {provider: acme.own}}
variables: {kind: '"x" in own.kinds'}
rules:
  - {id: mail, when: 'email == "x"', then: review}
"""
PERSONAL_FIELDS = {
    "owners": {"type": "map", "keys": ["a", "b"], "of": "string", "personal": True},
    "kinds": {"type": "set", "values": ["x"], "personal": True},
    "rest": {"type": "map", "of": {"type": "string", "personal": True}},
}


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ('own.owners.a == "x"', "own.owners"),
        ('own.owners["b"] == "x"', "own.owners"),
        ("size(own.novel_owners) > 0", "own.owners"),
        ("size(own.novel_kinds) > 0", "own.novel_kinds"),
        ('own.rest["k"] == "x"', "own.rest"),
        ("kind", "own.kinds"),
    ],
)
def test_replay_needs_what_its_conditions_read_in_any_way(tmp_path: Path, rule: str, name: str) -> None:
    own = {"owners": {"a": "x", "c": "y"}, "kinds": ["x", "z"], "novel_kinds": ["w"], "rest": {"k": "x"}}
    registry = registry_of([fake_provider("acme.own", PERSONAL_FIELDS, own)])
    text = PERSONAL + f"  - {{id: more, when: '{rule}', then: review}}\n"
    record(tmp_path, text, [{"inputs": {"email": "a", "unread": "wrong"}}], registry=registry)
    assert answers(list(replay(tmp_path))) == ["identical"]
    lose(tmp_path, "unread")
    assert answers(list(replay(tmp_path))) == ["identical"], "what no rule reads is not needed"
    erase(tmp_path, name)
    assert [one.missing for one in replay(tmp_path)] == [f"`{name}` was erased"]


def test_replay_value_that_looks_like_a_commitment_is_a_value(tmp_path: Path) -> None:
    looks = {"commitment": "sha256:" + "0" * 64}
    text = """
policy_language: 1
policy: looks
inputs: {sizes: {type: map, of: string}}
rules:
  - {id: r, when: 'sizes["commitment"].startsWith("sha")', then: review}
"""
    (decision,) = record(tmp_path, text, [{"inputs": {"sizes": looks}}])
    assert decision.verdict.matched == ("r",)
    assert answers(list(replay(tmp_path))) == ["identical"]


CALLING = """
policy_language: 1
policy: calling
inputs: {n: int}
rules:
  - {id: r, when: "doubled(n) > 3", then: review}
"""


def doubled(factor: int = 2) -> Function:
    return Function(name="doubled", parameters=("int",), result="int", call=lambda n: factor * n)


def test_replay_of_a_policy_that_calls_a_plugins_function_needs_it(tmp_path: Path) -> None:
    record(tmp_path, CALLING, [{"inputs": {"n": 2}}], functions=(doubled(),))
    (without,) = replay(tmp_path)
    assert without.answer == "not replayable" and "`doubled`" in str(without.missing)
    assert answers(list(replay(tmp_path, functions={"doubled": doubled()}))) == ["identical"]
    assert answers(list(replay(tmp_path, functions={"doubled": doubled(0)}))) == ["different"]
    bad = Function(name="doubled", parameters=("money",), result="int", call=int)
    assert "does not load" in str(next(replay(tmp_path, functions={"doubled": bad})).missing)


LISTING = """
policy_language: 1
policy: listing
inputs: {country: string, email: string}
lists: {bad: {file: bad.txt}}
signals:
  one: {provider: acme.lists, with: {blocked: {file: a.txt}, limit: 0.5}}
  two: {provider: acme.lists, with: {known: {file: b.txt}}}
  free: {provider: acme.json, with: {url: "https://h.example"}, fields: {score: int, seen: timestamp}}
rules:
  - {id: a, when: one.blocked, then: reject}
  - {id: b, when: two.known, then: review}
  - {id: c, when: country in lists.bad, then: review}
  - {id: d, when: free.score > 3 && free.seen < now, then: review}
"""


def test_replay_on_another_machine_needs_neither_plugins_nor_files(tmp_path: Path) -> None:
    """Fields that follow from a `with:`, that the policy declares, and lists from files all stand in the log."""

    def derive(config: Mapping[str, Any]) -> Any:
        return parse_fields({name: "bool" for name in config if name != "limit"})

    def answer(context: Any) -> dict[str, object]:
        return {"blocked": False, "known": True, "score": 5, "seen": NOW - timedelta(1)}

    lists: Provider = fake_provider("acme.lists", None, answer, derive=derive)
    registry = registry_of([lists, fake_provider("acme.json", None, answer)])
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "bad.txt").write_text("KP\nIR\n")
    (folder / "p.yaml").write_text(LISTING)
    policy = load_policy(folder / "p.yaml", registry=registry)
    directory = tmp_path / "log"
    with Engine([policy], registry=registry, trail=AuditTrail.open(directory)) as engine:
        decision = engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="s", inputs={"country": "KP"}))
    assert decision.verdict.matched == ("b", "c", "d")
    shutil.rmtree(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(directory / "audit-000001.jsonl", elsewhere)
    for place in (directory, elsewhere, elsewhere / "audit-000001.jsonl"):
        assert answers(list(replay(place))) == ["identical"]


def test_replay_of_a_provider_whose_fields_changed_takes_each_decision_with_its_own(tmp_path: Path) -> None:
    text = "{policy_language: 1, policy: p, signals: {s: {provider: acme.s}}, rules: "
    text += "[{id: r, when: s.n > 3, then: review}]}"
    for fields, clock in (({"n": {"type": "int", "range": [0, 5]}}, 0), ({"n": {"type": "int", "range": [0, 9]}}, 1)):
        registry = registry_of([fake_provider("acme.s", fields, {"n": 7})])
        policy = parse_policy(text, registry=registry)
        with Engine([policy], registry=registry, trail=AuditTrail.open(tmp_path)) as engine:
            engine.decide_sync(Request(merchant_biz_id=f"{clock:032d}", scene_code="s"))
    before, after = replay(tmp_path)
    assert (before.answer, after.answer) == ("identical", "identical")
    assert (before.decision.verdict.settled, after.decision.verdict.settled) == (False, True)


def test_replay_reads_what_a_recorded_policy_says_by_an_old_name() -> None:
    """A log from when `when_billing_unknown` was called `on_in_doubt`, in a policy and in a fragment of it."""
    log = Path(__file__).parent.parent / "golden" / "logs" / "on_in_doubt"
    replayed = list(replay(log))
    assert answers(replayed) == ["identical"] * 3
    (body,) = (record_.decode(PolicyBody) for record_ in read(log) if record_.kind == "policy")
    assert "on_in_doubt" in body.text and "on_in_doubt" in body.lists["shared/device.yaml"]
    policy = load_recorded(body, {})
    assert isinstance(policy, Policy)
    declared = {name: signal.when_billing_unknown for name, signal in policy.typed.signals.items()}
    assert declared == {"face": "ask_again", "device": "unknown"}


def test_replay_with_another_policy_is_what_would_have_been(tmp_path: Path) -> None:
    cases = [{"inputs": {"n": n}} for n in (1, 5, 9)]
    strict = "{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 3, then: reject}]}"
    softer: Policy = parse_policy(strict.replace("n > 3", "n > 7"))
    record(tmp_path, strict, cases)
    replayed = list(replay(tmp_path, policy=softer))
    moved = [(one.decision.verdict.outcome, one.recomputed.outcome) for one in replayed if one.recomputed]
    assert moved == [("pass", "pass"), ("reject", "pass"), ("reject", "reject")]
    assert answers(replayed) == ["identical", "different", "identical"]


def test_replay_of_failed_and_skipped_signals_is_identical(tmp_path: Path) -> None:
    text = policy_text() + "gather: thrifty\n"
    record(tmp_path, text, [{}, {}, {"inputs": {"count": 1, "ratio": 0.1}}], SignalFailed("down"), RIGHT, ValueError())
    assert answers(list(replay(tmp_path))) == ["identical"] * 3


def test_replay_stops_where_the_log_does_not_verify(tmp_path: Path) -> None:
    record(tmp_path, policy_text(), [{}, {}], RIGHT)
    path = tmp_path / "audit-000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + lines[2].replace(b'"scene_code":"s"', b'"scene_code":"t"'))
    replaying = replay(tmp_path)
    assert next(replaying).answer == "identical"
    with pytest.raises(AuditBroken, match=r"audit-000001\.jsonl:3"):
        next(replaying)
