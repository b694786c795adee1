"""adjudge decides pass, review or reject from what is known and what is not, and records why.

Each public name is imported when first used: a program that only evaluates policies does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from adjudge import moved

if TYPE_CHECKING:
    from adjudge.engine import Engine
    from adjudge.errors import (
        AdjudgeError,
        AuditBroken,
        AuditUnavailable,
        EngineError,
        EvaluationError,
        MerchantBizIdConflict,
        NotAllowed,
        NotAuthenticated,
        Overloaded,
        PluginError,
        PolicyError,
        PolicyErrors,
        RateLimited,
        ReplayMismatch,
        RequestError,
        SetupError,
        SignalFailed,
    )
    from adjudge.model import Decision, Face, Outcome, Request, Signal, SignalStatus, Verdict
    from adjudge.plugin import DecisionPage, DecisionQuery, hookimpl
    from adjudge.policy import Policy
    from adjudge.registry import Registry, load_policy, parse_policy

__all__ = [
    "AdjudgeError",
    "AuditBroken",
    "AuditUnavailable",
    "Decision",
    "DecisionPage",
    "DecisionQuery",
    "Engine",
    "EngineError",
    "EvaluationError",
    "Face",
    "MerchantBizIdConflict",
    "NotAllowed",
    "NotAuthenticated",
    "Outcome",
    "Overloaded",
    "PluginError",
    "Policy",
    "PolicyError",
    "PolicyErrors",
    "RateLimited",
    "Registry",
    "ReplayMismatch",
    "Request",
    "RequestError",
    "SetupError",
    "Signal",
    "SignalFailed",
    "SignalStatus",
    "Verdict",
    "hookimpl",
    "load_policy",
    "parse_policy",
]

_HOMES = {
    "Engine": "engine",
    "Policy": "policy",
    **dict.fromkeys(("DecisionPage", "DecisionQuery", "hookimpl"), "plugin"),
    **dict.fromkeys(("Registry", "load_policy", "parse_policy"), "registry"),
    **dict.fromkeys(("Decision", "Face", "Outcome", "Request", "Signal", "SignalStatus", "Verdict"), "model"),
}
"""Modules of the public names; what is not here is an error."""


moved.install()


def __getattr__(name: str) -> object:
    if name not in __all__:
        if f"adjudge.{name}" in moved.RENAMED:
            return moved.find(__name__, name, stacklevel=2)
        raise AttributeError(f"module `adjudge` has no attribute `{name}`")
    found = getattr(import_module(f"adjudge.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
