"""The file of keys: digests and no key, read as strictly as a policy, and changed as a whole by one at a time.

keys:
  - id: "0f5e…"
    name: "flow"
    scopes: [decide, read]
    sha256: "9b…"
    made: "2026-01-31T09:00:00Z"
    expires: "2026-05-01T09:00:00Z"      # or never
    revoked: "2026-03-01T09:00:00Z"      # if it was
    rate: 50                             # requests a second; left out: as `service` says
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import cast

from adjudge.config.scopes import SCOPES, Scope
from adjudge.config.service import RATE_MAX
from adjudge.errors import EvaluationError, PolicyErrors, SetupError
from adjudge.patterns import late
from adjudge.policy.loading.load import read_source
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import Scalar, YamlNode, read_yaml
from adjudge.service.access.keys import NAME_RULE, Key, is_name
from adjudge.source import Source, Span
from adjudge.system.files import replace_file
from adjudge.values.literals import format_timestamp, parse_timestamp

KEYS_MAX = 1000
_FIELDS = ("id", "name", "scopes", "sha256", "made", "expires", "revoked", "rate")
_REQUIRED = ("id", "name", "scopes", "sha256", "made")
_ID, _SHA256 = late("[0-9a-f]{16}"), late("[0-9a-f]{64}")
_KEY = re.compile("adj_[0-9a-f]{8}[0-9a-f_]*")
"""What looks like a key: no message shows one that was written here by mistake."""
_HEAD = """# Keys of a service: their digests, and what each is for. `adjudge keys` writes this file.
# Whoever can write here can let anybody in.
"""


def read_keys(path: Path) -> Mapping[str, Key]:
    """Return the keys of a file by id. Raises PolicyErrors, and SetupError for no file or one that others may write."""
    if not path.exists():
        raise SetupError(f"there is no file `{path}`: make it with `adjudge keys new {path} --name … --scope …`")
    source = read_source(path, "keys")
    reader = Reader(Source(source.name, _KEY.sub(lambda found: "*" * len(found.group()), source.text)))
    if path.stat().st_mode & 0o022:
        raise SetupError(f"others than its owner may write `{path}`, and could let anybody in: chmod go-w it")
    root, reader.errors[:] = read_yaml(reader.source)
    found = _read(reader, root) if root is not None else {}
    if reader.errors:
        raise PolicyErrors(reader.errors)
    return found


def change_keys(path: Path, change: Callable[[Mapping[str, Key]], Mapping[str, Key]]) -> None:
    """Change the keys of a file, which is made where there is none, while nobody else does.

    Raises what `change` and `read_keys` raise, and SetupError.
    """
    try:
        with _alone_at(path):
            keys = change(read_keys(path) if path.exists() else {})
            if len(keys) > KEYS_MAX:
                raise SetupError(f"`{path}` holds {KEYS_MAX} keys, which is all it may: remove some that are revoked")
            replace_file(path, _text(keys).encode(), mode=0o600)
    except OSError as error:
        raise SetupError(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}") from None


@contextmanager
def _alone_at(path: Path) -> Iterator[None]:
    """Keep others from changing a file of the same folder meanwhile."""
    handle = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _text(keys: Mapping[str, Key]) -> str:
    """Return a file of keys. Texts are quoted: a digest may look like a number."""
    lines = ["keys:" if keys else "keys: []"]
    for key in keys.values():
        said: dict[str, object] = {
            "id": json.dumps(key.id),
            "name": json.dumps(key.name),
            "scopes": f"[{', '.join(sorted(key.scopes))}]",
            "sha256": json.dumps(key.sha256),
            "rate": key.rate,
        }
        times = {"made": key.made, "expires": key.expires, "revoked": key.revoked}
        said.update({name: f'"{format_timestamp(at)}"' for name, at in times.items() if at is not None})
        for name in _FIELDS:
            if said.get(name) is not None:
                lines.append(f"  {'- ' if name == 'id' else '  '}{name}: {said[name]}")
    return _HEAD + "\n".join(lines) + "\n"


def _read(reader: Reader, root: YamlNode) -> dict[str, Key]:
    entries = reader.mapping(root, "a file of keys", keys=("keys",), required=("keys",), at=Span(0, 0))
    found: dict[str, Key] = {}
    items = reader.items(entries["keys"][1], "`keys`") if "keys" in entries else ()
    if len(items) > KEYS_MAX:
        reader.blame("schema-range", f"there are more than {KEYS_MAX} keys", items[KEYS_MAX].span)
        return {}
    for item in items:
        key = _key(reader, item)
        if key is not None and found.setdefault(key.id, key) is not key:
            reader.blame("name-duplicate", f"there are two keys of the id {key.id}", item.span)
    return found


def _key(reader: Reader, item: YamlNode) -> Key | None:
    before = len(reader.errors)
    entries = reader.mapping(item, "one of `keys`", keys=_FIELDS, required=_REQUIRED, at=item.span)
    parts = {name: value for name, (_, value) in entries.items()}
    scopes = reader.items(parts["scopes"], "`scopes`") if "scopes" in parts else ()
    if "scopes" in parts and not scopes and len(reader.errors) == before:
        reader.blame("schema-empty", "`scopes` names none", parts["scopes"].span)
    allowed = [reader.choice(scope, "a scope", sorted(SCOPES)) for scope in scopes]
    name = _formed(reader, parts.get("name"), "name", is_name, NAME_RULE)
    key_id = _formed(reader, parts.get("id"), "id", _ID.fullmatch, "16 hex digits")
    digest = _formed(reader, parts.get("sha256"), "sha256", _SHA256.fullmatch, "64 hex digits")
    made, expires, revoked = (_time(reader, parts.get(what), what) for what in ("made", "expires", "revoked"))
    rate = reader.integer(parts["rate"], "`rate`", RATE_MAX) if "rate" in parts else None
    if rate is not None and rate < 1:
        reader.blame("schema-range", "`rate` must be at least 1", parts["rate"].span)
    if len(reader.errors) > before or made is None:
        return None
    return Key(
        id=key_id,
        name=name,
        scopes=frozenset(cast(list[Scope], allowed)),
        sha256=digest,
        made=made,
        expires=expires,
        revoked=revoked,
        rate=rate,
    )


def _formed(reader: Reader, node: YamlNode | None, what: str, is_good: Callable[[str], object], form: str) -> str:
    """Return a text of a form. What stands there in its place, perhaps a key, is not repeated."""
    if node is None:
        return ""
    if isinstance(node, Scalar) and isinstance(node.value, str) and is_good(node.value):
        return node.value
    reader.blame("schema-value", f"`{what}` must be a quoted text: {form}", node.span)
    return ""


def _time(reader: Reader, node: YamlNode | None, what: str) -> datetime | None:
    text = reader.text(node, f"`{what}`") if node is not None else None
    if node is None or text is None:
        return None
    try:
        return parse_timestamp(text)
    except EvaluationError:
        reader.blame("schema-value", f"`{what}` must be a time, such as 2026-01-31T09:00:00Z", node.span)
        return None
