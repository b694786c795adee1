"""Records of a log, read from where they stand in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from adjudge.audit.file import segment_begun
from adjudge.audit.log import AuditLog
from adjudge.audit.read import read_on
from adjudge.audit.record import MAX_LINE, Record, parse
from adjudge.audit.verify import segments
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.ledger.index_file import segment_of

_USUAL = 16 * 1024
"""Bytes of most records, which are read at once."""


class Places:
    """The places of one log. since: gives seconds since 1970; what is older does not answer any more."""

    def __init__(self, log: AuditLog, since: Callable[[], float]) -> None:
        self._directory, self._keys, self._since = log.directory, log.keys, since

    def segment(self, place: int) -> tuple[Path, int]:
        """Return the file of a place, and the byte in it."""
        number, start = segment_of(place)
        return self._directory / f"audit-{number:06}.jsonl", start

    def read(self, place: int, elsewhere: Mapping[str, Path] = MappingProxyType({})) -> Record | None:
        """Return the record at a place; None where the segment was moved away long ago.

        elsewhere: where segments are that were moved away, by name.
        Raises MalformedLine where no good record begins there; AuditBroken where no key proves it; AuditUnavailable.
        """
        path, start = self.segment(place)
        path = elsewhere.get(path.name, path)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(start)
                line = file.read(_USUAL)
                if b"\n" not in line:
                    with path.open("rb") as whole:
                        whole.seek(start)
                        line = whole.readline(MAX_LINE + 1)
            record = parse(line[: line.find(b"\n") + 1])
        except FileNotFoundError:
            later = next((each for each in segments(self._directory) if each.name > path.name), None)
            if later is None or segment_begun(later, self._since()) <= self._since():
                return None
            raise AuditUnavailable(f"{path}: is missing, and holds what still answers a MerchantBizId") from None
        except OSError as error:
            raise AuditUnavailable(f"{path}: {error.strerror or error}") from error
        if self._keys is not None and not self._keys.holds(record):
            self._require_proof(path, start, record)
        return record

    def _require_proof(self, path: Path, start: int, record: Record) -> None:
        """Raise AuditBroken where nothing that a key proves vouches for a record of another key's time."""
        for _, _, later in read_on(self._directory, path, start):
            if self._keys is not None and self._keys.holds(later):
                return
        raise AuditBroken(f"{path}: record {record.seq}: no key proves it: somebody else wrote it or changed it")
