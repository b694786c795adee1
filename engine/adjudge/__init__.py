"""adjudge decides pass, review or reject from what is known and what is not, and records why."""

from adjudge.engine import Engine
from adjudge.errors import (
    AdjudgeError,
    AuditBroken,
    AuditUnavailable,
    EvaluationError,
    MerchantBizIdConflict,
    PluginError,
    PolicyError,
    PolicyErrors,
    ReplayMismatch,
    RequestError,
    SignalFailed,
)
from adjudge.model import Decision, Face, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.plugin import hookimpl
from adjudge.policy import Policy
from adjudge.registry import Registry, load_policy, parse_policy

__all__ = [
    "AdjudgeError",
    "AuditBroken",
    "AuditUnavailable",
    "Decision",
    "Engine",
    "EvaluationError",
    "Face",
    "MerchantBizIdConflict",
    "Outcome",
    "PluginError",
    "Policy",
    "PolicyError",
    "PolicyErrors",
    "Registry",
    "ReplayMismatch",
    "Request",
    "RequestError",
    "Signal",
    "SignalFailed",
    "SignalStatus",
    "Verdict",
    "hookimpl",
    "load_policy",
    "parse_policy",
]
