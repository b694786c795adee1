"""Every form an answer may take, and what each means; nothing unclear may look harmless."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from adjudge.plugin import SignalFailed
from adjudge.values.reading import read
from adjudge_plugins.aliyun.answer import read_answer
from adjudge_plugins.aliyun.meaning import MEANINGS
from adjudge_plugins.aliyun.provider import FIELDS
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES, reason_code
from adjudge_plugins.http_exchange import Reply

ABSENT = object()


def answer(status: int = 200, **document: Any) -> dict[str, Any]:
    document = {"RequestId": "4C467B38-3910", "Code": "Success", "Message": "success"} | document
    body = json.dumps({name: value for name, value in document.items() if value is not ABSENT})
    return dict(read_answer(Reply(status=status, body=body.encode())))


def fields(result: object = "1", tag: object = "", score: object = ABSENT, **more: object) -> dict[str, Any]:
    outcome = {"Result": result, "RiskTag": tag, "RiskScore": score} | more
    return answer(ResultObject={name: value for name, value in outcome.items() if value is not ABSENT})


def failure(status: int, body: object) -> SignalFailed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(SignalFailed) as caught:
        read_answer(Reply(status=status, body=raw))
    return caught.value


def test_read_answer_full_form_gives_every_field() -> None:
    given = fields(
        "1",
        "SuspectDeepForgery,SuspectPSFace",
        {"SuspectDeepForgery": "0.9312", "SuspectPSFace": "0.8800", "SuspectRemake": "0.0126"},
        TransactionId="t-1",
    )

    assert given == {
        "result": "high",
        "tags": ["SuspectDeepForgery", "SuspectPSFace"],
        "score": {"SuspectDeepForgery": 0.9312, "SuspectPSFace": 0.88, "SuspectRemake": 0.0126},
        "novel_tags": [],
        "request_id": "4C467B38-3910",
        "transaction_id": "t-1",
    }
    assert not any(read(FIELDS[name], value).problems for name, value in given.items())


@pytest.mark.parametrize(
    ("given", "meant"),
    [("0", "low"), ("1", "high"), ("2", "suspicious"), (0, "low"), (2, "suspicious"), (" 1 ", "high")],
)
def test_read_answer_known_result_is_named(given: object, meant: str) -> None:
    assert fields(given)["result"] == meant


@pytest.mark.parametrize("given", [ABSENT, None, "", "3", "low", "00", True, False, 0.0, 1.5, [], {}, "-0"])
def test_read_answer_other_result_is_unknown_and_so_is_what_was_left_out(given: object) -> None:
    understood = fields(given, tag=ABSENT)

    assert not {"result", "tags", "score", "novel_tags"} & set(understood)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (ABSENT, []),
        (None, []),
        ("", []),
        (" , ", []),
        ("SuspectRemake", ["SuspectRemake"]),
        ("SuspectRemake, SuspectPSFace", ["SuspectRemake", "SuspectPSFace"]),
        (" suspectremake ,SUSPECTPSFACE,", ["SuspectRemake", "SuspectPSFace"]),
        ("SuspectAIGC Face", ["SuspectAIGCFace"]),
        ("SuspectWaterMark", ["SuspectWarterMark"]),
        ("SuspectWarterMark,SuspectWaterMark", ["SuspectWarterMark"]),
    ],
)
def test_read_answer_tag_forms_are_understood(given: object, tags: list[str]) -> None:
    understood = fields("1", given)

    assert understood["tags"] == tags
    assert understood["novel_tags"] == []


@pytest.mark.parametrize("given", [7, True, [], ["SuspectRemake"], {}])
def test_read_answer_tags_of_another_type_are_unknown(given: object) -> None:
    assert not {"tags", "novel_tags"} & set(fields("0", given))


def test_read_answer_new_names_are_novel_and_reach_the_engine() -> None:
    understood = fields("2", "SuspectRemake,SuspectHologram", {"SuspectMask": "0.5", "SuspectRemake": "0.7"})

    assert understood["novel_tags"] == ["SuspectHologram", "SuspectMask"]
    assert read(FIELDS["tags"], understood["tags"]).value == ("SuspectRemake",)
    assert read(FIELDS["tags"], understood["tags"]).novel == ("SuspectHologram",)


@pytest.mark.parametrize(
    ("given", "score"),
    [
        ({"SuspectRemake": "0.9312"}, {"SuspectRemake": 0.9312}),
        ({"SuspectRemake": 0.93}, {"SuspectRemake": 0.93}),
        ({"SuspectRemake": 1}, {"SuspectRemake": 1.0}),
        ({"SuspectRemake": " 1.0000 "}, {"SuspectRemake": 1.0}),
        ('{"SuspectRemake": "0.5"}', {"SuspectRemake": 0.5}),
        ({"suspect remake": "0.5"}, {"SuspectRemake": 0.5}),
        ({"SuspectWaterMark": "0.5"}, {"SuspectWarterMark": 0.5}),
        ({"SuspectWaterMark": "0.5", "SuspectWarterMark": "0.75"}, {"SuspectWarterMark": 0.75}),
        ({"SuspectWaterMark": "0.5", "SuspectWarterMark": "x"}, {"SuspectWarterMark": None}),
        ({"SuspectRemake": "9e-05"}, {"SuspectRemake": 9e-05}),
        ({}, {}),
        ("{}", {}),
    ],
)
def test_read_answer_score_forms_are_understood(given: object, score: dict[str, float]) -> None:
    assert fields("1", "", given)["score"] == score


@pytest.mark.parametrize(
    "given", ["72.0", 72, -0.1, "1.0001", "", "high", None, True, [], "0_1", "٠", "NaN", "inf", "+0.5", "0x0"]
)
def test_read_answer_score_that_is_none_is_unknown_never_zero(given: object) -> None:
    understood = fields("1", "", {"SuspectRemake": given, "SuspectPSFace": "0.25"})

    assert understood["score"] == {"SuspectRemake": None, "SuspectPSFace": 0.25}


@pytest.mark.parametrize("given", [7, True, [], "not json", "[]", "7", "[" * 5_000])
def test_read_answer_scores_of_another_type_are_unknown(given: object) -> None:
    assert "score" not in fields("0", "", given)


@pytest.mark.parametrize("given", [ABSENT, None, "", " "])
def test_read_answer_scores_left_out_are_none_only_where_the_result_is_low(given: object) -> None:
    assert fields("0", "", given)["score"] == {}
    assert "score" not in fields("1", "", given)
    assert "score" not in fields("2", "", given)


def test_read_answer_tag_without_a_score_is_unknown_never_zero() -> None:
    assert fields("0", "SuspectRemake", {})["score"] == {"SuspectRemake": None}


@pytest.mark.parametrize("code", ["Success", "200", 200])
def test_read_answer_success_codes_are_taken(code: object) -> None:
    assert answer(Code=code, ResultObject={"Result": "0"})["result"] == "low"


@pytest.mark.parametrize("code", [ABSENT, None, True, [], "", "OK", "success", "NoFaceDetected", "401", 401])
def test_read_answer_other_codes_fail(code: object) -> None:
    with pytest.raises(SignalFailed):
        answer(Code=code, ResultObject={"Result": "0"})


@pytest.mark.parametrize("outcome", [ABSENT, None, "str", [], 0])
def test_read_answer_without_a_result_object_fails(outcome: object) -> None:
    with pytest.raises(SignalFailed, match="holds no result") as caught:
        answer(ResultObject=outcome)

    assert caught.value.request_id == "4C467B38-3910"


def documented_codes() -> list[list[str]]:
    """Return the rows of the table of return codes in the documentation."""
    text = (Path(__file__).parents[2] / "docs" / "deepfake.md").read_text("utf-8")
    table = text.partition("| code | status |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


KINDS = {"of this request": "error", "passes": "unavailable", "configuration": "misconfigured"}
PAID = {"no": False, "unverified": None}


@pytest.mark.parametrize("row", documented_codes(), ids=lambda row: row[0].strip("`"))
@pytest.mark.parametrize("as_body_code", [False, True])
def test_read_answer_every_return_code_means_what_the_documentation_says(row: list[str], as_body_code: bool) -> None:
    name, status, kind, again, paid, advice = row
    code = name.strip("`")
    failed = failure(200 if as_body_code else int(status), {"RequestId": "R-1", "Code": code, "Message": "m"})

    assert (failed.kind, failed.reason_code, failed.request_id) == (KINDS[kind], reason_code(code), "R-1")
    assert (failed.billed, failed.kind == "unavailable") == (PAID[paid], again == "yes")
    assert (failed.capture_again is not None) == ("new picture" in advice)
    assert RETURN_CODES[code] == int(status), "as the sandbox answers it"


def test_every_return_code_is_documented_and_has_a_meaning() -> None:
    assert {row[0].strip("`") for row in documented_codes()} == set(RETURN_CODES) == set(MEANINGS)


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("NoFaceDetected", "NO_FACE_DETECTED"),
        ("UnqualifiedPhoto", "UNQUALIFIED_PHOTO"),
        ("Forbidden.RAMUserAccessDenied", "FORBIDDEN_RAM_USER_ACCESS_DENIED"),
        ("Throttling.Api", "THROTTLING_API"),
        ("401", "VENDOR_401"),
    ],
)
def test_reason_code_is_the_vendor_code_in_capitals(code: str, named: str) -> None:
    assert reason_code(code) == named


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, "401", "error"),
        (200, "500", "unavailable"),
        (200, "429", "unavailable"),
        (403, "Throttling.New", "unavailable"),
        (400, "SomethingNew", "error"),
        (503, "SomethingNew", "unavailable"),
        (500, None, "unavailable"),
        (429, None, "unavailable"),
        (400, None, "error"),
        (500, "Success", "unavailable"),
        (302, "Success", "error"),
    ],
)
def test_read_answer_unlisted_failure_has_a_kind(status: int, code: str | None, kind: str) -> None:
    assert failure(status, {"Code": code}).kind == kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", "unavailable"),
        (200, b"<html>proxy</html>", "unavailable"),
        (200, b'{"Code":"Success","Resu', "unavailable"),
        (200, b"[]", "unavailable"),
        (200, b"\xff\xfe", "unavailable"),
        (200, b"[" * 100_000, "unavailable"),
        (502, b"<html>bad gateway</html>", "unavailable"),
    ],
)
def test_read_answer_no_json_object_fails_and_may_have_been_paid(status: int, body: bytes, kind: str) -> None:
    failed = failure(status, body)

    assert (failed.kind, failed.reason_code, failed.billed) == (kind, "BAD_ANSWER", None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Code":"Success","Code":"Success","ResultObject":{"Result":"0"}}',
        b'{"Code":"Success","ResultObject":{"Result":"2","RiskTag":"","Result":"0"}}',
        b'{"Code":"Success","ResultObject":{"Result":"2"},"ResultObject":{"Result":"0"}}',
    ],
)
def test_read_answer_key_that_stands_twice_is_no_answer(body: bytes) -> None:
    failed = failure(200, body)

    assert (failed.reason_code, failed.billed) == ("BAD_ANSWER", None)
    assert failed.reason.endswith("appears twice in one object")


def test_read_answer_score_that_stands_twice_in_its_text_is_unknown() -> None:
    found = fields("1", "SuspectRemake", '{"SuspectRemake": 0.9, "SuspectRemake": 0.1}')

    assert found["result"] == "high" and found["tags"] == ["SuspectRemake"] and "score" not in found


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "1" + "0" * 400])
def test_read_answer_number_past_a_double_is_unknown_alone(number: str) -> None:
    said = f'{{"Code":"Success","Other":{number},"ResultObject":{{"Result":"1","RiskTag":"SuspectRemake","RiskScore":'
    said += f'{{"SuspectRemake":{number},"SuspectPSFace":0.7}}}}}}'

    found = dict(read_answer(Reply(status=200, body=said.encode())))

    assert (found["result"], found["score"]) == ("high", {"SuspectRemake": None, "SuspectPSFace": 0.7})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-acs-retry-after": "700"}, 0.7),
        ({"retry-after": "3"}, 3.0),
        ({"x-acs-retry-after": "2000", "retry-after": "9"}, 2.0),
        ({"x-acs-retry-after": "soon"}, None),
        ({"x-acs-retry-after": "9" * 40}, None),
        ({}, None),
    ],
)
def test_read_answer_throttled_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    body = json.dumps({"Code": "Throttling.Api"}).encode()
    with pytest.raises(SignalFailed) as caught:
        read_answer(Reply(status=403, body=body, headers=headers))

    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize(("minutes", "said"), [(20, "20 minutes behind"), (-20, "20 minutes ahead of")])
def test_read_answer_clock_that_is_off_says_by_how_much(minutes: int, said: str) -> None:
    theirs = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes))
    body = json.dumps({"Code": "InvalidTimeStamp.Expired"}).encode()
    with pytest.raises(SignalFailed, match=said):
        read_answer(Reply(status=400, body=body, headers={"date": theirs}))
    with pytest.raises(SignalFailed, match=r"15 minutes off$"):
        read_answer(Reply(status=400, body=body, headers={"date": "yesterday"}))
    for date in ("Mon, 30 Nov 2026 10:00:00 +" + "9" * 12, "Mon, " + "9" * 5000 + " Nov 2026 10:00:00 GMT"):
        with pytest.raises(SignalFailed, match=r"15 minutes off$"):
            read_answer(Reply(status=400, body=body, headers={"date": date}))


def test_read_answer_message_of_the_vendor_is_not_passed_on() -> None:
    failed = failure(
        400, {"Code": "SignatureDoesNotMatch", "Message": "server string: x-acs-security-token:canary", "RequestId": 5}
    )

    assert "canary" not in f"{failed} {failed.reason} {failed.reason_code} {failed.request_id}"


def test_read_answer_code_that_is_a_text_of_its_own_is_not_passed_on() -> None:
    assert failure(400, {"Code": "a canary\nwith lines"}).reason == "answered 400"


def test_read_answer_expired_date_says_what_to_look_at() -> None:
    assert "clock" in failure(400, {"Code": "InvalidTimeStamp.Expired"}).reason
