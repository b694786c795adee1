"""What goes wrong, split by who can mend it: every error that adjudge raises on purpose, in one tree.

Every error carries a stable `code`. Messages are lower case and without a full stop; user text stands in backticks.
`docs/errors.md` draws the tree, and a test holds it to this file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest
from itertools import islice, pairwise
from operator import sub
from typing import Literal

from adjudge.source import Edit, Source, Span
from adjudge.texts import one_line


class AdjudgeError(Exception):
    """The base of every error that adjudge raises on purpose."""

    code: str = "adjudge"


class PolicyError(AdjudgeError):
    """One mistake in a policy, a condition or a test file, with its place; for the policy's author."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        source: Source,
        span: Span,
        hint: str | None = None,
        note: str = "",
        fix: Iterable[Edit] = (),
        is_sure: bool = False,
    ) -> None:
        """Place a mistake.

        note: a few words that stand beside the caret, such as what was expected. fix: edits of `source` that mend it,
        as the hint says in words; after them it loads, as far as this mistake goes. is_sure: whether nothing else can
        have been meant, so that they may be made without asking.
        """
        message = one_line(message)
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = one_line(hint) if hint else None
        self.note = one_line(note)
        self.fix = tuple(edit for one in fix if (edit := _in_own_text(source, one, span)) is not None)
        self.is_sure = is_sure and bool(self.fix)
        part, start = source.part(span.start)
        whole, end = source.part(span.end)
        source, span = part, Span(start, end if whole is part and end >= start else start + span.end - span.start)
        self.source = source
        self.span = span
        self.file = source.name
        self.line, self.column = source.place(span.start)

    def __str__(self) -> str:
        return f"{one_line(self.file)}:{self.line}:{self.column}: error[{self.code}]: {self.message}"

    def render(self) -> str:
        """Return the error as a person reads it: place, message, the line with a caret, and the way out."""
        width = self.span.end - self.span.start
        lines = [str(self), *self.source.excerpt(self.line, self.column, width, self.note)]
        if self.hint:
            lines.append(f"   hint: {self.hint}")
        return "\n".join(lines)


def _in_own_text(source: Source, edit: Edit, at: Span) -> Edit | None:
    """Return an edit with its range counted in the file that a person wrote; None for one of another file."""
    part, start = source.part(edit.span.start)
    own, end = source.part(edit.span.end)
    if part is not source.part(at.start)[0] or own is not part:
        return None
    return Edit(span=Span(start, end), text=edit.text)


class PolicyErrors(AdjudgeError, ExceptionGroup[PolicyError]):
    """Every mistake that was found, sorted by file, line and column."""

    code = "policy"

    def __new__(cls, errors: Sequence[PolicyError]) -> PolicyErrors:
        """Sort the errors and count them in the message."""
        ordered = sorted(errors, key=lambda error: (error.file, error.span.start, error.span.end, error.code))
        count = f"{len(ordered)} error" + ("s" if len(ordered) != 1 else "")
        return super().__new__(cls, count, ordered)

    def __init__(self, errors: Sequence[PolicyError]) -> None:
        """Nothing more to set: ExceptionGroup is made in `__new__`."""

    def derive(self, excs: Sequence[PolicyError]) -> PolicyErrors:  # type: ignore[override]  # narrower on purpose
        """Return a group of some of these errors, for `except*`."""
        return PolicyErrors(excs)

    @property
    def errors(self) -> tuple[PolicyError, ...]:
        """The mistakes in order of their place."""
        return tuple(error for error in self.exceptions if isinstance(error, PolicyError))

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)

    def render(self) -> str:
        """Return all errors as a person reads them."""
        return "\n\n".join(error.render() for error in self.errors)


class FieldError(AdjudgeError):
    """A declaration of a field that cannot be read; `path` leads to the wrong part of it."""

    code = "field"

    def __init__(
        self, code: str, message: str, *path: str | int, hint: str | None = None, meant: str | None = None
    ) -> None:
        """meant: what to write at the path."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.hint = hint
        self.meant = meant


class EvaluationError(AdjudgeError):
    """A condition has no answer: an operand is unknown, or an operation failed."""

    code = "evaluation"


class MissingExtra(AdjudgeError):
    """Something was asked for that an optional package does, and it is not installed."""

    code = "missing-extra"

    def __init__(self, extra: str, package: str) -> None:
        """extra: of adjudge. package: what it brings."""
        super().__init__(f"this needs the package `{package}`")
        self.hint = f"pip install 'adjudge[{extra}]'"


class RequestError(AdjudgeError, ValueError):
    """A request that cannot be decided as it stands; for the engineer. Nothing was recorded or asked."""

    code = "request"

    def __init__(self, message: str, *, where: str = "", hint: str | None = None) -> None:
        """where: the part of the request, such as `inputs.country`."""
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.hint = hint


class JsonError(AdjudgeError):
    """A JSON document that others wrote and that is none, says a key twice, or is more than is read."""

    code = "json"

    def __init__(self, message: str, *, where: str = "") -> None:
        """where: the line and column, or the key."""
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class ListFileError(AdjudgeError):
    """A list file that cannot be read as one; the message names the line."""

    code = "unreadable-list"


class MerchantBizIdConflict(AdjudgeError):
    """A MerchantBizId came again with another face, scene, policy or other inputs; the first decision stands."""

    code = "merchant-biz-id-conflict"


class SetupError(AdjudgeError, ValueError):
    """The parts that an engine is put together from do not fit; for the engineer."""

    code = "setup"


class EngineError(AdjudgeError, RuntimeError):
    """An engine that cannot be used so: it is not open, is closed, was forked, or its event loop has ended."""

    code = "engine"


class Overloaded(AdjudgeError):
    """An engine has as much under way as it is allowed to; nothing was asked or recorded.

    retry_after_s: seconds after which there may be room, by how long decisions take these days.
    """

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """A caller asks a service more often than it may; nothing was asked or recorded."""

    code = "rate-limited"


class NotAuthenticated(AdjudgeError):
    """A service does not know who asks: without a key or a token, or with one that it does not take."""

    code = "unauthenticated"


class NotAllowed(AdjudgeError):
    """A caller asks a service for what their key or token does not allow; the message names the scope."""

    code = "not-allowed"


class LostClaim(AdjudgeError):
    """Another holder has claimed a MerchantBizId since: what was being decided is not written; for ledgers."""

    code = "lost-claim"


class Overtaken(AdjudgeError):
    """Somebody else did something first: look at it, and decide again what to do.

    Of ledgers, who raise it among themselves: another holder has written the next record of a name.
    """

    code = "overtaken"


class BundleRefused(AdjudgeError):
    """A bundle of policies is not what it should be: unsigned, foreign, older than one before, or too large."""

    code = "bundle-refused"


class BundleUnavailable(AdjudgeError):
    """A bundle of policies cannot be had now, and there is none from before."""

    code = "bundle-unavailable"


Bound = Literal["daily_calls", "daily_spend", "rate"]
"""What a provider's limits bound, over all who ask it."""


class QuotaReached(AdjudgeError):
    """A call that all who use a ledger together may not make now; for ledgers.

    bound: which of the quota's bounds is reached.
    """

    code = "quota-reached"

    def __init__(self, bound: Bound) -> None:
        super().__init__(f"`{bound}` is reached")
        self.bound = bound


class PluginError(AdjudgeError):
    """A plugin that does not load, register or keep its word; for the plugin's author."""

    code = "plugin"

    def __init__(self, message: str, *, plugin: str, distribution: str = "") -> None:
        """plugin: its entry point's name; distribution: the installed package and version, where known."""
        super().__init__(f"plugin `{plugin}`: {message}")
        self.plugin = plugin
        self.distribution = distribution


class ProviderConfigError(AdjudgeError):
    """A provider cannot work with the `with:` of a policy; `path` leads to the wrong key."""

    code = "provider-config"

    def __init__(self, message: str, *path: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint


class SignalFailed(AdjudgeError):
    """A provider has no answer. Raised by providers; becomes unknown fields with this reason, never a crash.

    kind: `timeout` and `unavailable` may pass; `error` does not; `misconfigured` is the operator's to mend, and stops
    all calls for a while.
    capture_again: a sentence for the applicant where a new picture could help.
    billed: False where nothing can have been paid, True where it was; None where nobody knows, which makes a call of a
    provider with a price one in doubt: it is made again only where the policy says so.
    retry_after_s: seconds for which the other side wants to be left alone, where it says so.
    asked: False where the other side was not asked at all, so that nothing speaks against it.
    """

    code = "signal-failed"

    def __init__(
        self,
        reason: str,
        *,
        kind: str = "error",
        reason_code: str | None = None,
        capture_again: str | None = None,
        request_id: str | None = None,
        billed: bool | None = None,
        retry_after_s: float | None = None,
        asked: bool = True,
    ) -> None:
        """reason: a few words for the decision and the log; never a secret or a picture."""
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.reason_code = reason_code
        self.capture_again = capture_again
        self.request_id = request_id
        self.billed = billed
        self.retry_after_s = retry_after_s
        self.asked = asked


class SignalLater(SignalFailed):
    """A provider answers later: its client has a `read_late`, to which the answer is sent. Raised by providers.

    within_s: seconds from now within which the answer counts, up to 90 days.
    """

    def __init__(self, *, within_s: float, request_id: str | None = None, billed: bool | None = True) -> None:
        """request_id: what the other side calls this call. billed: as of SignalFailed."""
        super().__init__("the answer comes later", kind="later", request_id=request_id, billed=billed)
        self.within_s = within_s


class UnknownCall(AdjudgeError):
    """A late answer that is not taken: nobody waits for such a call, or who sends it is not who was asked.

    The two are told alike, so that nobody learns which calls there are.
    """

    code = "unknown-call"

    def __init__(self) -> None:
        super().__init__("no answer is taken for this call, or its signature is not right")


class AnsweredOtherwise(AdjudgeError):
    """A call has had another answer already, or its time is over: the first answer stands."""

    code = "answered-otherwise"


class ReaderFailed(AdjudgeError):
    """A reader of the log cannot take records now; it is asked again what it holds. Raised by readers.

    retry_after_s: seconds for which the other side wants to be left alone, where it says so; an hour counts at most.
    """

    code = "reader-failed"

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        """reason: a few words for the operator's log; never a secret or a value of a request."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class TargetRefused(AdjudgeError):
    """A request of ours would go where nobody allowed it: to a private address, or where a cloud hands out keys."""

    code = "target-refused"


class WrongPosition(AdjudgeError):
    """A reader says that it holds what is no record of this log; for the operator, who looks which one is true."""

    code = "wrong-position"


class AuditUnavailable(AdjudgeError):
    """The audit log cannot be written now, so nothing was decided; the engine tries again at the next request."""

    code = "audit-unavailable"


class LogInUse(AuditUnavailable):
    """Another process writes the audit log, and only one can."""

    code = "log-in-use"


class NothingRead(AuditUnavailable):
    """Where a log was to be read there is none, or nothing in it of what was wanted."""

    code = "nothing-read"


class ServiceUnavailable(AuditUnavailable):
    """The service that a client asks is not there, ends, or gave no answer in time; for the operator.

    It may have decided: ask again with the same MerchantBizId, and the answer is that decision.
    """

    code = "service-unavailable"


class ServiceMismatch(ServiceUnavailable):
    """What answers a client is no service of adjudge, or one of another version; for the operator."""

    code = "service-mismatch"


class AuditBroken(AdjudgeError):
    """The audit log on disk does not verify; nothing is written to it until a person has looked."""

    code = "audit-broken"


class ReplayMismatch(AdjudgeError):
    """A replayed decision differs from the recorded one."""

    code = "replay-mismatch"


class DataError(AdjudgeError):
    """Data that a backtest cannot use as it stands; the message names the column and the way out."""

    code = "data"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class TooFewRows(DataError):
    """A calibration set that is too small to say anything."""


class TableFault(AdjudgeError):
    """A table of a policy that cannot be brought from or to a file."""

    code = "table"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class StateError(AdjudgeError):
    """A state that is not of this replay."""

    code = "replay"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class FormatFault(AdjudgeError):
    """A document would not have said the same afterwards; nothing was changed."""

    code = "format"


class SuggestFault(AdjudgeError):
    """A file of tests to which suggestions cannot be added; it was left as it is."""

    code = "suggest"


class ScaffoldError(AdjudgeError):
    """An answer that no policy can be made of."""

    code = "new"

    def __init__(self, message: str, hint: str | None = None) -> None:
        """hint: the way out."""
        super().__init__(message)
        self.hint = hint


CANDIDATES_MAX = 1000
"""How many known names are compared with a misspelled one; a policy has fewer, and a hint must not cost seconds."""
NAME_SHOWN = 60
"""How much is told of a name that means nothing."""
NAME_MAX = 64
"""Nobody misspells a longer name by hand."""
_JUDGED_MAX = 3
_LISTED_MAX = 10


def listed(names: Collection[str]) -> str:
    """Return names for a message: `a, b, c`, and of many the first and how many more there are."""
    first = ", ".join(islice(names, _LISTED_MAX))
    more = len(names) - _LISTED_MAX
    return f"{first} and {more:,} more" if more > 0 else first


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None.

    Cost: some hundred microseconds, however many names are known: a policy can have a mistake in each line.
    """
    if len(name) > NAME_MAX:
        return None
    candidates = tuple(islice(known, CANDIDATES_MAX))
    by_fold, parts, halves = _vocabulary(candidates)
    same = by_fold.get(name.casefold(), "")
    if len(same) == len(name):
        return same or None
    if len(candidates) > _JUDGED_MAX:
        shared = map(int.bit_count, map(_parts(name).__and__, parts))
        likeness = zip(map(sub, shared, halves), range(0, -len(candidates), -1), strict=True)
        candidates = tuple(candidates[-at] for _, at in nlargest(_JUDGED_MAX, likeness))
    close = get_close_matches(name, [one for one in candidates if len(one) <= NAME_MAX], n=1, cutoff=0.6)
    return close[0] if close else None


@lru_cache(maxsize=64)
def _vocabulary(names: tuple[str, ...]) -> tuple[Mapping[str, str], Sequence[int], Sequence[float]]:
    """Return names by their case-folded form, the parts of each, and half of how many those are."""
    by_fold = {name.casefold(): name for name in reversed(names)}
    parts = [_parts(name) for name in names]
    return by_fold, parts, [one.bit_count() / 2 for one in parts]


@lru_cache(maxsize=4096)
def _parts(name: str) -> int:
    """Return a name's letters and pairs of letters as bits: what two names share shows how alike they are."""
    bits = 0
    for one, other in pairwise(f"{name[:NAME_MAX].lower()} "):
        bits |= 1 << ord(one) % 61 | 1 << 61 + (ord(one) * 31 + ord(other)) % 251
    return bits


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the hint `did you mean …?` for a misspelled name, or None."""
    close = nearest(name, known)
    return f"did you mean `{close}`?" if close else None
