"""What other tools, and other keyboards, call the keys and words of a policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from adjudge.errors import nearest
from adjudge.values.look_alikes import plainly

_KEYS: Mapping[str, tuple[str, ...]] = {
    "id": ("name", "rule_id", "rule", "key", "title"),
    "when": ("if", "condition", "conditions", "expr", "expression", "where", "criteria", "trigger", "match"),
    "unless": ("except", "exception", "exclude", "excluding", "if_not", "and_not"),
    "then": ("action", "outcome", "result", "decision", "do", "verdict", "effect", "actions"),
    "reason": ("reason_code", "code", "reasons"),
    "description": ("comment", "note", "notes", "desc"),
    "message": ("text", "msg"),
    "tags": ("labels", "tag"),
    "from": ("start", "starts", "valid_from", "since"),
    "until": ("end", "ends", "valid_until", "valid_to", "expires", "to"),
    "inputs": ("input", "parameters", "fields", "params"),
    "signals": ("signal", "providers", "sources"),
    "lists": ("list", "sets"),
    "variables": ("variable", "vars", "definitions", "let"),
    "thresholds": ("threshold", "limits", "cutoffs"),
    "rules": ("rule", "checks"),
    "scorecard": ("score_card", "scoring", "scores", "score", "scorecards"),
    "points": ("rows", "weights", "rules"),
    "add": ("points", "score", "weight", "value", "point"),
    "bands": ("band", "thresholds", "bounds", "cutoffs"),
    "below": ("under", "at_most", "lower", "max", "under_or_equal"),
    "policy": ("name", "title", "policy_name"),
    "policy_language": ("version", "language", "schema", "policy_version"),
    "provider": ("source", "vendor", "plugin"),
    "with": ("config", "configuration", "params", "options", "settings"),
    "timeout": ("timeout_s", "timeout_ms", "deadline"),
    "file": ("path", "filename", "source"),
    "when_unknown": ("if_unknown", "on_unknown", "default", "fallback", "when_missing"),
    "review": ("manual", "manual_review", "refer", "warn"),
    "reject": ("decline", "deny", "block"),
    "values": ("enum", "options", "one_of", "allowed"),
    "name": ("title", "id"),
    "given": ("input", "inputs", "when", "data"),
    "expect": ("expected", "then", "outcome", "result"),
    "tests": ("cases", "test"),
    "defaults": ("default", "base"),
    "by": ("per", "key", "keys", "for_each"),
    "else": ("default", "otherwise", "fallback", "others", "rest", "*"),
    "share": ("rate", "percent", "percentage", "fraction", "probability"),
    "of": ("outcome", "outcomes"),
    "ask": ("request", "next", "next_steps", "step", "steps"),
    "confirm": ("confirmed_by", "approval", "confirmation", "needs"),
    "excuse": ("excuses", "exceptions", "waive", "waiver", "allowlist"),
    "steps": ("step", "next_steps", "asks"),
    "scenes": ("scene", "scene_codes", "scene_code"),
    "sample": ("sampling", "qa", "random"),
    "lookup": ("lookups", "lookup_tables"),
    "tables": ("table", "decision_tables", "matrix"),
    "at": ("from", "bound", "value", "score"),
    "note": ("comment", "remark", "description", "notes"),
}
"""By our key, the words for it elsewhere, the likeliest first."""
_OUTCOMES = (
    dict.fromkeys(
        ("decline", "declined", "deny", "denied", "block", "blocked", "refuse", "fail", "failed", "rejected", "stop"),
        "reject",
    )
    | dict.fromkeys(
        ("manual", "manual_review", "refer", "escalate", "hold", "check", "reviewed", "queue", "investigate", "flag"),
        "review",
    )
    | dict.fromkeys(("approve", "approved", "accept", "accepted", "allow", "allowed", "ok", "passed", "clear"), "pass")
)
_PERSON = frozenset({"yes", "true", "human", "reviewer", "analyst", "manual", "people"})
_CHOICES = (
    dict.fromkeys(("strict", "all", "parallel", "fast", "at_once"), "eager")
    | dict.fromkeys(("lazy", "cheap", "cheapest", "sequential", "economical"), "thrifty")
    | _OUTCOMES
)


def key_meant(said: str, known: Collection[str], taken: Collection[str]) -> tuple[str, bool] | None:
    """Return the key that was meant by one that is unknown, and whether it can be no other; None where none is near.

    known: the keys of this place. taken: those that stand there already, which are not proposed.
    """
    free = [key for key in known if key not in taken]
    plain = plainly(said).strip().strip("\"'")
    spelled = plain.casefold().replace("-", "_").replace(" ", "_")
    if spelled in free:
        return spelled, True
    if spelled.endswith("s") and spelled[:-1] in free:
        return spelled[:-1], True
    if f"{spelled}s" in free:
        return f"{spelled}s", True
    for key in free:
        if spelled in _KEYS.get(key, ()):
            return key, False
    close = nearest(plain, known)
    return (close, False) if close is not None and close in free else None


def choice_meant(said: str, known: Collection[str]) -> tuple[str, bool] | None:
    """Return the word that was meant by one that is none of a few, and whether it can be no other."""
    plain = plainly(said).strip().strip("\"'.,;")
    spelled = plain.casefold().replace("-", "_").replace(" ", "_")
    if spelled in known:
        return spelled, True
    other = "person" if list(known) == ["person"] and spelled in _PERSON else _CHOICES.get(spelled)
    if other is not None and other in known:
        return other, False
    close = nearest(plain, known)
    return (close, False) if close is not None else None
