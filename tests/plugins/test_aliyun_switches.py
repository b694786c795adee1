"""Each open question of the vendor's, read in each of its ways."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sandbox_calls import BIZ, PARAMETERS, Caller, calling

from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.answers import BUSINESS_CODES
from adjudge_plugins.aliyun.sandbox.scenario import Reaction, Scenario
from adjudge_plugins.aliyun.sandbox.switches import DEFAULTS, VALUES, SwitchError, Switches, turn, turn_all
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES

FORM = {name: value for name, value in PARAMETERS.items() if name != "FaceUrl"}
STREAM: dict[str, Any] = {"operation": "DeepfakeDetectIntlStream"}
WATERMARKED = Reaction(
    result="suspicious",
    tags=("SuspectWarterMark", "SuspectRemake"),
    score={"SuspectWarterMark": 0.5, "SuspectRemake": 0.25},
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Caller]:
    with calling(sandbox) as caller:
        yield caller


def switched(call: Caller, default: Reaction | None = None, **switches: str) -> Caller:
    """Turn switches, and answer every call in one way."""
    settings = tuple(f"{name}={value}" for name, value in switches.items())
    call.sandbox.scenario = Scenario(default=default or Reaction(result="low"), switches=turn_all(Switches(), settings))
    return call


def picture(content: bytes) -> dict[str, str]:
    return {"FaceBase64": base64.b64encode(content).decode()}


# how answers look


@pytest.mark.parametrize("code", RETURN_CODES)
@pytest.mark.parametrize("errors", VALUES["errors"])
def test_errors_of_the_operations_come_as_the_switch_says_and_the_gateways_by_their_status(
    call: Caller, code: str, errors: str
) -> None:
    status, document = switched(call, Reaction(code=code), errors=errors)()
    own = RETURN_CODES[code]

    if errors == "status" or code not in BUSINESS_CODES:
        assert (status, document["Code"], document["HostId"]) == (own, code, "sandbox")
    else:
        assert (status, document["Code"]) == (200, str(own) if errors == "body_number" else code)
        assert "HostId" not in document
        assert "ResultObject" not in document


@pytest.mark.parametrize("code", ["Success", "200"])
def test_success_code(call: Caller, code: str) -> None:
    assert switched(call, success_code=code).code() == code


@pytest.mark.parametrize(
    ("form", "score"),
    [
        ("map", {"SuspectWarterMark": "0.5000", "SuspectRemake": "0.2500"}),
        ("json", '{"SuspectWarterMark": "0.5000", "SuspectRemake": "0.2500"}'),
        ("numbers", {"SuspectWarterMark": 0.5, "SuspectRemake": 0.25}),
    ],
)
def test_risk_score(call: Caller, form: str, score: object) -> None:
    assert switched(call, WATERMARKED, risk_score=form).outcome()["RiskScore"] == score


@pytest.mark.parametrize(
    ("empty", "fields"),
    [
        ("blank", {"RiskTag": "", "RiskScore": {}}),
        ("null", {"RiskTag": None, "RiskScore": None}),
        ("absent", {}),
    ],
)
def test_empty(call: Caller, empty: str, fields: Mapping[str, object]) -> None:
    assert switched(call, empty=empty, transaction_id="off").outcome() == {"Result": "0", **fields}


def test_empty_score_as_json_is_a_text_too(call: Caller) -> None:
    assert switched(call, empty="blank", risk_score="json").outcome()["RiskScore"] == "{}"


@pytest.mark.parametrize("empty", ["null", "absent"])
def test_empty_of_tags_and_of_scores_are_two_things(call: Caller, empty: str) -> None:
    outcome = switched(call, Reaction(result="low", score={"SuspectTemple": 0.1}), empty=empty).outcome()

    assert outcome["RiskScore"] == {"SuspectTemple": "0.1000"}
    assert outcome.get("RiskTag") is None


@pytest.mark.parametrize("spelling", ["WarterMark", "WaterMark"])
def test_watermark_tag(call: Caller, spelling: str) -> None:
    outcome = switched(call, WATERMARKED, watermark_tag=spelling).outcome()

    assert outcome["RiskTag"] == f"Suspect{spelling},SuspectRemake"
    assert list(outcome["RiskScore"]) == [f"Suspect{spelling}", "SuspectRemake"]


@pytest.mark.parametrize(("separator", "between"), [("comma", ","), ("comma_space", ", ")])
def test_tag_separator(call: Caller, separator: str, between: str) -> None:
    outcome = switched(call, WATERMARKED, tag_separator=separator).outcome()

    assert outcome["RiskTag"] == f"SuspectWarterMark{between}SuspectRemake"


@pytest.mark.parametrize("value", ["on", "off"])
def test_transaction_id_and_host_id(call: Caller, value: str) -> None:
    assert ("TransactionId" in switched(call, transaction_id=value).outcome()) == (value == "on")
    refused = switched(call, Reaction(code="InternalError"), host_id=value)()[1]
    assert ("HostId" in refused) == (value == "on")


@pytest.mark.parametrize("value", ["on", "off"])
def test_retry_after(call: Caller, value: str) -> None:
    """Milliseconds, with a throttled call and no other."""
    for code, wanted in (("Throttling.Api", value == "on"), ("InternalError", False)):
        switched(call, Reaction(code=code), retry_after=value)()
        assert call.answered is not None
        sent = call.answered.headers.get("x-acs-retry-after")
        assert (sent is not None) == wanted
        assert sent is None or 1 <= int(sent) <= 1000


# what is accepted


@pytest.mark.parametrize(
    ("rule", "scene_code", "code"),
    [
        ("lenient", "s", "Success"),
        ("lenient", "ten_digits", "Success"),
        ("lenient", "", "MissingParameter"),
        ("strict", "ten_digits", "Success"),
        ("strict", "nine_char", "InvalidParameter"),
        ("strict", "", "MissingParameter"),
        ("optional", "", "Success"),
        ("optional", "-", "InvalidParameter"),
    ],
)
def test_scene_code(call: Caller, rule: str, scene_code: str, code: str) -> None:
    given = {name: value for name, value in (PARAMETERS | {"SceneCode": scene_code}).items() if value}

    assert switched(call, scene_code=rule).code(given) == code


@pytest.mark.parametrize(
    ("rule", "merchant_biz_id", "code"),
    [
        ("exact", BIZ[1:], "InvalidParameter"),
        ("at_most", BIZ[1:], "Success"),
        ("at_most", BIZ + "0", "InvalidParameter"),
        ("at_most", "a-b", "InvalidParameter"),
    ],
)
def test_merchant_biz_id(call: Caller, rule: str, merchant_biz_id: str, code: str) -> None:
    assert switched(call, merchant_biz_id=rule).code(PARAMETERS | {"MerchantBizId": merchant_biz_id}) == code


def test_repeated_id(call: Caller) -> None:
    assert [switched(call).code(), call.code()] == ["Success", "Success"]
    switched(call, repeated_id="refuse")
    assert call.code(PARAMETERS | {"FaceUrl": "ftp://x"}) == "InvalidParameter"
    assert call.code() == "Success", "a call that was refused did not use the id"
    assert call.code() == "InvalidParameter"
    assert call.code(PARAMETERS | {"MerchantBizId": "0" * 32}) == "Success"
    assert call.sandbox.stats()["billed"] == 4


@pytest.mark.parametrize(
    ("rule", "parameters", "form", "operation", "code"),
    [
        ("lenient", {}, PARAMETERS, "DeepfakeDetectIntl", "Success"),
        ("lenient", PARAMETERS, {}, "DeepfakeDetectIntlStream", "Success"),
        ("strict", {}, PARAMETERS, "DeepfakeDetectIntl", "MissingParameter"),
        ("strict", PARAMETERS, {}, "DeepfakeDetectIntlStream", "MissingParameter"),
        ("strict", PARAMETERS, {}, "DeepfakeDetectIntl", "Success"),
        ("strict", FORM, {"FaceBase64": "/9j/"}, "DeepfakeDetectIntl", "Success"),
        ("strict", FORM | {"FaceBase64": "/9j/"}, {}, "DeepfakeDetectIntl", "MissingParameter"),
        ("strict", {}, PARAMETERS, "DeepfakeDetectIntlStream", "Success"),
    ],
)
def test_parameter_position(
    call: Caller, rule: str, parameters: dict[str, str], form: dict[str, str], operation: str, code: str
) -> None:
    assert switched(call, parameter_position=rule).code(parameters, form=form, operation=operation) == code


def test_parameter_position_is_counted_where_it_is_wrong(call: Caller) -> None:
    switched(call)
    call(FORM, form={"FaceBase64": "/9j/"})
    call({}, form=PARAMETERS, **STREAM)
    assert call.sandbox.stats()["misplaced"] == {}
    call({"FaceUrl": PARAMETERS["FaceUrl"]}, form=FORM)
    call({"SceneCode": "s", "RegionId": "x"}, form=PARAMETERS, **STREAM)

    assert call.sandbox.stats()["misplaced"] == {
        "DeepfakeDetectIntl MerchantBizId": 1,
        "DeepfakeDetectIntl ProductCode": 1,
        "DeepfakeDetectIntl SceneCode": 1,
        "DeepfakeDetectIntlStream SceneCode": 1,
    }


def test_several_inputs(call: Caller) -> None:
    both = {"FaceBase64": "not Base64"}
    assert switched(call).code(form=both) == "DataDuplication"
    assert switched(call, several_inputs="first").code(form=both) == "Success", "FaceUrl is the first"


@pytest.mark.parametrize(
    ("rule", "face_file", "code"),
    [
        ("issued", "https://m.example/clip.mp4", "DownloadTimeout"),
        ("any", "https://m.example/clip.mp4", "Success"),
        ("any", "no URL", "InvalidParameter"),
    ],
)
def test_face_file(call: Caller, rule: str, face_file: str, code: str) -> None:
    assert switched(call, face_file=rule).code({}, form=FORM | {"FaceFile": face_file}, **STREAM) == code


def test_intl_video(call: Caller) -> None:
    video = PARAMETERS | {"FaceInputType": "VIDEO"}
    assert switched(call).code(video) == "Success"
    switched(call, intl_video="refuse")
    assert call.code(video) == "InvalidParameter"
    assert call.code({}, form=video, **STREAM) == "Success"


@pytest.mark.parametrize(
    ("rule", "size", "code"),
    [
        ("decimal", 10_000_000, "Success"),
        ("decimal", 10_000_001, "ToolargeImage"),
        ("binary", 10_485_760, "Success"),
        ("binary", 10_485_761, "ToolargeImage"),
        ("encoded", 7_500_000, "Success"),
        ("encoded", 7_500_001, "ToolargeImage"),
    ],
)
def test_size_limit(call: Caller, rule: str, size: int, code: str) -> None:
    assert switched(call, size_limit=rule).code(FORM, form=picture(b"\xff\xd8".ljust(size, b"\0"))) == code


def jpeg(height: int, width: int) -> bytes:
    """Return the beginning of a JPEG: two segments that say nothing, and a frame of a size."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc4\x00\x03c\xff\xc2" + struct.pack(">H", len(frame) + 2) + frame


@pytest.mark.parametrize(
    ("rule", "content", "code"),
    [
        ("lenient", b"\xff\xd8", "Success"),
        ("strict", b"\xff\xd8", "UnqualifiedPhoto"),
        ("strict", jpeg(1920, 1080), "Success"),
        ("strict", jpeg(1921, 1080), "UnqualifiedPhoto"),
        ("strict", jpeg(1920, 1081), "UnqualifiedPhoto"),
        ("strict", jpeg(640, 640), "UnqualifiedPhoto"),
        ("strict", jpeg(641, 640), "Success"),
        ("lenient", jpeg(640, 641), "Success"),
    ],
)
def test_media_limits_of_pictures(call: Caller, rule: str, content: bytes, code: str) -> None:
    assert switched(call, media_limits=rule).code(FORM, form=picture(content)) == code


@pytest.mark.parametrize(
    ("rule", "size", "code"),
    [("lenient", 100_000, "Success"), ("strict", 100_000, "UnqualifiedPhoto"), ("strict", 100_001, "Success")],
)
def test_media_limits_of_videos(call: Caller, rule: str, size: int, code: str) -> None:
    switched(call, media_limits=rule)
    call.sandbox._uploads._keep(f"sandbox/{'0' * 32}/face", b"\0\0\0\x18ftyp".ljust(size, b"\0"))
    form = FORM | {"FaceFile": f"http://x/sandbox/{'0' * 32}/face", "FaceInputType": "VIDEO"}

    assert call.code({}, form=form, **STREAM) == code


def test_plain_http(call: Caller) -> None:
    assert switched(call).code() == "Success"
    assert switched(call, plain_http="refuse").code() == "InvalidProtocol.NeedSsl"


# what is paid for


@pytest.mark.parametrize("value", ["on", "off"])
def test_bill_refused_media(call: Caller, value: str) -> None:
    for code in ("NoFaceDetected", "UnqualifiedPhoto", "ToolargeImage", "InternalError"):
        switched(call, Reaction(code=code), bill_refused_media=value).code()
    switched(call, bill_refused_media=value).code(FORM, form=picture(b"PNG"))

    assert call.sandbox.stats()["billed"] == (3 if value == "on" else 0)


# turning them


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("error", "body", "there is no switch `error`, did you mean `errors`?"),
        ("xyz", "on", f"there is no switch `xyz`, there are {', '.join(VALUES)}"),
        ("errors", "bodynumber", "`errors` cannot be `bodynumber`, did you mean `body_number`?"),
        ("errors", "xyz", "`errors` cannot be `xyz`, it is one of status, body, body_number"),
        ("host_id", "true", "`host_id` cannot be `true`, it is one of on, off"),
    ],
)
def test_turn_unknown_switch_or_value_is_one_clear_error(name: str, value: str, said: str) -> None:
    with pytest.raises(SwitchError) as caught:
        turn(Switches(), name, value)

    assert str(caught.value) == said


def test_turn_all_last_setting_of_a_switch_wins() -> None:
    assert turn_all(Switches(), ("errors=body", "errors=status")) == Switches()


def test_page_has_every_switch_with_its_values_and_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| [^|]+ \| `(\w+)` \| ([^|]+) \|$", page)
    said = {name: re.findall(r"`(\w+)`", values) for name, values in rows if name in VALUES}

    assert {name: set(values) for name, values in said.items()} == {
        name: set(values) for name, values in VALUES.items()
    }
    assert {name: values[0] for name, values in said.items()} == dict(DEFAULTS)


def test_every_switch_has_a_test_here() -> None:
    text = Path(__file__).read_text("utf-8")
    named = {name for name in VALUES if re.search(rf"\bdef test_\w*{name}|\b{name}=", text)}

    # `legacy_signature` stands with the gateway's own tests
    assert named == set(VALUES) - {"legacy_signature"}
