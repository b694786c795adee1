"""From what was given to the slots of a policy: each value understood by its declaration, or unknown.

This is the plain form, for explanations, records and the slow path; `program` has the same in generated code, and
tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import datetime

from adjudge.frozen import frozen
from adjudge.model import ATTEMPTS_MAX
from adjudge.values.fields import Field
from adjudge.values.reading import Reading, describe, read
from adjudge.values.types import INT, STRING, EnumType, ListType

NOW = "now"
_NOVEL = "novel_"
OF_REQUEST: Mapping[str, Field] = {
    "scene_code": Field(type=STRING, description="the scene of the request"),
    "merchant_biz_id": Field(type=STRING, description="the id of the check"),
    "application_id": Field(type=STRING, description="what the check is a part of"),
    "attempts": Field(type=INT, minimum=1, maximum=ATTEMPTS_MAX, description="which try this is, from 1"),
}
"""What a condition can read of a request without declaring it: an input for each that a policy reads.

Who declares an input, a signal or a variable of that name means that one.
"""
REQUEST = ""
"""The name, which nothing else can have, under which values that were taken hold the parts of their request."""
TEXTS = Field(type=ListType(STRING), of=Field(type=STRING))


@frozen
class Slot:
    """One thing that a condition can read. Its text is its full name, such as `country` or `face.novel_tags`.

    A name is not taken apart without its policy (`TypedPolicy.parts`): a key may hold dots, or begin as a novel list
    does, and a provider may call a plain field so. Nobody else cuts one, or knows how a novel list is called.

    owner: the signal; empty of an input and of `now`. field: as it is declared. key: of an entry of a keyed map.
    novel: whether it is the list of what is outside the field's vocabulary.
    """

    owner: str
    field: str
    key: str | None = None
    novel: bool = False

    @classmethod
    def parse(cls, name: str, owners: Container[str]) -> Slot:
        """Read a name that somebody wrote: `field` or `owner.field`, and perhaps `.key` of a map whose keys are open.

        owners: the signals. What is declared novel is in `TypedPolicy.parts`: here it is a field like others.
        """
        first, *rest = name.split(".", 2)
        if first in owners:
            field, key = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else None)
            return cls(first, field, key)
        return cls("", first, ".".join(rest) if rest else None)

    def __str__(self) -> str:
        return ".".join(self.path)

    def __lt__(self, other: Slot) -> bool:
        return str(self) < str(other)

    @property
    def path(self) -> tuple[str, ...]:
        """The way to its value in the nested mapping that a policy is given."""
        name = novel_of(self.field) if self.novel else self.field
        return (*((self.owner,) if self.owner else ()), name, *((self.key,) if self.key is not None else ()))

    @property
    def source(self) -> str:
        """The signal or the input that it comes from."""
        return self.owner or self.field

    @property
    def whole(self) -> Slot:
        """The field that it is a part of, or which it is."""
        return Slot(self.owner, self.field)


def parts_of(request: object) -> dict[str, object]:
    """Return what conditions can read of a request, or of the record of its decision; what it lacks is not there."""
    return {name: value for name in OF_REQUEST if (value := getattr(request, name)) is not None}


def source_of(name: str) -> str:
    """Return the signal or the input with which a full name begins."""
    return name.partition(".")[0]


def last_of(name: str) -> str:
    """Return the field or the key with which a full name ends."""
    return name.rpartition(".")[2]


def beginnings(name: str) -> Iterator[str]:
    """Yield every name with which a dotted name begins, the shortest first; the last is the name itself."""
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def is_within(name: str, whole: str) -> bool:
    """Whether a full name is that of a whole, or of a part of it."""
    return name == whole or name.startswith(f"{whole}.")


@frozen
class Slots:
    """Values by slot, None where unknown, and what was wrong with those that came: (name, what)."""

    values: Mapping[str, object]
    problems: tuple[tuple[str, str], ...]


def declare(fields: Mapping[str, Field], owner: str = "") -> dict[Slot, Field]:
    """Return the slots of some fields: themselves, the entries of keyed maps, and what is outside a vocabulary.

    owner: the signal whose fields they are; empty for inputs.
    """
    of = {novel: name for name, field in fields.items() if (novel := novel_name(name, field)) is not None}
    slots: dict[Slot, Field] = {}
    for name, field in fields.items():
        slots[Slot(owner, of[name], novel=True) if name in of else Slot(owner, name)] = field
        slots |= {Slot(owner, name, key): entry for key, entry in field.entries.items()}
        novel = novel_name(name, field)
        if novel is not None and novel not in fields:
            slots[Slot(owner, name, novel=True)] = TEXTS
    return slots


def novel_of(name: str) -> str:
    """Return the name of the list of what is outside a field's vocabulary."""
    return _NOVEL + name


def novel_name(name: str, field: Field) -> str | None:
    """Return the name under which members outside a field's vocabulary appear, if it has a vocabulary of many."""
    return novel_of(name) if field.vocabulary is not None and not isinstance(field.type, EnumType) else None


def read_slots(
    inputs: Mapping[str, Field],
    signals: Mapping[str, Mapping[str, Field]],
    given: Mapping[str, object],
    now: datetime | None = None,
) -> Slots:
    """Understand a nested mapping of known fields; what is None or wrong is unknown, and so is what is left out.

    But where a field says what it means to be left out of an object that came, it is that.
    """
    values: dict[str, object] = {NOW: now}
    problems: list[tuple[str, str]] = []
    _read_fields(inputs, given, "", values, problems, came=True)
    for name, fields in signals.items():
        part = given.get(name)
        if not isinstance(part, Mapping):
            if part is not None:
                problems.append((name, f"must be a map of fields, not {describe(part)}"))
            _read_fields(fields, {}, f"{name}.", values, problems, came=False)
        else:
            _read_fields(fields, part, f"{name}.", values, problems, came=True)
    return Slots(values, tuple(problems))


def _read_fields(
    fields: Mapping[str, Field],
    given: Mapping[str, object],
    prefix: str,
    values: dict[str, object],
    problems: list[tuple[str, str]],
    *,
    came: bool,
) -> None:
    novels = {novel_name(name, field) for name, field in fields.items()}
    for name, field in fields.items():
        if name in novels:
            continue
        slot = prefix + name
        reading = read(field, given.get(name, field.left_out if came else None))
        values[slot] = reading.value
        problems += [(f"{slot}.{path}" if path else slot, text) for path, text in reading.problems]
        values |= {f"{slot}.{key}": field.entry(reading.value, key) for key in field.entries}
        novel = novel_name(name, field)
        if novel is not None:
            named = read(TEXTS, given.get(novel))
            problems += [(f"{prefix}{novel}.{path}".rstrip("."), text) for path, text in named.problems]
            values[prefix + novel] = join_novel(reading, given.get(novel), named)


def join_novel(reading: Reading, given: object, named: Reading) -> object:
    """Join what is outside a vocabulary with what the provider itself names as new; None is unknown.

    given: what the provider names. named: how it was read.
    What is new is known where all of both is: a member that cannot be read may be new, and so may one that is missing.
    """
    if reading.value is None or reading.novel is None or (named.value is None and given is not None):
        return None
    reported = named.value if isinstance(named.value, tuple) else ()
    found = (*reported, *reading.novel)
    if None in found and len(found) > 1:
        return None  # the unknown one may be one of the others, and another unknown one as well
    return tuple(dict.fromkeys(found))
