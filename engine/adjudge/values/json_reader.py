"""The one reader of JSON that others wrote: requests, answers of vendors, values on the command line.

Size, depth and count are looked at before anything is built, in time that grows with the length alone. What JSON can
say and adjudge cannot hold is kept as something that no field takes, so that its neighbours are read: a number past a
double is an infinity, an integer of too many digits is one past 64 bits, half a character stays half of one.
A text of megabytes, where one may stand, is not read at all: whoever it is for does that piece by piece.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import accumulate
from operator import itemgetter
from typing import NoReturn

import msgspec

from adjudge.errors import NAME_SHOWN, JsonError
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.values.look_alikes import plain, said_of

TEXT_MAX_BYTES = 1024 * 1024
"""The longest document, but for one long string in it: a face as Base64."""
DEPTH_MAX = 100
CONTAINERS_MAX = 20_000
"""How many objects and lists a document may have."""
PARTS_MAX = 100_000
"""How many keys and values, counted by the commas and colons, those in texts among them."""
DIGITS_MAX = 40
"""Of an integer that is read digit by digit: reading takes time that grows with their square."""
_PAST: int = 10**400
"""Past every double, too: whoever reckons with it gets no number."""

PIECE = 1024 * 1024
"""Bytes of a long text that are read in one step."""
ESCAPED_MAX = 16
"""Of so many characters of a long text one may be escaped; writers escape the `/` and `+` of Base64, one in 32."""
_ESCAPE_MAX = 6
_text = msgspec.json.Decoder(str)
_anything = msgspec.json.Decoder()

PLAIN_MAX_BYTES = 64 * 1024
"""Of a document that may be read twice."""
_INTEGER_BITS = 64
_IN_DOUBT = object()

_STAND_IN = "\0 a long string"
_STEP = [0] * 256
for _bracket, _step in ((b"[", 1), (b"{", 1), (b"]", -1), (b"}", -1)):
    _STEP[_bracket[0]] = _step
_STRING = re.compile(rb'"[^"]*"?')
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


@frozen
class LongText:
    """A text of megabytes as it stands in a document between its quotes; nothing of it has been looked at."""

    document: bytes = field(repr=False)
    begins: int
    ends: int

    def pieces(self) -> Iterator[bytes]:
        """Yield what it says, which has to be ASCII, in pieces of at most PIECE bytes.

        Raises JsonError where it says anything else, or is no text of JSON.
        """
        at, escapes_left = self.begins, PIECE
        while at < self.ends:
            ends = self._before_escape(at, min(at + PIECE, self.ends))
            piece = self.document[at:ends]
            if b"\\" in piece:
                escapes_left += len(piece) // ESCAPED_MAX - (len(piece) - len(piece.translate(None, b"\\")))
                if escapes_left < 0:
                    raise JsonError("has more escapes than plain text needs")
                piece = _unescaped(piece)
            if not piece.isascii():
                raise JsonError("has characters that are not ASCII")
            yield piece
            at = ends

    def _before_escape(self, at: int, ends: int) -> int:
        """Return where a piece ends, so that it cuts through no escape."""
        last = self.document.rfind(b"\\", at + 1, ends) if ends < self.ends else -1
        if last < ends - _ESCAPE_MAX:
            return ends
        before = self.document[at:last]
        is_escaped = (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
        return ends if is_escaped else last


def read_json(data: bytes, *, max_bytes: int = TEXT_MAX_BYTES, long_at: Sequence[str] = ()) -> object:
    """Return what a JSON document of UTF-8 says: strictly, and no key twice in one object.

    max_bytes: of the whole document; only the text at `long_at`, a path of keys, may make it longer than twice
    TEXT_MAX_BYTES, and is a LongText then.
    Raises JsonError, which names the place.
    """
    if len(data) > max_bytes:
        raise JsonError(f"the document is larger than {_size(max_bytes)}")
    if len(data) <= 2 * TEXT_MAX_BYTES:
        _refuse_too_much(data)
        found = _plain(data) if len(data) <= PLAIN_MAX_BYTES else _IN_DOUBT
        return found if found is not _IN_DOUBT else _parsed(data, _once)
    return _with_long_text(LongText(data, *_long_string(data)), long_at)


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count % 2**20 == 0 else f"{count} bytes"


def _long_string(data: bytes) -> tuple[int, int]:
    """Return where the one long string stands in a document of more than two TEXT_MAX_BYTES, without its quotes.

    As all the rest is shorter than that, the byte right behind that length can stand in no other.
    """
    begins = data.rfind(b'"', 0, TEXT_MAX_BYTES + 1) + 1
    ends = data.find(b'"', TEXT_MAX_BYTES + 1)
    if begins == 0 or ends < 0 or len(data) - (ends - begins) > TEXT_MAX_BYTES:
        raise JsonError(f"the document is larger than {_size(TEXT_MAX_BYTES)}, but for its longest string")
    return begins, ends


def _with_long_text(long: LongText, path: Sequence[str]) -> object:
    """Return a document with its longest string, unread, in the one place where it may stand."""
    rest = long.document[: long.begins] + long.document[long.ends :]
    _refuse_too_much(rest)
    holders: list[tuple[dict[str, object], str]] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = _once(pairs)
        holders.extend((found, key) for key, value in pairs if value == _STAND_IN)
        return found

    stand_in = json.dumps(_STAND_IN)[1:-1].encode()
    document = _parsed(rest[: long.begins] + stand_in + rest[long.begins :], once, long.ends - long.begins)
    if len(holders) != 1 or _at(document, path) != _STAND_IN:
        where = holders[0][1][:NAME_SHOWN] if len(holders) == 1 else ""
        raise JsonError(f"a string is longer than {_size(TEXT_MAX_BYTES)}", where=where)
    ((holder, key),) = holders
    holder[key] = long
    return document


def _at(document: object, path: Sequence[str]) -> object:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _unescaped(piece: bytes) -> bytes:
    try:
        return _text.decode(b'"%b"' % piece).encode()
    except msgspec.MsgspecError:  # half a character, or what is no JSON: the strict reader has the words for it
        return str(_parsed(b'"%b"' % piece, _once, len(piece))).encode("utf-8", "surrogatepass")


def _refuse_too_much(data: bytes) -> None:
    """Look at the count and depth of what will be built. Raises JsonError."""
    containers = data.count(b"[") + data.count(b"{")
    if containers > CONTAINERS_MAX:
        raise JsonError(f"the document has more than {CONTAINERS_MAX:,} objects and lists")
    if data.count(b",") + data.count(b":") > PARTS_MAX:
        raise JsonError(f"the document has more than {PARTS_MAX:,} keys and values")
    if containers > DEPTH_MAX and _depth(data) > DEPTH_MAX:
        raise JsonError(f"the document is nested more than {DEPTH_MAX} deep")


def _depth(data: bytes) -> int:
    """Return how deep objects and lists stand in one another; of no JSON, any number."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")  # no quote is left that ends no string
    brackets = _STRING.sub(b"", plain).translate(None, _ALL_BUT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _plain(data: bytes) -> object:
    """Return what a document says that is beyond doubt, in half the time; of any other `_IN_DOUBT`.

    A document has as many colons as keys, and more with one in a text. Of two equal keys msgspec keeps one, so that
    colons are left over then. It reads some numbers and half characters in another way, or not at all.
    """
    try:
        found = _anything.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _IN_DOUBT
    keys, values = 0, [found]
    for value in values:  # which grows meanwhile
        kind = type(value)
        if kind is dict:
            keys += len(value)
            values += value.values()
        elif kind is list:
            values += value
        elif kind is int and value.bit_length() > _INTEGER_BITS:
            return _IN_DOUBT
    return found if keys == data.count(b":") else _IN_DOUBT


def _parsed(data: bytes, once: Callable[[list[tuple[str, object]]], dict[str, object]], cut: int = 0) -> object:
    """Return what a text says. cut: how many bytes were taken out of it, so that its columns are not the document's."""
    if data.startswith(BOM_UTF8):
        raise JsonError("the document begins with a byte-order mark: save it as UTF-8 without one")
    try:
        return json.loads(data.decode(), object_pairs_hook=once, parse_int=_integer, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        place = "the document" if cut else f"byte {error.start + 1} of the document"
        raise JsonError(f"{place} is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}" + ("" if cut else f", column {error.colno}")
        why = _why_not(error.doc, error.pos, error.msg) or f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise JsonError(f"is not JSON: {why}", where=where) from None
    except RecursionError:
        raise JsonError(f"the document is nested more than {DEPTH_MAX} deep") from None


_OTHER_WORDS = late(r"(?:None|True|False|NULL|Null|TRUE|FALSE|undefined)\b")
_NAME = late(r"[A-Za-z_]\w*")


def _why_not(text: str, at: int, said: str) -> str | None:
    """Return what a person typed where JSON has another sign; None where it is none of the usual."""
    char, before = text[at : at + 1], text[max(0, at - 40) : at].rstrip()
    if char and plain(char) is not None:
        return f"there is {said_of(char)} here"
    if char == "'":
        return 'text and names stand in double quotes: "…"'
    if char in "}]" and char and before.endswith(","):
        return f"there is a `,` too many before this `{char}`"
    if word := _OTHER_WORDS.match(text, at):
        meant = "null" if word.group()[0] in "Nu" else word.group().lower()
        return f"`{word.group()}` is written `{meant}`"
    if char.isdigit() and re.search(r"\d,$", before):
        return "a number has no comma in it"
    if char == '"' and "':'" in said:
        return "a `:` is missing before this"
    if char == '"' and before[-1:] and before[-1] in '"0123456789]}el':
        return "a `,` is missing before this"
    if _NAME.match(text, at) and before.endswith(("{", ",")):
        return 'names stand in double quotes: "…"'
    return None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(map(itemgetter(0), pairs)).items() if times > 1)
        raise JsonError(f"the key `{twice[:NAME_SHOWN]}` appears twice in one object", where=twice[:NAME_SHOWN])
    return found


def _integer(digits: str) -> int:
    if len(digits) <= DIGITS_MAX:
        return int(digits)
    return -_PAST if digits[0] == "-" else _PAST


def _refuse_constant(constant: str) -> NoReturn:
    raise JsonError(f"{constant} is not a JSON number")
