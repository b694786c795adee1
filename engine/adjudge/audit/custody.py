"""The vault held against the log: does it have what it should, and nothing that was erased?

The log's own bytes are `verify`'s matter. This looks at what they say of personal values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from adjudge.audit.bodies import COMMITMENT, DecisionBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.erasures import Erasures
from adjudge.audit.kinds import bodies
from adjudge.audit.vault import Standing, Vault
from adjudge.frozen import frozen
from adjudge.plugin import CallBody

SHOWN = 20
"""How many of a kind are named; all are counted."""

What = Literal["missing", "unreadable", "misfiled", "present"]

_WHAT: dict[Standing, What] = {"held": "misfiled", "absent": "missing", "unreadable": "unreadable"}


@frozen(kw_only=True)
class Stray:
    """A value that is not as the log says.

    missing: the vault lacks it, and no record says that it was erased. unreadable: it is there and its key does not
    open it: it was changed, or the key is not the one that sealed it. misfiled: it is there under another name or
    MerchantBizId, where an erasure does not find it. present: it is there in spite of the record.
    seq: of the first record that names it. erased_seq: of that record. chain, erased_chain: of each, where there are
    several.
    """

    what: What
    seq: int
    merchant_biz_id: str
    name: str
    erased_seq: int | None = None
    chain: str = ""
    erased_chain: str = ""


@dataclass(slots=True)
class Custody:
    """What became of the values that a log's records name.

    held, erased: how many commitments are there, and are lawfully gone; one counts for each record that names it.
    """

    held: int = 0
    erased: int = 0
    counts: dict[What, int] = field(
        default_factory=lambda: {"missing": 0, "unreadable": 0, "misfiled": 0, "present": 0}
    )
    strays: list[Stray] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether the vault is as the log says."""
        return not any(self.counts.values())

    def add(self, stray: Stray) -> None:
        """Count a value that is not as the log says."""
        self.counts[stray.what] += 1
        if self.counts[stray.what] <= SHOWN:
            self.strays.append(stray)


def check_vault(log: AnyLog) -> Custody:
    """Hold a log's vault against its records, reading only. Raises as `records`, and AuditUnavailable."""
    found, erasures = Custody(), Erasures(log)
    with Vault.of(log) as vault:
        for record, body in bodies(log, DecisionBody, CallBody):
            for name, commitment in _named(body):
                standing = vault.standing(commitment)
                gone = erasures.of(body.merchant_biz_id, name, record.place)
                if gone is None and standing == "held" and vault.is_filed(commitment, body.merchant_biz_id, name):
                    found.held += 1
                elif gone is not None and standing != "held":  # a copy without its key tells nothing
                    found.erased += 1
                else:
                    what: What = "present" if gone is not None else _WHAT[standing]
                    found.add(
                        Stray(
                            what=what,
                            seq=record.seq,
                            merchant_biz_id=body.merchant_biz_id,
                            name=name,
                            erased_seq=gone.seq if gone is not None else None,
                            chain=record.chain,
                            erased_chain=gone.chain if gone is not None else "",
                        )
                    )
    return found


def _named(body: DecisionBody | CallBody) -> Iterator[tuple[str, str]]:
    """Yield the personal values that a record names: full name and commitment."""
    if isinstance(body, DecisionBody):
        groups = {"": body.inputs, **{f"{name}.": signal.fields for name, signal in body.signals.items()}}
    else:
        groups = {f"{body.answer.name}.": body.answer.fields} if body.answer is not None else {}
    for prefix, fields in groups.items():
        for name, value in fields.items():
            if prefix + name in body.personal and isinstance(value, dict):
                yield prefix + name, str(value.get(COMMITMENT))
