"""The data of a decision, frozen: what comes in, what providers say, what comes out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import msgspec

from adjudge.errors import RequestError
from adjudge.frozen import frozen
from adjudge.moved import warn as warn_of_old_name
from adjudge.patterns import late
from adjudge.system import plain_base64

MEDIA_MAX_BYTES = 64 * 1024 * 1024
"""The largest picture or video that is taken into memory; what a vendor accepts is its provider's business."""
URL_MAX_CHARS = 8192
"""Of a face's URL, the signature in it among them."""

ATTEMPTS_MAX = 1_000_000

_MERCHANT_BIZ_ID = late(r"[0-9A-Za-z]{32}", re.ASCII)
_APPLICATION_ID = late(r"[!-~]{1,128}", re.ASCII)
SCENE_CODE = late(r"[0-9A-Za-z_]{1,10}", re.ASCII)


class Outcome(StrEnum):
    """What is to happen: pass < review < reject. Compare and `max` go by severity, never by letters."""

    PASS = "pass"  # noqa: S105  # an outcome, not a password
    REVIEW = "review"
    REJECT = "reject"

    @property
    def severity(self) -> int:
        """0 for pass, 1 for review, 2 for reject."""
        return _SEVERITY[self]

    def __lt__(self, other: str) -> bool:
        return _SEVERITY[self] < _SEVERITY[Outcome(other)]

    def __le__(self, other: str) -> bool:
        return _SEVERITY[self] <= _SEVERITY[Outcome(other)]

    def __gt__(self, other: str) -> bool:
        return _SEVERITY[self] > _SEVERITY[Outcome(other)]

    def __ge__(self, other: str) -> bool:
        return _SEVERITY[self] >= _SEVERITY[Outcome(other)]


_SEVERITY: Mapping[str, int] = {outcome: at for at, outcome in enumerate(Outcome)}
OUTCOMES = tuple(Outcome)

MediaType = Literal["image", "video"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face image or video, in memory or behind a URL. Its bytes never show in a repr or a log.

    digest: lower-case hex SHA-256 of the bytes, or of the URL's text where only that is known.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    media_type: MediaType = "image"
    digest: str = ""

    def __post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            raise RequestError("give one of data and url", where="face")
        if self.data is not None and type(self.data) is not bytes:  # a bytearray could change after its digest
            raise RequestError("must be bytes", where="face.data")
        if self.media_type not in ("image", "video"):
            raise RequestError("must be image or video", where="face.media_type")
        if self.url is not None:
            _check_url(self.url)
        if self.data is not None and not self.data:
            raise RequestError("the face is empty, 0 bytes", where="face")
        if self.data is not None and len(self.data) > MEDIA_MAX_BYTES:
            raise _too_large()
        content = self.data if self.data is not None else (self.url or "").encode()
        object.__setattr__(self, "digest", hashlib.sha256(content).hexdigest())

    @classmethod
    def from_bytes(cls, data: bytes, *, media_type: MediaType | None = None) -> Face:
        """Take a picture or video from memory; its kind is found from its first bytes unless given."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise RequestError("must be bytes", where="face")
        if memoryview(data).nbytes > MEDIA_MAX_BYTES:  # before it is copied
            raise _too_large()
        data = bytes(data)
        return cls(data=data, media_type=media_type or _sniff(data))

    @classmethod
    def recorded(cls, digest: str, media_type: MediaType) -> Face:
        """Return a face of which only the digest is left, as the log has it. Nobody can be asked about it."""
        face = object.__new__(cls)
        for name, value in (("data", None), ("url", None), ("media_type", media_type), ("digest", digest)):
            object.__setattr__(face, name, value)
        return face

    @classmethod
    def from_file(cls, path: str | Path, *, media_type: MediaType | None = None) -> Face:
        """Read a picture or video from a file. Raises RequestError where that fails."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MEDIA_MAX_BYTES + 1)
        except OSError as error:
            raise RequestError(f"cannot read {path}: {error.strerror}", where="face.file") from None
        except (TypeError, ValueError):  # a NUL in it, or half a character
            raise RequestError("is not a path", where="face.file") from None
        return cls.from_bytes(data, media_type=media_type)

    @classmethod
    def from_base64(cls, text: str, *, media_type: MediaType | None = None) -> Face:
        """Decode plain Base64, without a data-URI prefix. Raises RequestError where it is none."""
        if not isinstance(text, str | bytes):
            raise RequestError("must be a string", where="face.base64")
        if len(text) > MEDIA_MAX_BYTES * 4 // 3 + 4:  # before it is looked at
            raise _too_large()
        return face_of_base64(lambda: plain_base64.pieces_of(text), media_type=media_type)

    @classmethod
    def from_url(cls, url: str, *, media_type: MediaType = "image") -> Face:
        """Name a public http or https URL that the provider fetches; adjudge itself does not."""
        return cls(url=url, media_type=media_type)


def face_of_base64(pieces: Callable[[], Iterable[bytes]], *, media_type: MediaType | None) -> Face:
    """Decode plain Base64 that comes in pieces, see `plain_base64`. Raises RequestError where it is none."""
    try:
        data = plain_base64.decode(pieces, max_bytes=MEDIA_MAX_BYTES)
    except plain_base64.NotBase64 as error:
        if error.is_too_long:
            raise _too_large() from None
        raise RequestError("is not plain Base64", where="face.base64") from None
    return Face.from_bytes(data, media_type=media_type)


def _too_large() -> RequestError:
    return RequestError(f"the face is larger than {MEDIA_MAX_BYTES // 2**20} MiB", where="face")


def _check_url(url: object) -> None:
    if isinstance(url, str) and len(url) > URL_MAX_CHARS:
        raise RequestError(f"is longer than {URL_MAX_CHARS:,} characters", where="face.url")
    try:
        # a space in a file's name is as the vendor's own SDK sends it; one in a host or at an end is a slip
        parts = urlsplit(url) if isinstance(url, str) and url.isprintable() and url == url.strip() else None
        host = parts.hostname if parts is not None and parts.scheme in ("http", "https") and parts.port != 0 else None
        good = bool(host) and " " not in str(host)
    except ValueError:
        good = False
    if not good:
        raise RequestError("must be an http or https URL", where="face.url")


def _sniff(data: bytes) -> MediaType:
    return "video" if data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide") else "image"


def check_merchant_biz_id(merchant_biz_id: object) -> None:
    """Raise RequestError for what is no MerchantBizId."""
    if not isinstance(merchant_biz_id, str) or not _MERCHANT_BIZ_ID.fullmatch(merchant_biz_id):
        raise RequestError("must be 32 letters or digits", where="merchant_biz_id")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One onboarding check. Raises RequestError where a part cannot be right.

    merchant_biz_id: 32 letters or digits, unique to the check (the vendor's rule).
    scene_code: 1 to 10 letters, digits or `_`.
    policy: the policy's name where an engine holds several.
    inputs, signals: what the caller knows, by the policy's names; what is left out is unknown.
    application_id: what the check is a part of, 1 to 128 printable characters without blanks: each try has a
    MerchantBizId of its own, and the application stays. attempts: which try this is, from 1.
    """

    merchant_biz_id: str
    scene_code: str
    face: Face | None = None
    policy: str | None = None
    inputs: Mapping[str, object] = {}
    signals: Mapping[str, Mapping[str, object]] = {}
    application_id: str | None = None
    attempts: int | None = None

    def __post_init__(self) -> None:
        check_merchant_biz_id(self.merchant_biz_id)
        if not isinstance(self.scene_code, str) or not SCENE_CODE.fullmatch(self.scene_code):
            raise RequestError("must be 1 to 10 letters, digits or _", where="scene_code")
        if self.face is not None and not isinstance(self.face, Face):
            raise RequestError("must be a Face, such as Face.from_file(…)", where="face")
        if self.policy is not None and not isinstance(self.policy, str):
            raise RequestError("must be a policy's name", where="policy")
        if not isinstance(self.inputs, Mapping):
            raise RequestError("must be a mapping", where="inputs")
        if not isinstance(self.signals, Mapping) or not all(isinstance(s, Mapping) for s in self.signals.values()):
            raise RequestError("must map each signal to a mapping of its fields", where="signals")
        if self.application_id is not None and not (
            isinstance(self.application_id, str) and _APPLICATION_ID.fullmatch(self.application_id)
        ):
            raise RequestError("must be 1 to 128 printable characters without blanks", where="application_id")
        if self.attempts is not None and not (type(self.attempts) is int and 1 <= self.attempts <= ATTEMPTS_MAX):
            raise RequestError(f"must be a whole number from 1 to {ATTEMPTS_MAX:,}", where="attempts")

    def __repr__(self) -> str:
        return f"<Request {self.merchant_biz_id} {self.scene_code}>"  # never its values: some are personal


class SignalStatus(StrEnum):
    """How asking for a signal ended. Everything but `ok` leaves its fields unknown."""

    OK = "ok"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    SKIPPED = "skipped"
    NOT_PROVIDED = "not_provided"
    PENDING = "pending"


_NOT_RETRIED = (SignalStatus.SKIPPED, SignalStatus.NOT_PROVIDED, SignalStatus.PENDING)


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a provider said of a request, or why it said nothing.

    fields: as the provider or caller gave them, in the log's form: durations and times are texts, sets are lists. What
    they are worth is decided by the policy's declarations.
    problems: values that no log can hold, such as an infinite number, and that are unknown: (full name, what is wrong).
    reason: for everything but `ok`, a few words; for `skipped`, why.
    price: of the calls made, in the provider's currency; 0 where none was billed.
    attempts: how often it was tried, where more than once.
    is_final: not asked again for this MerchantBizId and fingerprint, whatever came of it: it was or may have been paid
    for, or the same picture would bring the same answer.
    call, until: of an answer that the provider gives later: the call that it answers, and by when; aware UTC.
    """

    name: str
    status: SignalStatus
    fields: Mapping[str, object] = {}
    problems: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    capture_again: str | None = None
    provider: str | None = None
    version: str | None = None
    request_id: str | None = None
    duration_ms: float = 0.0
    price: Decimal = Decimal(0)
    currency: str | None = None
    attempts: int = 1
    is_final: bool = False
    call: str | None = None
    until: datetime | None = None

    def is_awaited(self, now: datetime) -> bool:
        """Whether its answer may come yet. now: aware."""
        return self.status is SignalStatus.PENDING and self.until is not None and now < self.until

    def __repr__(self) -> str:
        said = f", {self.reason}" if self.reason else ""
        return f"<Signal {self.name}: {self.status.value}{said}>"  # never its fields: some are personal


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The pure result of a policy on known and unknown fields.

    outcome: what is to happen. lower, upper: what could, whatever the unknown fields turn out to be.
    matched, unresolved: ids of the rules that are true, and of those that are unknown, in policy order.
    reasons: codes of the rules that decided the outcome, without repeats, in policy order. They are all true (`facts`)
    or all in doubt (`doubts`): a doubt decides only where it makes the outcome more severe than what is certain. A rule
    that is true is in doubt where an excuse of it is unknown.
    missing: what unresolved rules and rows, and unknown excuses of what would count, read and nobody knows: inputs,
    fields such as `device.score`, and signals of which nothing is known that a rule reads.
    score: the scorecard's total as (lowest, highest) in points, None without one under `scorecard:`.
    scores: the totals of scorecards that have names, by name.
    waived: what would have made the outcome worse by the policy's `when_unknown`, but for a waiver: ids of unresolved
    rules, and `scorecard`, or `scorecard:device` of one that has a name.
    problems: fields that came with a value of the wrong type, range or vocabulary: (name, what was wrong).
    excused: what does not count because an excuse is true: ids of rules that are true or unknown, and `scorecard` where
    its total is, or may be, in the band of review.
    ask: the steps that what decided asks for next, in the order of the policy's `steps:`; no part of the outcome.
    """

    outcome: Outcome
    lower: Outcome
    upper: Outcome
    matched: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    score: tuple[int, int] | None = None
    waived: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    excused: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    scores: Mapping[str, tuple[int, int]] = {}

    @property
    def totals(self) -> Mapping[str, tuple[int, int]]:
        """The totals of all scorecards, by name; of the one without a name under `scorecard`."""
        return self.scores if self.score is None else {"scorecard": self.score, **self.scores}

    @property
    def settled(self) -> bool:
        """Whether lower == upper, so that no missing field could change the answer."""
        return self.lower is self.upper

    @property
    def facts(self) -> tuple[str, ...]:
        """The `reasons` of rules that are true; empty where doubt decided."""
        return () if self.outcome > self.lower else self.reasons

    @property
    def doubts(self) -> tuple[str, ...]:
        """The `reasons` that could only not be ruled out: what is certain would have been softer. Else empty."""
        return self.reasons if self.outcome > self.lower else ()


class Sampled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a decision was drawn for a person to look at, although the policy's verdict is softer.

    then: what the decision is, in place of the verdict's outcome. reason: the policy's code for it. share: of such
    verdicts that are drawn, 0 to 1.
    """

    then: Outcome
    reason: str
    share: float


class Reviewed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a person has decided, in place of the decision that this one supersedes; the verdict is what it was then.

    then: what the decision is. reason: a code. by: who decided. judged_at: the policy's `now` of the verdict, aware
    UTC.
    """

    then: Outcome
    reason: str
    judged_at: datetime
    by: str = ""


Mode = Literal["shadow", "canary", "hold-out"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""How a version of a policy may take part in a rollout."""


class Arm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """By which version of the policy a decision was made, while a rollout runs.

    rollout: its name. number: of its record that was in force. name: `canary` and `hold-out` by its candidate,
    `champion` by the version that it is compared with.
    """

    rollout: str
    number: int
    name: Literal["champion", "canary", "hold-out", "shadow"]


DecisionStatus = Literal["fresh", "duplicate", "supersedes"]


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A verdict, made for a request and recorded in the audit log.

    status: `fresh`, `duplicate` (the answer of an earlier decision), or `supersedes` (an earlier one was incomplete).
    supersedes: the decision_id of that earlier decision.
    decided_at: aware UTC; also the policy's `now`.
    capture_again: a sentence for the applicant where a new picture could help.
    capture_reason: the reason code behind it, such as NO_FACE_DETECTED.
    cost: what its provider calls cost, by currency.
    notes: what a person should know, such as a waiver used or a field that was refused.
    problems: inputs with a value that no log can hold, such as an int past 64 bits: (name, what was wrong). They are
    unknown, and so none of the verdict's own problems.
    sampled: where it was drawn for a person to look at; the verdict is what it would be otherwise.
    final: False while a person has to confirm it, as the policy says of some rejects; a label `fraud` does, while no
    newer one takes it back.
    arm: by which version it was made, while a rollout ran.
    reviewed: where a person has decided in its place.
    """

    decision_id: str
    merchant_biz_id: str
    status: DecisionStatus
    verdict: Verdict
    policy: str
    policy_digest: str
    fingerprint: str
    decided_at: datetime
    signals: Mapping[str, Signal] = {}
    supersedes: str | None = None
    duration_ms: float = 0.0
    cost: Mapping[str, Decimal] = {}
    capture_again: str | None = None
    capture_reason: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    sampled: Sampled | None = None
    final: bool = True
    arm: Arm | None = None
    reviewed: Reviewed | None = None

    @property
    def outcome(self) -> Outcome:
        """What is to happen: the verdict's outcome, unless a person has decided or is to, for it was drawn for that."""
        if self.reviewed is not None:
            return self.reviewed.then
        return self.verdict.outcome if self.sampled is None else self.sampled.then

    @property
    def complete(self) -> bool:
        """Whether asking again could bring nothing new: the verdict is settled, or every provider has answered it.

        A provider that failed has not, and neither has one of whose answer something had to be refused.
        """
        return self.verdict.settled or not any(self.should_retry(signal) for signal in self.signals.values())

    @property
    def awaits(self) -> tuple[Signal, ...]:
        """The signals whose answers come later and could change the verdict; empty where it is settled."""
        if self.verdict.settled:
            return ()
        needed = {name.partition(".")[0] for name in self.verdict.missing}
        pending = (one for one in self.signals.values() if one.status is SignalStatus.PENDING)
        return tuple(one for one in pending if one.name in needed)

    def should_retry(self, signal: Signal) -> bool:
        """Whether a provider is to be asked again: it failed, or a value was refused that a rule still needs.

        One that answers later is waited for, and asked again once its time is over: see `Signal.is_awaited`.
        """
        if signal.provider is None or signal.status in _NOT_RETRIED:
            return False
        if signal.is_final:
            return False
        if signal.status is not SignalStatus.OK:
            return True
        needed = {name.partition(".")[0] for name in self.verdict.missing}
        refused = {name.partition(".")[0] for name, _ in (*signal.problems, *self.verdict.problems)}
        return signal.name in needed & refused

    def is_spoilt(self, signal: Signal) -> bool:
        """What `should_retry` was called before."""
        warn_of_old_name("Decision.is_spoilt", "Decision.should_retry", stacklevel=2)
        return self.should_retry(signal)


SEARCH_LIMIT, SEARCH_LIMIT_MAX = 50, 500
"""Decisions on a page, unless asked for otherwise, and at most."""
SEARCH_TEXT_MAX_CHARS = 512
"""Of the names that are searched for; no policy has longer ones."""


@frozen(kw_only=True)
class DecisionQuery:
    """Which decisions are wanted; what is left out does not matter. Raises RequestError.

    outcome: of the decision, which is not the verdict's where it was drawn for review. rule: matched. tag: of a rule
    that matched, in the policy that decided. reason: a reason code. missing: a field or signal that was unknown and
    mattered, such as `device.score`. unknown: a signal that was wanted and did not answer, whether it mattered or not.
    waiver: what a waiver let pass, as `Verdict.waived` names it.
    since, until: of when it was decided, aware; the first included, the second not. limit: decisions on a page.
    """

    merchant_biz_id: str | None = None
    outcome: Outcome | None = None
    policy: str | None = None
    rule: str | None = None
    reason: str | None = None
    missing: str | None = None
    tag: str | None = None
    waiver: str | None = None
    unknown: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = SEARCH_LIMIT

    def __post_init__(self) -> None:
        if self.merchant_biz_id is not None:
            check_merchant_biz_id(self.merchant_biz_id)
        if self.outcome is not None:
            try:
                object.__setattr__(self, "outcome", Outcome(self.outcome))  # a text will do
            except ValueError:
                raise RequestError("must be pass, review or reject", where="outcome") from None
        for name in ("policy", "rule", "reason", "missing", "tag", "waiver", "unknown"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and 0 < len(value) <= SEARCH_TEXT_MAX_CHARS):
                raise RequestError(f"must be a text of 1 to {SEARCH_TEXT_MAX_CHARS} characters", where=name)
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, datetime) and value.tzinfo is not None):
                raise RequestError("must be a time with a zone", where=name)
        if type(self.limit) is not int or not 1 <= self.limit <= SEARCH_LIMIT_MAX:
            raise RequestError(f"must be a whole number from 1 to {SEARCH_LIMIT_MAX}", where="limit")


@frozen(kw_only=True)
class DecisionPage:
    """Decisions that were found, newest first. next: goes on behind them; None where there is nothing more.

    A page may hold fewer than `limit`, or none, and still have a `next`: so many records were looked at.
    """

    decisions: tuple[Decision, ...] = ()
    next: str | None = None


@frozen(kw_only=True)
class ServedPolicy:
    """A policy that an engine answers with. since: when it began to, aware UTC; the same text stays what it was.

    scenes: codes of the scenes that it answers without being named. rules: how many there are, thresholds and rows of
    tables among them. signals: their names. files: of lists and of other policies that it includes.
    text: as it was loaded; None where it was not asked for.
    """

    name: str
    digest: str
    since: datetime
    scenes: tuple[str, ...] = ()
    rules: int = 0
    signals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    text: str | None = field(default=None, repr=False)
