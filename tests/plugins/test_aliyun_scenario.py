"""Scenarios: what decides, what repeats, and what is said where one is wrong."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from statistics import mean

import pytest

from adjudge_plugins.aliyun.sandbox.reaction import FAULTS, Reaction
from adjudge_plugins.aliyun.sandbox.scenario import (
    KEYS,
    REACTION_KEYS,
    Scenario,
    ScenarioError,
    Share,
    load_scenario,
    read_scenario,
)
from adjudge_plugins.aliyun.sandbox.seeded import draw, random_reaction
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.vocabulary import RISK_TAGS

BIZ = "0123456789abcdef0123456789abcdef"
DIGEST = "a" * 64
IDS = [f"{number:032}" for number in range(10_000)]


# what decides


def test_scenario_first_that_has_something_to_say_decides() -> None:
    document = {
        "order": [{"code": "InternalError"}],
        "merchant_biz_id": {BIZ: {"result": "high"}},
        "media": {DIGEST: {"result": "suspicious"}},
        "shares": [{"share": "100%", "code": "NoFaceDetected"}],
        "random": {"seed": 1},
        "default": {"code": "UnqualifiedPhoto"},
    }
    said = []
    for key in document:
        scenario = read_scenario(document)
        reaction = scenario.reaction(BIZ, DIGEST, number=1)
        said.append(reaction.code or reaction.result)
        document = {name: value for name, value in document.items() if name != key}

    assert said == ["InternalError", "high", "suspicious", "NoFaceDetected", "low", "UnqualifiedPhoto"]


def test_scenario_order_is_over_after_its_last_reaction() -> None:
    scenario = read_scenario({"order": [{"result": "high"}, {"fault": "lose"}], "default": {"result": "suspicious"}})

    assert [scenario.reaction(BIZ, "", number=number).result for number in (1, 2, 3)] == ["high", None, "suspicious"]
    assert scenario.reaction(BIZ, "").result == "suspicious"


def test_scenario_empty_one_is_low_risk_throughout(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("")

    assert load_scenario(tmp_path / "s.yaml") == read_scenario({}) == Scenario()
    assert Scenario().reaction(BIZ, DIGEST) == Reaction(result="low")


def test_scenario_shares_are_kept_by_an_id_and_are_as_large_as_they_say() -> None:
    document = {"shares": [{"share": "5%", "code": "Throttling.Api"}, {"share": "0.5%", "fault": "lose"}]}
    scenario = read_scenario({**document, "seed": 7})
    taken = [scenario.reaction(each, "") for each in IDS]
    count = Counter(reaction.code or reaction.fault or reaction.result for reaction in taken)

    assert 430 <= count["Throttling.Api"] <= 570
    assert 25 <= count["lose"] <= 80
    assert [read_scenario({**document, "seed": 7}).reaction(each, "") for each in reversed(IDS)] == taken[::-1]
    assert [read_scenario({**document, "seed": 8}).reaction(each, "") for each in IDS] != taken


def test_scenario_shares_of_a_hundred_percent_leave_nothing() -> None:
    scenario = read_scenario({"shares": [{"share": "10%", "result": "high"}] * 10, "default": {"fault": "lose"}})

    assert {scenario.reaction(each, "").result for each in IDS} == {"high"}


def test_scenario_random_answers_repeat_and_look_like_answers() -> None:
    scenario = read_scenario({"random": {"seed": 7}})
    answers = {each: scenario.reaction(each, "") for each in IDS}
    results = Counter(answer.result for answer in answers.values())

    assert {each: scenario.reaction(each, "") for each in reversed(IDS)} == answers
    assert read_scenario({"random": {"seed": 8}}).reaction(IDS[0], "") != answers[IDS[0]]
    assert 8_850 <= results["low"] <= 9_150
    assert 520 <= results["suspicious"] <= 680
    assert 330 <= results["high"] <= 470
    for answer in answers.values():
        scores = [answer.score[tag] for tag in answer.tags]
        match answer.result:
            case "low":
                assert answer.tags == () and all(score <= 0.3 for score in answer.score.values())
            case "suspicious":
                assert len(answer.tags) <= 1 and all(0.5 <= score <= 0.8 for score in scores)
            case "high":
                assert 1 <= len(answer.tags) <= 2 and all(score >= 0.8 for score in scores)
    assert {tag for answer in answers.values() for tag in answer.tags} == set(RISK_TAGS)


def test_random_reaction_is_the_same_on_every_machine() -> None:
    """Recorded runs name a seed; an upgrade that changed its answers would make them another run."""
    assert random_reaction(7, IDS[16]) == Reaction(
        result="high",
        tags=("SuspectRemake", "SuspectTemple"),
        score={
            "SuspectRemake": 0.8817,
            "SuspectTemple": 0.9571,
            "SuspectAIGCFace": 0.2736,
            "SuspectWarterMark": 0.1614,
        },
    )
    assert [round(draw(7, "share", each), 6) for each in IDS[:3]] == [0.772149, 0.607901, 0.770479]


def test_draw_is_spread_over_the_whole_range_and_depends_on_everything() -> None:
    draws = [draw(2, "x", each) for each in IDS]

    assert 0 <= min(draws) < 0.001 and 0.999 < max(draws) < 1
    assert 0.49 < mean(draws) < 0.51
    assert len({draw(7, "x", BIZ), draw(8, "x", BIZ), draw(7, "y", BIZ), draw(7, "x", IDS[0])}) == 4


# time


def test_scenario_reactions_own_delay_goes_before_the_latency() -> None:
    scenario = read_scenario(
        {"latency": "80ms", "jitter": "1s", "order": [{"result": "low", "delay": "1.5s", "jitter": "0s"}]}
    )

    assert scenario.delay_s(scenario.order[0], BIZ) == 1.5
    assert scenario.delay_s(scenario.default, BIZ) == 0.08 + draw(0, "jitter", BIZ)
    spread = [scenario.delay_s(scenario.default, each) for each in IDS]
    assert 0.08 <= min(spread) < 0.09 and 1.07 < max(spread) < 1.08


# files


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "s.yaml",
            "merchant_biz_id:\n  01234567890123456789012345678901: {result: high, tags: [SuspectRemake],"
            " novel_tags: [0x1], score: {SuspectRemake: 0.9}, delay: 500ms}\n",
        ),
        (
            "s.json",
            '{"merchant_biz_id": {"01234567890123456789012345678901": {"result": "high", "tags": ["SuspectRemake"],'
            ' "novel_tags": ["0x1"], "score": {"SuspectRemake": 0.9}, "delay": "500ms"}}}',
        ),
    ],
)
def test_load_scenario_yaml_and_json_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert load_scenario(tmp_path / name).reaction("01234567890123456789012345678901", "") == Reaction(
        result="high", tags=("SuspectRemake",), novel_tags=("0x1",), score={"SuspectRemake": 0.9}, delay_s=0.5
    )


def test_load_scenario_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        f"""\
default: {{fault: drip}}
order: [{{result: high}}]
merchant_biz_id: {{{BIZ}: {{result: suspicious}}}}
media: {{{DIGEST}: {{code: NoFaceDetected}}}}
shares: [{{share: 2.5%, fault: lose, delay: 2s, jitter: 1s}}]
random: {{seed: 3}}
latency: 80ms
jitter: 40ms
throttle: {{per_second: 10}}
seed: 7
switches: {{errors: body, success_code: 200, merchant_biz_id: at_most}}
"""
    )

    assert load_scenario(tmp_path / "s.yaml") == Scenario(
        default=Reaction(fault="drip"),
        order=(Reaction(result="high"),),
        merchant_biz_id={BIZ: Reaction(result="suspicious")},
        media={DIGEST: Reaction(code="NoFaceDetected")},
        shares=(Share(percent=Decimal("2.5"), reaction=Reaction(fault="lose", delay_s=2.0, jitter_s=1.0)),),
        random_seed=3,
        latency_s=0.08,
        jitter_s=0.04,
        per_second=10,
        seed=7,
        switches=Switches(errors="body", success_code="200", merchant_biz_id="at_most"),
    )


def test_load_scenario_short_id_is_allowed_where_the_sandbox_takes_it() -> None:
    document = {"merchant_biz_id": {"order-1".replace("-", ""): {"result": "high"}}}

    assert read_scenario({"switches": {"merchant_biz_id": "at_most"}, **document}).reaction("order1", "").result
    with pytest.raises(ScenarioError, match=r"^merchant_biz_id\.order1: `order1` is not a MerchantBizId"):
        read_scenario(document)


FAULT_NAMES = ", ".join(FAULTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defualt: {result: low}", "1:1: unknown key `defualt`, did you mean `default`?"),
        ("zzz: 1", f"1:1: unknown key `zzz`, the keys here are {', '.join(KEYS)}"),
        ("default:\n  reslut: low", "2:3: unknown key `reslut`, did you mean `result`?"),
        ("default: {result: low, delay_s: 1}", "1:24: unknown key `delay_s`, did you mean `delay`?"),
        ("default: {result: medium}", "1:1: there is no result `medium`, there are low, suspicious, high"),
        (
            "default: {code: NoFaceDetectd}",
            "1:1: there is no return code `NoFaceDetectd`, did you mean `NoFaceDetected`?",
        ),
        (
            f"merchant_biz_id:\n  {BIZ}: {{result: high, tags: [SuspectWatermark]}}",
            "2:3: there is no tag `SuspectWatermark`, did you mean `SuspectWarterMark`?",
        ),
        (
            "order:\n- {result: low}\n- {result: high, score: {SuspectRemak: 0.1}}",
            "3:3: there is no tag `SuspectRemak`, did you mean `SuspectRemake`?",
        ),
        ("default: {fault: xyz}", f"1:1: there is no fault `xyz`, there are {FAULT_NAMES}"),
        ("default: {fault: loose}", "1:1: there is no fault `loose`, did you mean `lose`?"),
        (
            "default: {result: high, score: {SuspectRemake: 97}}",
            "1:1: the score of `SuspectRemake` is 97, scores are from 0 to 1",
        ),
        (
            "default: {result: high, score: {SuspectRemake: high}}",
            "1:33: `SuspectRemake` must be a number such as 0.93",
        ),
        ("default: {result: high, tags: SuspectRemake}", "1:25: `tags` must be a list"),
        (
            "default: {result: high, novel_tags: ['a,b']}",
            "1:1: `a,b` is not a tag: on the wire a comma separates them",
        ),
        ("default: {result: high, code: InternalError}", "1:1: give one of `result`, `code` and `fault`"),
        ("default: {tags: [SuspectRemake]}", "1:1: tags and scores need a `result` beside them"),
        ("default: low", "1:1: `default` must be a mapping"),
        ("default: {result: [low]}", "1:11: `result` must be a string"),
        ("default: {delay: 1}", "1:11: `delay` must be a duration from 0s to 1h, such as 200ms or 1.5s"),
        ("default: {delay: -1s}", "1:11: `delay` must be a duration from 0s to 1h, such as 200ms or 1.5s"),
        ("latency: 61m", "1:1: `latency` must be a duration from 0s to 1h, such as 200ms or 1.5s"),
        (
            "merchant_biz_id: {short: {result: low}}",
            "1:19: `short` is not a MerchantBizId, which has 32 letters and digits",
        ),
        (
            f"media: {{{'A' * 64}: {{result: low}}}}",
            f"1:9: `{'A' * 64}` is not a SHA-256, which has 64 hexadecimal digits in lower case",
        ),
        (
            "default: {result: low}\nshares:\n- {share: 60%, result: high}\n- {share: 40.5%, result: low}",
            "2:1: the shares add up to 100.5%, which is more than 100%",
        ),
        ("shares:\n- {share: 101%}", "2:4: `share` must be a percentage from 0% to 100%, such as 5%"),
        ("shares:\n- {share: 0.05}", "2:4: `share` must be a percentage from 0% to 100%, such as 5%"),
        ("shares:\n- {result: high}", "2:3: `share` is missing, such as `share: 5%`"),
        ("shares: {share: 5%}", "1:1: `shares` must be a list"),
        ("random: {}", "1:1: `seed` is missing"),
        ("random: {seed: x}", "1:10: `seed` must be an integer from 0"),
        ("throttle: {per_second: 0}", "1:12: `per_second` must be an integer from 1"),
        ("throttle: {per_minute: 1}", "1:12: unknown key `per_minute`, the keys here are per_second"),
        ("switches: {error: body}", "1:12: there is no switch `error`, did you mean `errors`?"),
        ("switches: {errors: boddy}", "1:12: `errors` cannot be `boddy`, did you mean `body`?"),
        ("default: {result: low}\ndefault: {result: high}", "2:1: duplicate key `default`"),
        (
            f"merchant_biz_id:\n  {BIZ}: {{}}\n  {BIZ}: {{}}",
            f"3:3: duplicate key `{BIZ}`",
        ),
        ("- a", "1:1: a scenario must be a mapping"),
        ("default: [", "1:11: expected the node content, but found '<stream end>'"),
        ("default: {result: low}\n---\n{}", "2:1: but found another document"),
    ],
)
def test_load_scenario_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    assert str(caught.value) == f"{path}:{said}"


def test_load_scenario_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\xfd")

    with pytest.raises(ScenarioError, match=r"s\.yaml: is not YAML: "):
        load_scenario(tmp_path / "s.yaml")
    with pytest.raises(ScenarioError, match=r"t\.yaml: cannot be read: No such file"):
        load_scenario(tmp_path / "t.yaml")


def test_read_scenario_mistake_is_told_by_its_path() -> None:
    with pytest.raises(ScenarioError, match=r"^order\[1\]\.delay: `delay` must be a duration"):
        read_scenario({"order": [{}, {"delay": 5}]})
    with pytest.raises(ScenarioError, match=r"^a scenario must be a mapping$"):
        read_scenario([])
    with pytest.raises(ScenarioError, match=r"^shares\[0\]\.score\.x: `x` must be a number"):
        read_scenario({"shares": [{"share": "1%", "result": "low", "score": {"x": -1}}]})
    with pytest.raises(ScenarioError, match=r"^seed: `seed` has too many digits$"):
        read_scenario({"seed": 10**5000})
    with pytest.raises(ScenarioError, match=r"^seed: `seed` must be a string$"):
        read_scenario({"seed": True})


@pytest.mark.parametrize(
    "build",
    [
        lambda: Reaction(result="middling"),
        lambda: Reaction(code="Success"),
        lambda: Reaction(result="low", delay_s=-1),
        lambda: Reaction(result="low", jitter_s=3601),
        lambda: Scenario(latency_s=-1),
        lambda: Scenario(shares=(Share(percent=Decimal(101), reaction=Reaction()),)),
    ],
)
def test_scenario_in_python_minds_the_same_rules(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        build()


def test_page_names_every_key_and_every_fault_with_what_it_costs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    keys = set(re.findall(r"(?m)^\| `(\w+)`", page))
    faults = re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| (yes|no) \|$", page)

    assert {*KEYS, *REACTION_KEYS, "share"} <= keys
    assert {name: billed == "yes" for name, billed in faults} == dict(FAULTS)
