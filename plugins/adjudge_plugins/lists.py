"""The provider `lists`: is a value of the request in a list that changes between policy releases?

```yaml
blocklist:
  provider: lists
  with:
    email_blocked: {file: /etc/adjudge/blocked-emails.txt, of: inputs.email, casefold: true}
    known_forgery: {file: /etc/adjudge/forgeries.txt, of: face_digest}
rules:
  - {id: blocked-email, when: blocklist.email_blocked, then: reject}
```

Each name becomes a `bool`. A file is read as one of a policy's `lists:` is: one value a line, UTF-8; blanks around it
do not count, and neither does what follows a `#` behind a blank. It is read again when it has changed: replace it by a
rename, so that nobody reads half of it. A relative path starts at the process's working directory. A value that the
request does not have, or of which not all can be seen, is in no list and out of none: its field is unknown. A file that
cannot be read, or has a mistake in it, leaves all fields unknown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import EINVAL
from pathlib import Path
from stat import S_ISREG
from time import monotonic, time_ns
from typing import Any

from adjudge.plugin import (
    Answer,
    Context,
    Field,
    FileState,
    ListFileError,
    Pool,
    Provider,
    ProviderConfigError,
    Register,
    Request,
    SignalFailed,
    Uses,
    composed,
    find_unseen,
    hookimpl,
    parse_fields,
    read_list,
)
from adjudge_plugins.settings import refuse_unknown_keys, required_text

FILE_MAX_BYTES = 256 * 1024 * 1024

_KEYS = ("file", "of", "casefold")
_PARTS = ("merchant_biz_id", "scene_code", "face_digest")
_EXAMPLE = "write `email_blocked: {file: blocked.txt, of: inputs.email}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSettings:
    """One named list of a policy's `with:`, read."""

    file: Path
    of: str
    casefold: bool

    def normal(self, value: str) -> str:
        """Return a value, of the request or of the file, as it is compared."""
        value = composed(value.strip())
        return composed(value.casefold()) if self.casefold else value


def read_settings(config: Mapping[str, Any]) -> dict[str, ListSettings]:
    """Read a `with:`. Raises ProviderConfigError."""
    if not config:
        raise ProviderConfigError("no list is named", hint=_EXAMPLE)
    return {name: _read_list(name, form) for name, form in config.items()}


def _read_list(name: str, form: object) -> ListSettings:
    if not name.isidentifier() or not name.isascii():
        raise ProviderConfigError(f"`{name}` cannot be a field's name", name, hint="letters, digits and `_`")
    if not isinstance(form, Mapping):
        raise ProviderConfigError("a list must be a mapping with `file` and `of`", name, hint=_EXAMPLE)
    refuse_unknown_keys(form, _KEYS, name)
    of = required_text(form, "of", name, hint="write `of: inputs.email`")
    if of not in _PARTS and not (of.startswith("inputs.") and of.removeprefix("inputs.").isidentifier()):
        raise ProviderConfigError(
            f"`{of}` is not a part of a request", name, "of", hint=f"inputs.<name>, {', '.join(_PARTS)}"
        )
    casefold = form.get("casefold", False)
    if not isinstance(casefold, bool):
        raise ProviderConfigError("`casefold` must be true or false", name, "casefold")
    file = Path(required_text(form, "file", name, hint="write `file: blocked.txt`"))
    return ListSettings(file=file, of=of, casefold=casefold)


def _derive(config: Mapping[str, Any]) -> dict[str, Field]:
    return parse_fields(
        {
            name: {"type": "bool", "description": f"whether {settings.of} is in {settings.file.name}"}
            for name, settings in read_settings(config).items()
        }
    )


def _part(request: Request, of: str) -> str | None:
    """Return a part of a request as text; None where it has none, or one of which not all can be seen."""
    match of:
        case "merchant_biz_id":
            return request.merchant_biz_id
        case "scene_code":
            return request.scene_code
        case "face_digest":
            return request.face.digest if request.face else None
    value = request.inputs.get(of.removeprefix("inputs."))
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.strip() and find_unseen(value) is None else None


@dataclass(slots=True)
class _ListFile:
    """A file's values, read again when the file has changed, and once more when what was read has come to rest."""

    settings: ListSettings
    pool: Pool
    state: FileState | None = None
    is_young: bool = False
    values: frozenset[str] = field(default=frozenset(), repr=False)

    async def current(self, deadline: float) -> frozenset[str]:
        """Return the values of the file as it is now. deadline: `time.monotonic()` seconds.

        Raises OSError, TimeoutError among them where the file hangs, or ListFileError where it is none.
        """
        return await self.pool.run(self._current, deadline_s=deadline - monotonic())

    def _current(self) -> frozenset[str]:
        status = self.settings.file.stat()
        if not S_ISREG(status.st_mode):
            raise OSError(EINVAL, "it is not a file")
        state, now_ns = FileState.of(status), time_ns()
        if state != self.state or (self.is_young and state.is_at_rest(now_ns)):
            self.state, self.values = self._read()
            self.is_young = not self.state.is_at_rest(now_ns)
        return self.values

    def _read(self) -> tuple[FileState, frozenset[str]]:
        with self.settings.file.open("rb") as file:
            state = FileState.of(os.fstat(file.fileno()))
            data = file.read(FILE_MAX_BYTES + 1)
        if len(data) > FILE_MAX_BYTES:
            raise ListFileError(f"it is larger than {FILE_MAX_BYTES // 2**20} MiB")
        return state, frozenset(map(self.settings.normal, read_list(data)))


@dataclass(frozen=True, slots=True)
class _ListsClient:
    files: Mapping[str, _ListFile]

    async def fetch(self, context: Context) -> Answer:
        answer: dict[str, bool] = {}
        for name, file in self.files.items():
            try:
                values = await file.current(context.deadline)
            except (OSError, ListFileError) as error:
                match error:
                    case TimeoutError():
                        why = "it does not answer in time"
                    case OSError():
                        why = error.strerror or type(error).__name__
                    case _:
                        why = str(error)
                raise SignalFailed(
                    f"{file.settings.file} cannot be read: {why}", kind="unavailable", reason_code="LIST_UNREADABLE"
                ) from None
            value = _part(context.request, file.settings.of)
            if value is not None:
                answer[name] = file.settings.normal(value) in values
        return answer

    async def aclose(self) -> None:
        for file in self.files.values():
            file.pool.close()


def _open(config: Mapping[str, Any]) -> _ListsClient:
    """Give each file a thread of its own: one that hangs, on a disk of another machine, stops no other list."""
    return _ListsClient(
        {name: _ListFile(each, Pool(f"adjudge-list-{name}", 1)) for name, each in read_settings(config).items()}
    )


LISTS = Provider(
    name="lists",
    fields=None,
    derive=_derive,
    open=_open,
    uses=lambda config: Uses(files=frozenset(str(each.file) for each in read_settings(config).values())),
    latency_s=0.001,
    description="Whether values of the request are in lists that change between policy releases",
)


@hookimpl
def register(register: Register) -> None:
    """Offer the provider."""
    register.provider(LISTS)
