"""Whatever a signed token says, it is taken where a plain reading of the rules takes it, and nothing makes a fault."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import AUDIENCE, HONEST, ISSUER, b64, key_set, token

from adjudge.config.jwt import JwtSettings
from adjudge.service.access.caller import Caller
from adjudge.service.access.refusals import Unauthenticated
from adjudge.service.access.tokens import Tokens

NOW, SKEW, LONGEST = 1_000_000.0, 30.0, 3600.0
ROLES = {"analyst": frozenset(["read"]), "flow": frozenset(["decide"])}

odd = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
times = st.sampled_from([NOW - 31, NOW - 30, NOW - 29, NOW, NOW + 30, NOW + 31, NOW + 3630, NOW + 3631])
HONESTLY = {"iss": ISSUER, "aud": AUDIENCE, "sub": "maria", "exp": NOW + 60, "roles": ["analyst", "flow"]}
CHANGES = {
    "iss": odd,
    "aud": st.sampled_from([[AUDIENCE], ["x", AUDIENCE], ["x"], f"x {AUDIENCE}"]) | odd,
    "exp": times | odd,
    "nbf": times | odd,
    "iat": times | odd,
    "sub": odd,
    "roles": st.lists(st.sampled_from([*ROLES, "x"]), max_size=3) | st.just("flow x") | odd,
}


@st.composite
def claims(draw: st.DrawFn) -> dict[str, Any]:
    """Draw honest claims, of which a few are something else or not there."""
    said = dict(HONESTLY)
    for name in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=2, unique=True)):
        if draw(st.integers(0, 4)):
            said[name] = draw(CHANGES[name])  # type: ignore[arg-type]
        else:
            said.pop(name, None)
    return said


def is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e11  # type: ignore[operator]


def judged(said: dict[str, Any]) -> set[str] | None:
    """Return what a token allows; None for one that must not be taken."""
    times_said = {name: said[name] for name in ("exp", "nbf", "iat") if name in said}
    audience = said.get("aud")
    rules = [
        said.get("iss") == ISSUER,
        audience == AUDIENCE or (isinstance(audience, list) and AUDIENCE in audience),
        "exp" in times_said and all(is_time(value) for value in times_said.values()),
        isinstance(said.get("sub"), str) and 0 < len(said["sub"]) <= 200 and said["sub"].isprintable(),
    ]
    if not all(rules):
        return None
    if not NOW - SKEW < said["exp"] <= NOW + LONGEST + SKEW:
        return None
    if any(times_said.get(name, 0) > NOW + SKEW for name in ("nbf", "iat")):
        return None
    roles = said.get("roles")
    names = roles.split() if isinstance(roles, str) else roles if isinstance(roles, list) else []
    return {scope for name in names if isinstance(name, str) for scope in ROLES.get(name, ())}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    file: Path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps(key_set(*HONEST)))
    said = JwtSettings(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset(["ES256", "RS256", "EdDSA"]),
        keys=file,
        roles=ROLES,  # type: ignore[arg-type]
        clock_skew_s=SKEW,
        longest_s=LONGEST,
    )
    return Tokens(said, now=lambda: NOW)


def taken(tokens: Tokens, text: str) -> Caller | None:
    try:
        return asyncio.run(tokens.caller_of(text))
    except Unauthenticated:
        return None


@settings(max_examples=200, deadline=None)
@given(claims())
def test_signed_token_is_taken_as_the_rules_say(tokens: Tokens, said: dict[str, Any]) -> None:
    found = taken(tokens, token(said=said))
    assert (None if found is None else set(found.scopes)) == judged(said)


GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": "maria", "exp": NOW + 60}
names = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "x5u", "x5t", "cty", "x"])
headers = st.dictionaries(names, odd | st.sampled_from(["ES256", "none", "HS256", "ec", "rsa", "JWT"]), max_size=6)


@settings(max_examples=100, deadline=None)
@given(headers, st.sampled_from(HONEST), st.binary(max_size=100))
def test_no_header_takes_in_what_its_issuer_did_not_sign(
    tokens: Tokens, header: dict[str, Any], key: Any, signature: bytes
) -> None:
    assert taken(tokens, f"{b64(header)}.{b64(GOOD)}.{b64(signature)}") is None
    named = {**header, "alg": "ES256", "kid": key.kid}
    assert taken(tokens, f"{b64(named)}.{b64(GOOD)}.{b64(signature)}") is None
    signed = taken(
        tokens, token(said=GOOD, **{name: value for name, value in header.items() if name not in ("alg", "kid")})
    )
    assert signed is None or signed.name == "token:maria"


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("eyJhbGciOiJFUzI1NiJ9-_."), max_size=200) | st.text(max_size=50))
def test_text_that_is_no_token_is_refused_without_a_fault(tokens: Tokens, text: str) -> None:
    assert taken(tokens, text) is None
    whole = token(said=GOOD)
    assert taken(tokens, f"x{text}{whole}") is None
