"""Values in the form that the audit log has for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType

import msgspec
import pytest

from adjudge.errors import FieldError
from adjudge.values.declared import parse_field
from adjudge.values.reading import read
from adjudge.values.recorded import canonical, form_of, recordable
from work import at_most


class Word(str, Enum):  # noqa: UP042  # the older kind, whose str() is another text
    LOW = "low"


class Level(StrEnum):
    LOW = "low"


class Number(IntEnum):
    FIVE = 5


class Ratio(float):
    """As numpy's float64 is one."""


EAST = timezone(timedelta(hours=14))


@pytest.mark.parametrize(
    ("form", "value", "recorded"),
    [
        ("string", Word.LOW, "low"),
        ("string", Level.LOW, "low"),
        ("int", Number.FIVE, 5),
        ("double", Ratio(0.5), 0.5),
        ("int", 2**63 - 1, 2**63 - 1),
        ("string", "Zoë", "Zoë"),
        ({"type": "map", "of": "string"}, MappingProxyType({Word.LOW: Word.LOW}), {"low": "low"}),
        ({"type": "list", "of": {"type": "list", "of": "duration"}}, ((timedelta(seconds=1.5),),), [["1.5s"]]),
        ("timestamp", datetime(2026, 1, 1, 14, tzinfo=EAST), "2026-01-01T00:00:00Z"),
    ],
)
def test_recordable_value_is_plain_and_reads_as_before(form: object, value: object, recorded: object) -> None:
    field, refused = parse_field(form), list[tuple[str, str]]()
    found = recordable(field, value, refused, "x")
    assert (found, refused) == (recorded, [])
    assert type(found) is type(recorded), "not a subclass, which JSON might write in another way"
    again = msgspec.json.decode(msgspec.json.encode(found))
    assert again == recorded
    assert read(field, again) == read(field, value)


@pytest.mark.parametrize(
    ("form", "value", "problem"),
    [
        ("int", 2**63, ("x", "is an integer past 64 bits")),
        ("double", float("inf"), ("x", "must be a finite number, not inf")),
        ("string", "\udc00", ("x", "is not valid Unicode")),
        ("timestamp", datetime.min.replace(tzinfo=EAST), ("x", "is no such time in UTC")),
        ("timestamp", datetime(2026, 1, 1), ("x", "must say its time zone")),
        ({"type": "list", "of": "double"}, [0.5, float("nan")], ("x.1", "must be a finite number, not nan")),
        ({"type": "map", "of": "double"}, {"k": float("nan")}, ("x.k", "must be a finite number, not nan")),
        (
            {"type": "map", "of": "double", "personal": True},
            {"k": float("nan")},
            ("x", "must be a finite number, not nan"),
        ),
    ],
)
def test_recordable_value_that_no_log_can_hold_is_unknown_and_said_so(
    form: object, value: object, problem: tuple[str, str]
) -> None:
    refused: list[tuple[str, str]] = []
    recordable(parse_field(form), value, refused, "x")
    assert refused == [problem]


@pytest.mark.parametrize(("value", "kind"), [(b"x", "a bytes"), (timedelta(1), "a timedelta"),
                                            (datetime(2026, 1, 1, tzinfo=UTC), "a datetime")])  # fmt: skip
def test_recordable_value_of_another_kind_is_refused(value: object, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^{kind}$"):
        recordable(parse_field("string"), value, [], "x")
    with pytest.raises(TypeError, match=f"^{kind}$"):
        recordable(parse_field({"type": "list", "of": "string"}), [value], [], "x")


SECRET = "canary"


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ({"type": "timestamp", "personal": True}, SECRET),
        ({"type": "duration", "personal": True}, SECRET),
        ({"type": "enum", "values": ["a"], "personal": True}, SECRET),
        ({"type": "int", "range": [0, 5], "personal": True}, 918273),
        ({"type": "list", "personal": True, "of": {"type": "int", "range": [0, 5]}}, [918273]),
        (
            {"type": "map", "personal": True, "of": {"type": "list", "of": {"type": "int", "range": [0, 5]}}},
            {"k": [918273]},
        ),
        ({"type": "list", "personal": True, "of": "timestamp"}, [SECRET]),
        ({"type": "list", "of": {"type": "duration", "personal": True}}, [SECRET]),
        ({"type": "map", "personal": True, "of": {"type": "map", "of": "int"}}, {SECRET: {SECRET: SECRET}}),
        ({"type": "map", "of": {"type": "list", "of": {"type": "int", "personal": True}}}, {SECRET: [SECRET]}),
    ],
)
def test_read_says_nothing_of_a_personal_value(form: Mapping[str, object], value: object) -> None:
    problems = read(parse_field(form), value).problems
    assert problems
    assert SECRET not in repr(problems) and "918273" not in repr(problems)


def test_parse_field_personal_part_makes_all_of_it_personal() -> None:
    for form in (
        {"type": "map", "of": {"type": "list", "of": {"type": "string", "personal": True}}},
        {"type": "map", "personal": True, "of": {"type": "list", "of": "string"}},
    ):
        field = parse_field(form)
        assert field.of is not None and field.of.of is not None
        assert field.personal and field.of.personal and field.of.of.personal
    assert not parse_field({"type": "list", "of": "string"}).personal


@pytest.mark.parametrize("value", ["x" * 300_000, ["x" * 100] * 3_000, {"k": "é" * 150_000}])
def test_value_too_large_to_keep_is_unknown_and_said_so(value: object) -> None:
    declared = parse_field({"type": "string"})
    refused: list[tuple[str, str]] = []
    assert recordable(declared, value, refused, "note") is None
    assert refused == [("note", "is larger than 256 KiB")]


@pytest.mark.parametrize(
    ("form", "value", "read_as"),
    [
        ("duration", "0.123456789s", timedelta(microseconds=123456)),
        ("duration", "-0.123456789s", timedelta(microseconds=-123456)),
        ("duration", "1500ns", timedelta(microseconds=1)),
        ("timestamp", "2026-01-01T00:00:00.123456789Z", datetime(2026, 1, 1, microsecond=123456, tzinfo=UTC)),
    ],
)
def test_time_that_others_send_is_cut_to_the_microsecond(form: str, value: str, read_as: object) -> None:
    assert read(parse_field(form), value).value == read_as


@pytest.mark.parametrize(
    ("value", "read_as", "problem"),
    [
        ("2026-11-30", date(2026, 11, 30), None),
        (date(2026, 11, 30), date(2026, 11, 30), None),
        ("2026-02-30", None, "must be a date: `2026-02-30` is no such day"),
        ("30.11.2026", None, "must be a date: `30.11.2026` is not a date such as 2026-11-30"),
        ("2026-11-30T00:00:00Z", None, "must be a date: `2026-11-30T00:00:00Z` is not a date such as 2026-11-30"),
        (datetime(2026, 11, 30, tzinfo=UTC), None, "must be a date, not a datetime"),
        (20261130, None, "must be a date, not an int"),
        ("2027-01-01", None, "is 2027-01-01, outside its range [2000-01-01, 2026-12-31]"),
    ],
)
def test_date_is_a_day_and_nothing_else(value: object, read_as: object, problem: str | None) -> None:
    declared = parse_field({"type": "date", "range": ["2000-01-01", "2026-12-31"]})
    reading = read(declared, value)
    assert reading.value == read_as
    assert [text for _, text in reading.problems] == ([problem] if problem else [])
    refused: list[tuple[str, str]] = []
    kept = recordable(declared, value, refused, "") if not isinstance(value, datetime) else value
    assert read(declared, canonical(declared, kept)).value == read_as
    assert parse_field(form_of(declared)) == declared


RECORD = {"type": "record", "of": {"number": "string", "expiry": "date", "size": {"type": "int", "range": [0, 9]}}}


def test_record_reads_each_field_alone() -> None:
    declared = parse_field({"type": "list", "of": RECORD})
    came = [{"number": "K1", "expiry": "x", "size": 10, "stray": 1}, 5, {}, None]
    reading = read(declared, came)
    empty = {"number": None, "expiry": None, "size": None}
    assert reading.value == ({"number": "K1", "expiry": None, "size": None}, None, empty, None)
    assert [path for path, _ in reading.problems] == ["0.expiry", "0.size", "1"]
    assert reading.problems[2][1] == "must be an object, not an int"
    good = {"number": "K1", "expiry": date(2027, 5, 1), "size": 3}
    kept = recordable(declared, [good], [], "")
    assert kept == [{"number": "K1", "expiry": "2027-05-01", "size": 3}]
    assert read(declared, canonical(declared, kept)).value == (good,)
    assert parse_field(form_of(declared)) == declared
    assert hash(declared) == hash(parse_field(form_of(declared)))


def test_record_with_a_personal_field_is_personal() -> None:
    declared = parse_field(
        {"type": "list", "of": {"type": "record", "of": {"name": {"type": "string", "personal": True}}}}
    )
    assert declared.personal and declared.of is not None and declared.of.parts["name"].personal
    assert read(declared, [{"name": 5}]).problems == (("0", "must be a string, not an int"),)


@pytest.mark.parametrize(
    ("form", "path", "said"),
    [
        ({"type": "record"}, (), "a record needs `of`, its fields by name"),
        ({"type": "record", "of": "string"}, ("of",), "a record needs `of`, its fields by name"),
        ({"type": "record", "of": {}}, ("of",), "a record needs `of`, its fields by name"),
        ({"type": "record", "of": {"a b": "int"}}, ("of", "a b"), "`a b` cannot be the name of a field"),
        ({"type": "record", "of": {"a": "dat"}}, ("of", "a", "type"), "there is no field type `dat`"),
        ({"type": "record", "of": {"a": RECORD}}, ("of", "a"), "a record cannot hold a record"),
        ({"type": "record", "of": {"a": {"type": "set", "values": ["x"]}}}, ("of", "a"), "a record cannot hold a set"),
        (
            {"type": "record", "of": {"a": {"type": "money", "currencies": ["USD"]}}},
            ("of", "a"),
            "a record cannot hold money",
        ),
        (
            {"type": "record", "of": {"a": {"type": "int", "absent": 0}}},
            ("of", "a", "absent"),
            "`absent` belongs to a field that stands alone; in a record, what is left out is unknown",
        ),
    ],
)
def test_record_that_is_declared_wrongly_says_where(form: object, path: tuple[str, ...], said: str) -> None:
    with pytest.raises(FieldError) as error:
        parse_field(form)
    assert (error.value.path, error.value.message) == (path, said)
    assert error.value.hint or "absent" in said


@pytest.mark.parametrize(
    ("amount", "read_as"),
    [
        ("12.50", 12.5),
        (12.5, 12.5),
        (12, 12.0),
        ("-3", -3.0),
        ("1,000", None),
        ("1e3", None),
        (" 1", None),
        (True, None),
        ("", None),
    ],
)
def test_money_reads_its_amount_as_a_decimal_text_or_a_number(amount: object, read_as: float | None) -> None:
    declared = parse_field({"type": "money", "currencies": ["SGD", "USD"]})
    came = {"amount": amount, "currency": "SGD"}
    assert read(declared, came).value == {"amount": read_as, "currency": "SGD"}
    kept = canonical(declared, recordable(declared, came, [], ""))
    assert read(declared, kept).value == {"amount": read_as, "currency": "SGD"}
    assert read_as is None or kept == {"amount": read_as, "currency": "SGD"}, "all spellings are one request"
    assert read(declared, {"amount": amount, "currency": "EUR"}).value == {"amount": read_as, "currency": None}
    assert parse_field(form_of(declared)) == declared


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("KP\u200b", "holds U+200B ZERO WIDTH SPACE, which cannot be seen"),
        ("\u2066KP", "holds U+2066 LEFT-TO-RIGHT ISOLATE, which cannot be seen"),
        ("K\u200dP", "holds U+200D ZERO WIDTH JOINER, which cannot be seen"),
        ("KP\x00", "holds U+0000, which cannot be seen"),
        ("KP\U000e0041", "holds U+E0041 TAG LATIN CAPITAL LETTER A, which cannot be seen"),
    ],
)
def test_text_with_a_character_that_nobody_sees_is_unknown_and_said_so(value: str, problem: str) -> None:
    assert read(parse_field("string"), value).problems == (("", problem),)
    items = read(parse_field({"type": "list", "of": "string"}), ["KP", value])
    assert (items.value, items.problems) == (("KP", None), (("1", problem),))


@pytest.mark.parametrize(
    "value", ["a\tb\r\nc", "\u0645\u06cc\u200c\u062e", "\U0001f468\u200d\U0001f469", "\u6771\u3000"]
)
def test_text_that_is_written_so_is_known(value: str) -> None:
    assert read(parse_field("string"), value).value == value


def test_text_is_read_composed() -> None:
    assert read(parse_field("string"), "Zoe\u0308").value == "Zo\u00eb"
    assert read(parse_field({"type": "enum", "values": ["Zoe\u0308"]}), "Zo\u00eb").value == "Zo\u00eb"
    tags = read(parse_field({"type": "set", "values": ["Zo\u00eb"]}), ["Zoe\u0308"])
    assert (tags.value, tags.novel) == (("Zo\u00eb",), ())


@pytest.mark.parametrize("keys", [None, ["é", "b"]])
@pytest.mark.parametrize("spellings", [("é", "e\u0301"), ("e\u0301", "é")])
def test_key_of_a_map_in_two_spellings_is_unknown_alone(keys: object, spellings: tuple[str, str]) -> None:
    form = {"type": "map", "of": "double"} | ({"keys": keys} if keys else {})
    reading = read(parse_field(form), {spellings[0]: 0.9, "b": 0.5, spellings[1]: 0.1})

    assert reading.value == {"é": None, "b": 0.5}
    assert reading.problems == (("é", "appears twice, in two spellings"),)


def test_many_problems_of_one_value_are_told_by_the_first() -> None:
    reading = read(parse_field({"type": "list", "of": {"type": "list", "of": "int"}}), [["x"] * 100] * 100)
    assert len(reading.problems) == 21
    assert reading.problems[0] == ("0.0", "must be an int, not a string")
    assert reading.problems[-1][1].endswith("more parts that cannot be read")
    refused: list[tuple[str, str]] = []
    recordable(parse_field({"type": "list", "of": "double"}), [float("inf")] * 1000, refused, "x")
    assert (len(refused), refused[-1]) == (21, ("x", "has 980 more parts that cannot be read"))
    recordable(parse_field("string"), "é" * 300_000, refused, "y")
    assert refused[-1] == ("y", "is larger than 256 KiB")


def _of_itself(depth: int) -> object:
    value: object = ["x"]
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ({"type": "list", "of": "double"}, [1] * 1_000_000),
        ({"type": "list", "of": "double"}, [1.0] * 1_000_000 + [float("nan")]),
        ({"type": "list", "of": "string"}, ["a" * 999] * 1_000_000),
        ({"type": "list", "of": "string"}, ["é" * 200_000] * 2),
        ({"type": "set", "values": ["a"]}, {f"{at}" for at in range(600_000)}),
        ({"type": "map", "of": "double"}, {f"{at}": 1 for at in range(600_000)}),
        ({"type": "map", "of": "double"}, {"é" * 300_000: 1}),
        ({"type": "map", "of": "string"}, {"a": "é" * 300_000}),
        ({"type": "list", "of": {"type": "list", "of": "string"}}, [["a" * 999] * 8] * 100_000),
        ({"type": "list", "of": {"type": "list", "of": "string"}}, _of_itself(60)),
    ],
    ids=["ints", "late nan", "texts", "long texts", "set", "map", "long key", "long value", "nested", "of itself"],
)
def test_recordable_value_that_is_too_large_is_refused_before_it_is_walked(form: object, value: object) -> None:
    refused: list[tuple[str, str]] = []
    with at_most(500_000):
        assert recordable(parse_field(form), value, refused, "x") is None
    assert refused == [("x", "is larger than 256 KiB")]


def test_recordable_value_of_very_many_parts_that_cannot_be_read_is_unknown() -> None:
    declared = parse_field({"type": "list", "of": "double"})
    refused: list[tuple[str, str]] = []
    with at_most(120_000):
        assert recordable(declared, [float("inf")] * 100_000, refused, "x") is None
    assert refused == [("x", "has more than 1,000 parts that cannot be read")]
