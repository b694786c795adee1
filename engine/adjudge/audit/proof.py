"""What a writer believes of the log that it finds: only what its keys prove.

A record that was signed with the key, or whose mac holds, vouches for all before it, because it holds their hash. What
stands after the last such record is believed by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from adjudge.audit.record import Record
from adjudge.audit.signing import Mac, Signer
from adjudge.audit.verify import SIGNATURE_LENGTH, SIGNED, SIGNED_LENGTH, key_id, signs
from adjudge.errors import AuditBroken
from adjudge.frozen import frozen

CHECKPOINT = "checkpoint"


def signature_of(record: Record) -> tuple[str, bytes] | None:
    """Return the id of the key that signed a checkpoint, and the signature; None where it carries none."""
    end = record.members_end
    found = SIGNED.fullmatch(record.line, max(0, end - SIGNED_LENGTH), end) if record.kind == CHECKPOINT else None
    return None if found is None else (found[1].decode(), bytes.fromhex(found[2].decode()))


@frozen
class Proof:
    """The keys that prove records: macs, and public ones by their ids."""

    macs: tuple[Mac, ...]
    publics: dict[str, bytes]

    @classmethod
    def by(cls, signers: Iterable[Signer], mac_keys: Iterable[bytes]) -> Proof:
        """Return what proves records by these keys."""
        return cls(tuple(map(Mac, mac_keys)), {key_id(signer.public): signer.public for signer in signers})

    def __or__(self, other: Proof) -> Proof:
        """Return what proves records by the keys of both."""
        return Proof(self.macs + other.macs, self.publics | other.publics)

    def holds(self, record: Record) -> bool:
        """Whether a record is by one of the keys."""
        return any(record.is_by(mac) for mac in self.macs) or self.is_signed(record)

    def is_signed(self, record: Record) -> bool:
        """Whether a record is a checkpoint that was signed with one of the keys."""
        signature = signature_of(record)
        if signature is None or (public := self.publics.get(signature[0])) is None:
            return False
        return signs(public, record.line[: record.members_end - SIGNATURE_LENGTH], signature[1])


NOBODY = Proof((), {})


class Found:
    """The end of a log, as a writer finds it. Give it the newest records in order.

    end: the last record. checkpoint: the newest checkpoint. proven_seq: the last record that the keys prove; without
    keys it is 0. first: the number of the first record that was looked at.
    """

    def __init__(self, proof: Proof | None) -> None:
        self.proof = proof
        self.first = self.proven_seq = 0
        self.end: Record | None = None
        self.checkpoint: Record | None = None
        self.doubtful: Record | None = None  # the first one after the last that is proven

    def take(self, record: Record) -> None:
        """Look at the next record."""
        self.first = self.first or record.seq
        self.end = record
        if record.kind == CHECKPOINT:
            self.checkpoint = record
        if self.proof is None:
            return
        if self.proof.holds(record):
            self.proven_seq, self.doubtful = record.seq, None
        else:
            self.doubtful = self.doubtful or record

    @property
    def is_proven(self) -> bool:
        """Whether the keys prove all that was found; an empty log is proven."""
        return self.proof is not None and self.doubtful is None

    @property
    def unsigned(self) -> int:
        """How many records stand after the newest checkpoint."""
        return 0 if self.end is None else self.end.seq - (self.checkpoint.seq if self.checkpoint is not None else 0)

    @property
    def foreign_key(self) -> str | None:
        """The id of another key that signed the last record, where these keys prove nothing of what was found."""
        if self.is_proven or self.proven_seq or self.end is None or self.proof is None:
            return None
        signature = signature_of(self.end)
        return signature[0] if signature is not None and signature[0] not in self.proof.publics else None

    def require_proof(self, where: str) -> None:
        """Raise AuditBroken with the number of the first record that the keys do not prove."""
        record = self.doubtful
        if record is None:
            return
        said = f"{where}: record {record.seq}: "
        if self.foreign_key is not None:
            raise AuditBroken(
                f"{said}this log is signed with another key, {self.foreign_key}; `adjudge audit rekey` puts the new one"
                " in its place"
            )
        signature = signature_of(self.checkpoint) if self.checkpoint is not None else None
        if self.proven_seq and signature is not None and signature[0] not in (self.proof or NOBODY).publics:
            raise AuditBroken(
                f"{said}from here on another key, {signature[0]}, signs this log; the one given is retired"
            )
        if record.has_mac:
            raise AuditBroken(
                f"{said}its mac was not made with the key, and no signature vouches for it: somebody else wrote it or"
                " changed it, or it is of another key"
            )
        raise AuditBroken(
            f"{said}it carries no mac, and no signature vouches for it: somebody else wrote it, or a writer without"
            " the key did. Once a person has looked, `adjudge audit rekey` takes it over"
        )
