"""What saves time, and decides nothing: lines that differ from good ones only in their values."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from .lines import MAC, MAX_LINE, SCHEMA, SUFFIX_LENGTH, mac_start, members_of

_PLAIN = r'"[^"\\\x00-\x1f]*+"'
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
_SCALAR = f"(?>{_NUMBER}|true|false|null|{_STRING})"
_PLAINS = rf"\[(?:{_PLAIN}(?:,{_PLAIN})*+)?+\]"
_SCALARS = rf"\[(?:{_SCALAR}(?:,{_SCALAR})*+)?+\]"
_DECISION = rb',"decision_id":"([0-9a-f]{32})","merchant_biz_id":"([^"\\\x00-\x1f]*+)"'
_LIKE = tuple(pattern.encode() for pattern in (_PLAINS, _SCALARS, _PLAIN, _STRING, _SCALAR))
"""What may stand in the place of each of these; a text without escapes is matched much faster than any text."""
_SHAPES, _SHAPE_LENGTH = 8, 65_536
"""So many shapes are remembered of each kind of record, of members of so many bytes."""


@cache
def _token() -> re.Pattern[bytes]:
    """Return what one part of a line is; compiled when a log is verified, for writing one needs no shapes."""
    any_of = rf"{_STRING}(?=:)|((?!\[\]){_PLAINS})|({_SCALARS})|({_PLAIN})|({_STRING})|({_SCALAR})|."
    return re.compile(f"(?s:{any_of})".encode())


class Shapes:
    """Records that were found to be good, as patterns: one that differs only in its values is good too.

    They save time and decide nothing: to parse every line takes half as long again as all checks together.
    """

    def __init__(self) -> None:
        self.by_kind: dict[bytes, list[re.Pattern[bytes]]] = {}

    def find(self, line: bytes, seq: int, prev: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the kind of a line that is good and like others before it, and of most decisions id and subject.

        The kind is empty for a line that has to be read.
        """
        start = b'{"schema":%d,"seq":%d,"prev":"%b","kind":"' % (SCHEMA, seq, prev)
        if len(line) > MAX_LINE or not line.startswith(start):
            return b"", ()
        if line.endswith(b',"hash":"%b"}\n' % hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode()):
            at = line.find(b'"', len(start), len(start) + 65)
            kind = line[len(start) : at]
            for shape in self.by_kind.get(kind, ()):
                like = shape.fullmatch(line, at + 1, len(line) - SUFFIX_LENGTH)
                if like is not None and (line.isascii() or _is_utf8(line)):
                    return kind, like.groups()
        return b"", ()

    def learn(self, line: bytes, kind: bytes) -> None:
        """Remember the shape of a line that is good."""
        known = self.by_kind.setdefault(kind, [])
        if len(known) < _SHAPES and len(line) <= _SHAPE_LENGTH:
            start, end = line.index(b'"kind":"') + 9 + len(kind), mac_start(line)
            decision = None if "supersedes" in members_of(line) else re.compile(_DECISION).match(line, start)
            start, shape = (decision.end(), _DECISION) if decision else (start, b"")
            mac = MAC.pattern if end + SUFFIX_LENGTH < len(line) else b""
            known.append(re.compile(shape + _token().sub(_any_like_it, line[start:end]) + mac))


def _is_utf8(line: bytes) -> bool:
    try:
        return bool(line.decode())
    except UnicodeDecodeError:
        return False


def _any_like_it(token: re.Match[bytes]) -> bytes:
    """Return a pattern of the values that may stand in the place of one; of names and brackets only themselves."""
    return _LIKE[token.lastindex - 1] if token.lastindex else re.escape(token[0])
