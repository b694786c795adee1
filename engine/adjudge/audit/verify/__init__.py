"""Check an audit log without the engine: `python verify LOG`, where this folder is `verify`.

It needs Python 3.11 and nothing else.

A log is a directory of segments `audit-000001.jsonl`, `audit-000002.jsonl` … that are read as one. Every line is one
record, a JSON object without spaces between its members, ended by a newline:

    {"schema":1,"seq":7,"prev":"<64 hex>","kind":"decision", … ,"mac":"<64 hex>","hash":"<64 hex>"}

`hash` is the SHA-256 of the line's bytes before `,"hash":"`, so of everything but its last 76 bytes (75 and the
newline). `prev` is the hash of the record before, 64 zeros for the first. `seq` counts from 1 without gaps.

`mac` is there where the writer has a key: HMAC-SHA-256 over the line's bytes before `,"mac":"`, so of everything but
its last 149 bytes. Its key is given, 32 bytes, or derived from the private key that signs (`mac_key_of`).

Every so often, and when a writer closes, comes a checkpoint. It repeats what it stands behind (`count` records, the
`last` hash, and `log`, the hash of record 1), how many records a failing disk has lost (`gap`), and after how many
records the next one comes at the latest (`every`). A signed one ends

    … ,"key":"<16 hex>","signature":"<128 hex>","mac":"<64 hex>","hash":"<64 hex>"}

where `signature` is Ed25519 over the line's bytes before `,"signature":"`, and `key` is the beginning of the SHA-256 of
the public key's 32 bytes. The one of an orderly close says `"closed":true`. What comes next is the checkpoint of
another start; it says in `found` how many records after the last checkpoint that start met, and what
proved them. The first one by another key says in `retires` which key it takes the place of.

A record that is signed, or whose mac holds, vouches for all before it, because it holds their hash. So what has to be
looked at is what stands after the last of these.

What this proves without keys: nobody changed, removed, added or moved a record without also computing every later hash
anew. With `--key`: nobody without the private key did so before the last signature, and no signature was taken out;
`--closed` demands that nothing stands after it. With `--mac-key`, also after it; where nothing is signed, `--closed`
then demands that the log ends with an orderly close. That the log was cut off, or that its writer keeps two, only an
outside witness can tell: give the file of checkpoints that was kept elsewhere as `--anchors`, or a hash and a count as
`--expect-last`, `--expect-count`.

To judge this program, read `log.py`: it says what is checked, and in which order. The rest is how a line is read
(`lines.py`), what the decisions say of each other (`decisions.py`), what saves time and decides nothing (`shapes.py`),
keys (`keys.py`, `ed25519.py`), and a command line. The folder can be copied anywhere; it imports nothing but Python's
standard library.
"""

from .command import check_hash, main, read_given, verify_files
from .decisions import Decisions, decision_of
from .ed25519 import signs
from .findings import Findings, render
from .keys import key_id, mac_key_of, read_keys, read_mac_key
from .lines import (
    CHAIN_MEMBERS,
    FIRST_PREV,
    MAX_LINE,
    PREFIX,
    SCHEMA,
    SIGNATURE_LENGTH,
    SIGNED,
    SIGNED_LENGTH,
    SUFFIX,
    SUFFIX_LENGTH,
    Lines,
    mac_start,
    opened,
)
from .log import verify
from .problem import Problem
from .segments import (
    ARCHIVED,
    Away,
    Chain,
    LogPath,
    Piece,
    Pieces,
    WithArchive,
    away_of,
    carried,
    folder_of,
    missing,
    pieces,
    segments,
    unsaid,
)

__all__ = [
    "ARCHIVED",
    "CHAIN_MEMBERS",
    "FIRST_PREV",
    "MAX_LINE",
    "PREFIX",
    "SCHEMA",
    "SIGNATURE_LENGTH",
    "SIGNED",
    "SIGNED_LENGTH",
    "SUFFIX",
    "SUFFIX_LENGTH",
    "Away",
    "Chain",
    "Decisions",
    "Findings",
    "Lines",
    "LogPath",
    "Piece",
    "Pieces",
    "Problem",
    "WithArchive",
    "away_of",
    "carried",
    "check_hash",
    "decision_of",
    "folder_of",
    "key_id",
    "mac_key_of",
    "mac_start",
    "main",
    "missing",
    "opened",
    "pieces",
    "read_given",
    "read_keys",
    "read_mac_key",
    "render",
    "segments",
    "signs",
    "unsaid",
    "verify",
    "verify_files",
]
