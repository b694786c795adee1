"""Replay: each decision again from its own record, and whether it comes out as recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
from msgspec import structs

from adjudge.audit.annotations import LabelBody
from adjudge.audit.bodies import DecisionBody, PolicyBody, Reveal, restore_fields
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.erasures import Erasures
from adjudge.audit.kinds import bodies, decode
from adjudge.audit.record import Place, parse
from adjudge.audit.vault import Vault
from adjudge.errors import AuditBroken, FieldError, PluginError, PolicyErrors, ReplayMismatch
from adjudge.frozen import frozen
from adjudge.model import SignalStatus, Verdict
from adjudge.plugin import Evidence, Function, KeptValues, Provider, ProviderClient
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.load import read_policy
from adjudge.policy.policy import Policy
from adjudge.policy.slots import REQUEST, is_within, parts_of
from adjudge.texts import split_lines
from adjudge.values.declared import parse_fields
from adjudge.values.fields import Field

ReplayResult = Literal["identical", "different", "erased", "not replayable"]
"""`erased`: it cannot be evaluated, because a value was erased as a record says; that is no fault."""


@frozen(kw_only=True)
class Replayed:
    """One decision of a log, replayed.

    chain: where record `seq` stands, in a log of several.
    differences: (what, recorded, recomputed) for every part of the verdict that differs.
    missing: why it cannot be evaluated, or None.
    recomputed: the verdict that the replay came to, where it came to one.
    """

    seq: int
    chain: str = ""
    decision: DecisionBody
    answer: ReplayResult
    differences: tuple[tuple[str, object, object], ...] = ()
    missing: str | None = None
    recomputed: Verdict | None = None

    def require_identical(self) -> None:
        """Raise ReplayMismatch unless the replay came out as recorded."""
        if self.answer != "identical":
            said = self.missing or "; ".join(f"{what}: {old} → {new}" for what, old, new in self.differences)
            raise ReplayMismatch(f"decision {self.decision.decision_id} (record {self.seq}): {said}")


def replay(
    path: AnyLog, *, policy: Policy | None = None, functions: Mapping[str, Function] | None = None
) -> Iterator[Replayed]:
    """Replay every decision of a log, in order, in constant memory.

    policy: decide with this one instead of the recorded one: what would have been.
    functions: of plugins, for policies that call them; the log holds no code.
    A last line that is not finished is left to its writer. Raises AuditBroken at a record that does not verify,
    NothingRead where there is none.
    """
    policies = Policies(functions or {})
    with Vault.of(path) as vault:
        kept = Kept(vault, Erasures(path))
        for record, body in bodies(path, PolicyBody, DecisionBody):
            if isinstance(body, PolicyBody):
                policies.add(body)
            else:
                yield replay_decision(record.place, body, policies.get(body) if policy is None else policy, kept)


@frozen(kw_only=True)
class Recorded:
    """A decision of a log with its policy and the fields as they were given; those that the vault lacks are unknown.

    label: the newest of a decision that a person has to confirm.
    """

    decision: DecisionBody
    policy: Policy
    given: Mapping[str, object]
    lacking: tuple[str, ...]
    label: LabelBody | None = None

    @property
    def final(self) -> bool:
        """Whether the decision is final by now."""
        return self.decision.final or (self.label is not None and self.label.confirms)


def recorded(path: AnyLog, decision_id: str, functions: Mapping[str, Function] | None = None) -> Recorded | None:
    """Find a decision in a log; None where it is not there.

    Raises AuditBroken at a record that does not verify, or where the decision's policy is not to be had.
    """
    policies = Policies(functions or {})
    found: Recorded | None = None
    with Vault.of(path) as vault:
        for record, body in bodies(path, PolicyBody, DecisionBody, LabelBody):
            if isinstance(body, PolicyBody):
                policies.add(body)
            elif isinstance(body, LabelBody):
                if found is not None and body.decision_id == decision_id:
                    found = replace(found, label=body)
            elif found is None and isinstance(body, DecisionBody) and body.decision_id == decision_id:
                policy = policies.get(body)
                if isinstance(policy, str):
                    raise AuditBroken(f"{path}: record {record.place}: {policy}")
                given, lacking = known_of(body, vault.reveal)
                found = Recorded(decision=body, policy=policy, given=policy.as_taken(given), lacking=lacking)
                if body.final:
                    break  # no label changes that
    return found


@frozen
class Kept:
    """What there is of personal values: the vault, and what the log says was erased from it."""

    vault: KeptValues
    erasures: Erasures

    def lack(
        self, policy: Policy, place: Place, body: DecisionBody, lacking: tuple[str, ...]
    ) -> tuple[ReplayResult, str] | None:
        """Return why a decision cannot be evaluated for want of values; None where nothing hangs on them.

        place: of its record.

        It is `erased` where the log says so of all that the policy needs, and then no fault.
        """
        needed = needed_of(policy, lacking)
        for name in needed:
            if self.erasures.of(body.merchant_biz_id, name, place) is None:
                said = "is missing, and no record says that it was erased: `adjudge audit verify --vault`"
                return "not replayable", f"`{name}` {said}"
        return ("erased", f"`{needed[0]}` was erased") if needed else None


def replay_decision(place: Place, body: DecisionBody, policy: Policy | str, kept: Kept) -> Replayed:
    """Replay one decision. place: of its record. policy: or why there is none."""
    seq, chain = place.seq, place.chain
    if isinstance(policy, str):
        return Replayed(seq=seq, chain=chain, decision=body, answer="not replayable", missing=policy)
    given, lacking = known_of(body, kept.vault.reveal)
    recorded = body.verdict
    if lacking:
        lack = kept.lack(policy, place, body, lacking)
        if lack is not None:
            return Replayed(seq=seq, chain=chain, decision=body, answer=lack[0], missing=lack[1])
        novels = {policy.typed.news_of(name) for name in lacking}
        problems = (
            (name, what)
            for name, what in recorded.problems
            if name not in novels and not any(is_within(name, lost) for lost in lacking)
        )
        recorded = msgspec.structs.replace(recorded, problems=tuple(problems))
    verdict = policy.evaluate(policy.as_taken(given), now=body.judged_at)
    differences: tuple[tuple[str, object, object], ...] = ()
    if recorded != verdict:
        both = ((name, getattr(recorded, name), getattr(verdict, name)) for name in Verdict.__struct_fields__)
        differences = tuple((name, old, new) for name, old, new in both if old != new)
    answer: ReplayResult = "different" if differences else "identical"
    return Replayed(seq=seq, chain=chain, decision=body, answer=answer, differences=differences, recomputed=verdict)


def needed_of(policy: Policy, lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Return the fields, of those that the vault lacks, on which a policy's verdict hangs."""
    if not lacking:
        return ()
    read = slots_hung_on(policy)
    hung_on = {*read, *(str(policy.typed.parts[slot].whole) for slot in read)}
    return tuple(name for name in lacking if name in hung_on)


def known_of(body: DecisionBody, reveal: Reveal) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the fields as they were given, for `Policy.as_taken`, and the full names of those that the vault lacks."""
    given, lacking = restore_fields(body.inputs, "", body.personal, reveal)
    given[REQUEST] = parts_of(body)
    for name, signal in body.signals.items():
        if signal.status is SignalStatus.OK:
            given[name], gone = restore_fields(signal.fields, f"{name}.", body.personal, reveal)
            lacking += gone
    return given, lacking


def slots_hung_on(policy: Policy) -> frozenset[str]:
    """Return the slots that the policy's verdict hangs on."""
    typed = policy.typed
    return frozenset().union(*map(typed.reads.slots, typed.conditions))


def recorded_in(evidence: Evidence, functions: Mapping[str, Function], *, served: Mapping[str, Policy]) -> Recorded:
    """Return a decision with its policy, of what a ledger has of it.

    served: policies by their digests, for a ledger that keeps none. Raises AuditBroken where it is not to be had.
    """
    record = parse(evidence.decision)
    decision = decode(DecisionBody, record.seq, record.body)
    policy: Policy | str | None = served.get(decision.policy_digest)
    if evidence.policy is not None:
        policy_record = parse(evidence.policy)
        policy = load_recorded(decode(PolicyBody, policy_record.seq, policy_record.body), functions)
    if policy is None:
        policy = f"the log does not hold the policy {decision.policy} {decision.policy_digest[:12]}"
    if isinstance(policy, str):
        raise AuditBroken(f"record {record.seq}: {policy}")
    given, lacking = known_of(decision, evidence.values.get)
    decision = structs.replace(decision, final=decision.final or evidence.is_confirmed)
    return Recorded(decision=decision, policy=policy, given=policy.as_taken(given), lacking=lacking)


@dataclass(slots=True)
class Policies:
    """The policies of a log, loaded from their records."""

    functions: Mapping[str, Function]
    _recorded: dict[str, PolicyBody] = field(default_factory=dict)
    _loaded: dict[str, Policy | str] = field(default_factory=dict)

    def add(self, body: PolicyBody) -> None:
        """Take a policy; the same text again may come with other providers, after an upgrade of a plugin."""
        if not body.is_same(self._recorded.get(body.digest)):
            self._recorded[body.digest] = body
            self._loaded.pop(body.digest, None)

    def get(self, body: DecisionBody) -> Policy | str:
        """Return the policy of a decision, or why it cannot be had."""
        return self.of(body.policy_digest, body.policy)

    def of(self, digest: str, name: str) -> Policy | str:
        """Return a policy by its digest, or why it cannot be had. name: of it."""
        if digest not in self._loaded:
            recorded = self._recorded.get(digest)
            self._loaded[digest] = (
                load_recorded(recorded, self.functions)
                if recorded is not None
                else f"the log does not hold the policy {name} {digest[:12]}"
            )
        return self._loaded[digest]


def load_recorded(body: PolicyBody, functions: Mapping[str, Function]) -> Policy | str:
    """Load a policy from its record, without its files and plugins, or say why that cannot be."""
    try:
        providers = {name: _recorded_provider(name, body) for name in body.providers}
        catalogue = Catalogue(providers=providers, functions=functions)
        typed = read_policy(body.text, f"{body.policy}@{body.digest[:12]}", texts=body.lists, catalogue=catalogue)
    except (PolicyErrors, PluginError, FieldError) as error:
        return f"its policy {body.policy} {body.digest[:12]} does not load: {split_lines(str(error))[0]}"
    if typed.digest != body.digest:
        return f"its policy {body.policy} {body.digest[:12]} is recorded with another text"
    return Policy(typed, catalogue.overloads())


def _recorded_provider(name: str, body: PolicyBody) -> Provider:
    recorded = body.providers[name]

    def open_(config: Mapping[str, object]) -> ProviderClient:
        raise PluginError("a replay asks no provider", plugin=name)

    def derive(config: Mapping[str, object]) -> Mapping[str, Field]:
        return next((parse_fields(one.fields) for one in recorded.derived if one.config == config), {})

    return Provider(
        name=name,
        fields=parse_fields(recorded.fields) if recorded.fields is not None else None,
        derive=derive if recorded.derived else None,
        open=open_,
        version=recorded.version,
    )
