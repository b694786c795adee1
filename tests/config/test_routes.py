"""Routes: which policy answers a request that names none, and what is said where nobody can tell."""

from __future__ import annotations

import asyncio
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.audit.activation import ActivationBody
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.config.file import open_engine, read_config, require_sound
from adjudge.errors import MerchantBizIdConflict, PolicyErrors, RequestError
from adjudge.model import Request
from adjudge.policy import load_policy

POLICY = """\
policy_language: 1
policy: NAME
inputs: {country: string, amount: {type: int, range: [0, 100]}, flag: bool}
rules: [{id: r, when: amount > 5 || flag || country == "KP", then: review}]
"""
ROUTES = """
  - {when: 'scene_code == "payout"', policy: payouts}
  - {when: 'country in ["ID", "VN"]', policy: sea}
  - {when: amount > 50 && attempts >= 3, policy: strict}
  - {policy: usual}
"""
NAMES = ("payouts", "sea", "strict", "usual")


def write(folder: Path, routes: str = ROUTES, *, names: tuple[str, ...] = NAMES, more: str = "") -> Path:
    inside = folder / "risk"
    inside.mkdir(exist_ok=True)
    for name in names:
        (inside / f"{name}.yaml").write_text(POLICY.replace("NAME", name))
    path = folder / "adjudge.yaml"
    path.write_text(f"policies: [risk/]\naudit: {{directory: log}}\nroutes: {routes}\n{more}")
    return path


def request(number: int = 1, **more: object) -> Request:
    scene_code, attempts = more.pop("scene_code", "onboard"), more.pop("attempts", None)
    policy = more.pop("policy", None)
    return Request(
        merchant_biz_id=f"{number:032}",
        scene_code=scene_code,  # type: ignore[arg-type]
        attempts=attempts,  # type: ignore[arg-type]
        policy=policy,  # type: ignore[arg-type]
        inputs=more,
    )


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({"scene_code": "payout"}, "payouts"),
        ({"scene_code": "payout", "country": "ID"}, "payouts"),
        ({"country": "VN"}, "sea"),
        ({"country": "SG", "amount": 51, "attempts": 3}, "strict"),
        ({"country": "SG", "amount": 50}, "usual"),
        ({"country": "SG", "attempts": 2}, "usual"),
        ({"country": "SG", "policy": "sea"}, "sea"),
    ],
)
def test_first_row_that_holds_chooses(tmp_path: Path, given: dict[str, object], policy: str) -> None:
    with open_engine(write(tmp_path)) as engine:
        assert engine.decide_sync(request(**given)).policy == policy


@pytest.mark.parametrize(
    ("given", "named", "unknown"),
    [
        ({}, ("sea", "strict", "usual"), ("country", "amount", "attempts")),
        ({"amount": 1}, ("sea", "usual"), ("country",)),
        ({"country": "SG"}, ("strict", "usual"), ("amount", "attempts")),
        ({"country": "SG", "amount": 60}, ("strict", "usual"), ("attempts",)),
        ({"country": "SG", "amount": 101, "attempts": 3}, ("strict", "usual"), ("amount",)),
        ({"country": 7, "amount": 1}, ("sea", "usual"), ("country",)),
    ],
)
def test_row_that_is_unknown_is_never_passed_over(
    tmp_path: Path, given: dict[str, object], named: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    with open_engine(write(tmp_path)) as engine, pytest.raises(RequestError) as refused:
        engine.decide_sync(request(**given))
    assert refused.value.where == "policy"
    said = str(refused.value)
    assert f"it may be {', '.join(f'`{name}`' for name in named)}, as " in said
    assert f"as {', '.join(f'`{name}`' for name in unknown)} is unknown" in said


def test_unknown_row_whose_policy_answers_anyway_refuses_nobody(tmp_path: Path) -> None:
    path = write(
        tmp_path, """[{when: country == "ID", policy: sea}, {when: amount > 5, policy: sea}, {policy: usual}]"""
    )
    with open_engine(path) as engine:
        assert engine.decide_sync(request(amount=6)).policy == "sea"


_CONDITIONS = (
    *('country == "ID"', "flag", "!flag", "amount > 5", "amount > 5 && flag"),
    *('country != "ID" || flag', "attempts > 1"),
)
_VALUES: dict[str, list[object]] = {
    "country": ["ID", "SG"],
    "flag": [True, False],
    "amount": [1, 9],
    "attempts": [1, 2],
}
_ROWS = st.lists(
    st.tuples(st.sampled_from(_CONDITIONS), st.sampled_from(NAMES)), max_size=4, unique_by=lambda row: row[0]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("routes")


@settings(max_examples=60, deadline=None)
@given(
    rows=_ROWS,
    known=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in _VALUES.items()}),
)
def test_what_is_chosen_is_what_every_completion_would_choose(
    folder: Path, rows: list[tuple[str, str]], known: dict[str, object]
) -> None:
    """Judged by trying every value that what is unknown could have."""
    text = "".join(f"\n  - {{when: '{when}', policy: {policy}}}" for when, policy in rows) + "\n  - {policy: usual}"
    config = read_config(write(folder, text))
    assert config.routes is not None
    router = config.routes.over({name: load_policy(folder / "risk" / f"{name}.yaml") for name in NAMES})
    ways = [{**dict(zip(_VALUES, way, strict=True)), **known} for way in product(*_VALUES.values())]
    could = {router.choose(request(**way)).name for way in ways}
    try:
        chosen = {router.choose(request(**known)).name}
    except RequestError as refused:
        named = set(re.findall("`([a-z]+)`", str(refused)))
    else:
        named = set()
        assert chosen == could
    assert not named or could <= named


@pytest.mark.parametrize(
    ("routes", "code", "said"),
    [
        ("[]", "schema-empty", "has no rows"),
        ("{}", "schema-type", "routes"),
        ("[{when: flag, policy: sea}]", "schema-missing", "no last row"),
        ("[{policy: sea}, {policy: usual}]", "schema-value", "so it is the last"),
        ("[{policy: uusal}]", "name-unknown", "there is no policy `uusal`"),
        ("[{when: contry == 'ID', policy: sea}, {policy: usual}]", "name-unknown", "contry"),
        ("[{when: amount, policy: sea}, {policy: usual}]", "type-mismatch", "int"),
        ("[{when: amount > 'x', policy: sea}, {policy: usual}]", "type-mismatch", ""),
        ("[{when: 'amount >', policy: sea}, {policy: usual}]", "syntax-expected", ""),
        ("[{when: 'true', policy: sea}, {policy: usual}]", "schema-value", "takes everything"),
        ("[{when: 'false', policy: sea}, {policy: usual}]", "schema-value", "takes nothing"),
        (
            "[{when: flag, policy: sea}, {when: ' flag ', policy: strict}, {policy: usual}]",
            "schema-value",
            "a row above",
        ),
        ("[{when: now > timestamp('2026-01-01T00:00:00Z'), policy: sea}, {policy: usual}]", "name-unknown", "now"),
        ("[{when: flag, policy: sea, then: x}, {policy: usual}]", "schema-unknown-key", "then"),
        ("[{when: flag}, {policy: usual}]", "schema-missing", "policy"),
    ],
)
def test_mistake_in_the_table_is_told_at_its_place(tmp_path: Path, routes: str, code: str, said: str) -> None:
    path = write(tmp_path, routes)
    for check in (lambda: require_sound(read_config(path)), lambda: open_engine(path)):
        with pytest.raises(PolicyErrors) as wrong:
            check()  # type: ignore[no-untyped-call]
        first = wrong.value.errors[0]
        assert (first.file, first.line) == (str(path), 3) and said in f"{first.message} {first.hint}"
        assert first.code == code


def test_input_that_policies_declare_differently_is_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "risk" / "sea.yaml").write_text(POLICY.replace("NAME", "sea").replace("[0, 100]", "[0, 10]"))
    with pytest.raises(PolicyErrors) as wrong:
        open_engine(path)
    (error,) = wrong.value.errors
    assert (error.code, error.line) == ("type-mismatch", 6) and "`amount` is declared differently by" in error.message


def test_scenes_of_a_policy_and_routes_are_two_ways(tmp_path: Path) -> None:
    path = write(tmp_path)
    with (tmp_path / "risk" / "sea.yaml").open("a") as file:
        file.write("scenes: [onboard]\n")
    with pytest.raises(PolicyErrors) as wrong:
        open_engine(path)
    assert "`sea` has `scenes`, and `routes` choose the policy here" in wrong.value.errors[0].message
    assert 'scene_code in ["onboard"]' in str(wrong.value.errors[0].hint)


def test_fingerprint_holds_what_the_caller_asked_and_the_log_what_was_chosen(tmp_path: Path) -> None:
    path = write(tmp_path)
    with open_engine(path) as engine:
        first = engine.decide_sync(request(country="ID", amount=1))
        assert engine.activation is not None and engine.activation.routes[0] == 'scene_code == "payout" -> payouts'
    path = write(tmp_path, ROUTES.replace('"ID", ', ""))
    with open_engine(path) as engine:
        again = engine.decide_sync(request(country="ID", amount=1))
        assert (again.status, again.decision_id, again.policy) == ("duplicate", first.decision_id, "sea")
        with pytest.raises(MerchantBizIdConflict):
            engine.decide_sync(request(country="ID", amount=1, policy="sea"))
    assert [body.policy for _, body in bodies(tmp_path / "log", DecisionBody)] == ["sea"]
    told = [body for _, body in bodies(tmp_path / "log", ActivationBody)]
    assert [body.routes[1] for body in told] == ['country in ["ID", "VN"] -> sea', 'country in ["VN"] -> sea']
    assert told[0].routes[-1] == "else -> usual"


def test_policies_that_the_routes_need_are_not_taken_away(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_engine(write(tmp_path)) as engine:
            with pytest.raises(PolicyErrors):
                await engine.replace([engine.policies["usual"]])
            assert set(engine.policies) == set(NAMES)

    asyncio.run(work())
