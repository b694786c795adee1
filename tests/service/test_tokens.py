"""A token is taken where its issuer signed it, for this service and for now; every other is refused."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
from issuing import (
    AUDIENCE,
    EC,
    EC_384,
    ED,
    ISSUER,
    RSA,
    b64,
    claims,
    key_set,
    signed_with_text,
    token,
)
from joserfc.jwk import ECKey, OctKey
from structlog.testing import capture_logs

from adjudge.config.jwt import JwtSettings
from adjudge.config.service import ServiceSettings
from adjudge.errors import SetupError
from adjudge.service.access.caller import Caller
from adjudge.service.access.gate import CREDENTIAL_MAX, Gate
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.key_set import read_key_set
from adjudge.service.access.keys import new_key
from adjudge.service.access.refusals import Unauthenticated
from adjudge.service.access.tokens import Tokens
from service.test_gate import answers, bearer

OTHER = ECKey.generate_key("P-256", {"kid": "ec"})


@pytest.fixture
def settings(tmp_path: Path) -> JwtSettings:
    (tmp_path / "jwks.json").write_text(json.dumps(key_set()))
    return JwtSettings(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset(["ES256", "ES384", "RS256", "PS256", "EdDSA"]),
        keys=tmp_path / "jwks.json",
        roles={"analyst": frozenset(["read", "label"]), "flow": frozenset(["decide"])},
    )


def taken(settings: JwtSettings, text: str, **how: Any) -> Caller | str:
    """Return who a token is of, or why it is refused."""
    try:
        return asyncio.run(Tokens(settings, **how).caller_of(text))
    except Unauthenticated as error:
        return error.reason


@pytest.mark.parametrize(
    ("key", "alg"), [(EC, "ES256"), (EC_384, "ES384"), (RSA, "RS256"), (RSA, "PS256"), (ED, "EdDSA"), (ED, "Ed25519")]
)
def test_honest_token_is_taken_by_each_algorithm_that_is_named(settings: JwtSettings, key: Any, alg: str) -> None:
    text = token(key, alg)
    settings = dataclasses.replace(settings, algorithms=frozenset([alg]))
    assert taken(settings, text) == Caller("token:maria", frozenset(["read", "label"]))
    others = dataclasses.replace(settings, algorithms=frozenset(["ES512"]))
    assert taken(others, text) == "token-algorithm"


NOW = time.time()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"iss": "https://evil.example"}, "token-issuer"),
        ({"iss": f"{ISSUER}/"}, "token-issuer"),
        ({"iss": [ISSUER]}, "token-issuer"),
        ({"iss": None}, "token-issuer"),
        ({"aud": "other"}, "token-audience"),
        ({"aud": ["other", "adjudge2"]}, "token-audience"),
        ({"aud": f"other {AUDIENCE}"}, "token-audience"),
        ({"aud": {AUDIENCE: True}}, "token-audience"),
        ({"aud": None}, "token-audience"),
        ({"exp": NOW - 31}, "token-expired"),
        ({"exp": 0}, "token-expired"),
        ({"exp": None}, "token-expired"),
        ({"exp": -1}, "token-claims"),
        ({"exp": str(NOW + 60)}, "token-claims"),
        ({"exp": True}, "token-claims"),
        ({"exp": [NOW + 60]}, "token-claims"),
        ({"exp": 1e300}, "token-claims"),
        ({"exp": NOW + 86_400 * 2}, "token-too-long"),
        ({"nbf": NOW + 60}, "token-early"),
        ({"iat": NOW + 60}, "token-early"),
        ({"nbf": "now"}, "token-claims"),
        ({"sub": None}, "token-claims"),
        ({"sub": ""}, "token-claims"),
        ({"sub": 5}, "token-claims"),
        ({"sub": "a\nb"}, "token-claims"),
        ({"sub": "\x1b[2J"}, "token-claims"),
        ({"sub": "\u202eevil"}, "token-claims"),
        ({"sub": "x" * 201}, "token-claims"),
    ],
)
def test_token_of_another_issuer_service_or_time_is_refused(
    settings: JwtSettings, other: dict[str, Any], reason: str
) -> None:
    assert taken(settings, token(said=claims(**other)), now=lambda: NOW) == reason


def test_clocks_may_differ_a_little(settings: JwtSettings) -> None:
    for other in ({"exp": NOW - 29}, {"nbf": NOW + 29}, {"aud": ["x", AUDIENCE]}, {"exp": NOW + 60.5}):
        assert isinstance(taken(settings, token(said=claims(**other)), now=lambda: NOW), Caller)
    replayed = token(said=claims(exp=NOW + 60))
    assert isinstance(taken(settings, replayed, now=lambda: NOW), Caller)
    assert taken(settings, replayed, now=lambda: NOW + 91) == "token-expired"


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        (["analyst", "flow"], {"read", "label", "decide"}),
        ("flow", {"decide"}),
        ("analyst flow", {"read", "label", "decide"}),
        (["admin", "Flow", "flow "], set()),
        ([["flow"], {"flow": 1}, 5], set()),
        ({"flow": True}, set()),
        (5, set()),
        (None, set()),
    ],
)
def test_roles_allow_what_the_configuration_says_and_no_more(
    settings: JwtSettings, roles: Any, scopes: set[str]
) -> None:
    assert taken(settings, token(said=claims(roles=roles))) == Caller("token:maria", frozenset(scopes))  # type: ignore[arg-type]
    nested = dataclasses.replace(settings, role_claim=("realm_access", "roles"))
    found = taken(nested, token(said=claims(roles=["flow"], realm_access={"roles": roles})))
    assert found == Caller("token:maria", frozenset(scopes))  # type: ignore[arg-type]


def cut(text: str, part: int, change: Any) -> str:
    parts = text.split(".")
    parts[part] = change(parts[part])
    return ".".join(parts)


def public_pem(key: Any) -> bytes:
    pem: bytes = key.as_pem(private=False)
    return pem


FORGED: dict[str, tuple[str, str]] = {
    "signed by another": (token(OTHER), "token-signature"),
    "signature of another token": (
        f"{token(said=claims(sub='eve')).rpartition('.')[0]}.{token().rpartition('.')[2]}",
        "token-signature",
    ),
    "no signature": (cut(token(), 2, lambda part: ""), "token-signature"),
    "half a signature": (cut(token(), 2, lambda part: part[: len(part) // 2]), "token-signature"),
    "a longer signature": (cut(token(), 2, lambda part: part + "AAAA"), "token-signature"),
    "a signature of zeros": (cut(token(), 2, lambda part: b64(bytes(64))), "token-signature"),
    "a signature in DER": (cut(token(), 2, lambda part: b64(b"0\x06\x02\x01\x01\x02\x01\x01")), "token-signature"),
    "none": (f"{b64({'alg': 'none', 'kid': 'ec'})}.{b64(claims())}.", "token-algorithm"),
    "None": (f"{b64({'alg': 'None'})}.{b64(claims())}.", "token-algorithm"),
    "no algorithm": (f"{b64({'kid': 'ec'})}.{b64(claims())}.AAAA", "token-malformed"),
    "a list of algorithms": (f"{b64({'alg': ['ES256']})}.{b64(claims())}.AAAA", "token-algorithm"),
    "HMAC with the public key in PEM": (signed_with_text(public_pem(RSA), kid="rsa"), "token-algorithm"),
    "HMAC with the public key as JSON": (
        signed_with_text(json.dumps(RSA.as_dict(private=False)).encode(), kid="rsa"),
        "token-algorithm",
    ),
    "HMAC with nothing": (signed_with_text(b"", "HS512", kid="rsa"), "token-algorithm"),
    "RSA with the name of an EC key": (token(RSA, "RS256", kid="ec"), "token-key"),
    "EC with the name of an RSA key": (token(EC, kid="rsa"), "token-key"),
    "a curve for another": (token(EC, kid="ec-384"), "token-key"),
    "an unknown key": (token(OTHER, kid="other"), "token-key"),
    "no name where several fit": (token(OTHER, kid=None), "token-signature"),
    "a path as name": (token(OTHER, kid="../../../../dev/null"), "token-key"),
    "SQL as name": (token(OTHER, kid="x' UNION SELECT 'key' --"), "token-key"),
    "a command as name": (token(OTHER, kid="|/bin/sh"), "token-key"),
    "a very long name": (token(OTHER, kid="k" * 1000), "token-key"),
    "an empty name": (token(OTHER, kid=""), "token-key"),
    "a key within": (token(OTHER, jwk=OTHER.as_dict(private=False)), "token-signature"),
    "a key within, and no name": (token(OTHER, kid=None, jwk=OTHER.as_dict(private=False)), "token-signature"),
    "a place of keys": (token(OTHER, jku="https://evil.example/jwks.json"), "token-signature"),
    "a certificate": (token(OTHER, x5c=["AAAA"]), "token-signature"),
    "a place of certificates": (token(OTHER, x5u="https://evil.example/c.pem"), "token-signature"),
    "critical": (
        f"{b64({'alg': 'ES256', 'kid': 'ec', 'crit': ['x'], 'x': 1})}.{b64(claims())}.AAAA",
        "token-malformed",
    ),
    "unencoded": (
        f"{b64({'alg': 'ES256', 'kid': 'ec', 'b64': False, 'crit': ['b64']})}.{b64(claims())}.AAAA",
        "token-malformed",
    ),
    "of another kind": (token(typ="secevent+jwt"), "token-malformed"),
    "of no kind": (token(typ=5), "token-malformed"),
    "claims that are a list": (token(said=b"[]"), "token-claims"),
    "claims that are nothing": (token(said=b""), "token-claims"),
    "claims twice": (token(said=json.dumps(claims()).encode()[:-1] + b', "sub": "eve"}'), "token-claims"),
    "claims that are deep": (token(said=b"[" * 3000), "token-claims"),
    "claims that are not UTF-8": (token(said=b'{"sub": "\xff"}'), "token-claims"),
    "a header that is a list": (f"{b64(b'[]')}.{b64(claims())}.AAAA", "token-malformed"),
    "a header that is a text": (cut(token(), 0, lambda part: b64(json.dumps("alg").encode())), "token-malformed"),
    "a header that is no JSON": (f"{b64(b'{')}.{b64(claims())}.AAAA", "token-malformed"),
    "a header that is deep": (f"{b64(b'[' * 1500)}.{b64(claims())}.AAAA", "token-malformed"),
    "a header that is long": (f"{b64(b' ' * 3000)}.{b64(claims())}.AAAA", "token-malformed"),
    "a header that is no Base64": (f"!!!.{b64(claims())}.AAAA", "token-malformed"),
    "nothing": ("..", "token-malformed"),
    "an encrypted one": ("a.b.c.d.e", "token-malformed"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_token_is_refused(settings: JwtSettings, name: str) -> None:
    text, reason = FORGED[name]
    assert taken(settings, text) == reason


def test_every_single_change_of_a_token_is_refused(settings: JwtSettings) -> None:
    text, tokens = token(), Tokens(settings)
    changed = []
    for at in range(0, len(text) - 1, 5):
        if text[at] != ".":
            changed.append(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])

    async def taken_all() -> list[str]:
        found = []
        for one in changed:
            with pytest.raises(Unauthenticated) as raised:
                await tokens.caller_of(one)
            found.append(raised.value.reason)
        return found

    assert len(asyncio.run(taken_all())) > 50


def test_signature_is_verified_once_for_each_key_and_the_rest_each_time(
    settings: JwtSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adjudge.service.access import tokens as tokens_module

    verified, now = [], [NOW]
    validate = tokens_module.validate_compact

    def counted(token: Any, key: Any, **how: Any) -> bool:
        verified.append(key.kid)
        return validate(token, key, **how)

    monkeypatch.setattr(tokens_module, "validate_compact", counted)
    monkeypatch.setattr(tokens_module, "SIGNED_MAX", 3)
    tokens = Tokens(settings, now=lambda: now[0])
    text = token(said=claims(exp=NOW + 60))

    async def main() -> None:
        for _ in range(3):
            await tokens.caller_of(text)
        assert len(verified) == 1
        for n in range(5):
            await tokens.caller_of(token(said=claims(sub=str(n))))
        await tokens.caller_of(text)
        assert len(verified) == 7 and len(tokens._signed) == 3, "of so many, and no more"
        now[0] = NOW + 100
        with pytest.raises(Unauthenticated):
            await tokens.caller_of(text)
        now[0] = NOW
        (tmp_path / "jwks.json").write_text(json.dumps(key_set(OTHER)))
        tokens._keys._file._next = 0.0  # type: ignore[union-attr]
        with pytest.raises(Unauthenticated) as raised:
            await tokens.caller_of(text)
        assert raised.value.reason == "token-signature", "another key of the same name knows nothing of it"

    asyncio.run(main())


def test_token_without_a_name_is_for_the_only_key(settings: JwtSettings, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps(key_set(EC, RSA)))
    assert isinstance(taken(settings, token(kid=None)), Caller)
    nameless = {name: value for name, value in EC.as_dict(private=False).items() if name != "kid"}
    (tmp_path / "jwks.json").write_text(json.dumps(key_set(nameless, RSA)))
    assert isinstance(taken(settings, token(kid=None)), Caller)
    assert taken(settings, token()) == "token-key"
    (tmp_path / "jwks.json").write_text(json.dumps(key_set(EC, OTHER)))
    assert (taken(settings, token()), taken(settings, token(kid=None))) == ("token-key", "token-key"), "two of one name"


def rsa(n: int, e: int = 65537) -> dict[str, Any]:
    return {
        "kty": "RSA",
        "kid": "r",
        **{name: b64(v.to_bytes((v.bit_length() + 7) // 8)) for name, v in (("n", n), ("e", e))},
    }


EC_DICT = EC.as_dict(private=False)
HOSTILE: dict[str, Any] = {
    "symmetric": OctKey.generate_key(256, {"kid": "o"}).as_dict(private=True),
    "a small RSA key": rsa((1 << 1023) + 1),
    "a tiny RSA key": rsa(3233),
    "a large RSA key": rsa((1 << 16_383) + 1),
    "an exponent of 1": rsa(RSA.public_key.public_numbers().n, 1),
    "an even exponent": rsa(RSA.public_key.public_numbers().n, 2),
    "no RSA key": {"kty": "RSA", "kid": "r"},
    "RSA in numbers": {"kty": "RSA", "kid": "r", "n": 5, "e": 3},
    "a point off the curve": {**EC_DICT, "y": EC_DICT["x"]},
    "an unknown curve": {**EC_DICT, "crv": "P-192"},
    "a published secret": EC.as_dict(private=True),
    "for encryption": {**EC_DICT, "use": "enc"},
    "for signing alone": {**EC_DICT, "key_ops": ["sign"]},
    "operations that are none": {**EC_DICT, "key_ops": 5},
    "for another algorithm": {**EC_DICT, "alg": "HS256"},
    "for a list of algorithms": {**EC_DICT, "alg": ["ES256"]},
    "a name that is a number": {**EC_DICT, "kid": 5},
    "a very long name": {**EC_DICT, "kid": "k" * 257},
    "an unknown kind": {"kty": "XYZ"},
    "a list of kinds": {"kty": ["EC"]},
    "a text": "key",
    "nothing": None,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_key_that_must_not_verify_is_left_out_of_a_set(name: str) -> None:
    hostile = HOSTILE[name]
    assert [
        one.kid for one in read_key_set(json.dumps({"keys": [hostile, ED.as_dict(private=False)]}).encode()).keys
    ] == ["ed"]
    with pytest.raises(SetupError, match="must hold a public key"):
        read_key_set(json.dumps({"keys": [hostile]}).encode())


def test_key_with_only_the_curve_x25519_signs_nothing(settings: JwtSettings, tmp_path: Path) -> None:
    x = {"kty": "OKP", "crv": "X25519", "kid": "x", "x": b64(bytes(32))}
    (tmp_path / "jwks.json").write_text(json.dumps(key_set(x, EC)))
    assert taken(settings, f"{b64({'alg': 'EdDSA', 'kid': 'x'})}.{b64(claims())}.AAAA") == "token-key"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b"{" + b'"a":' * 3000,
        json.dumps({"keys": [EC_DICT] * 101}).encode(),
        b" " * (256 * 1024 + 1),
        b"\xff",
    ],
)
def test_set_of_keys_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(SetupError, match="a set of keys"):
        read_key_set(data)


def test_tokens_and_keys_are_taken_side_by_side(settings: JwtSettings, tmp_path: Path) -> None:
    key, text = new_key("flow", ["read"])
    change_keys(tmp_path / "keys.yaml", lambda _: {key.id: key})
    both = Gate(ServiceSettings(keys=tmp_path / "keys.yaml", jwt=settings))
    only = Gate(ServiceSettings(jwt=settings))
    flow = token(said=claims(roles=["flow"]))
    asked = [bearer(text), bearer(token()), bearer(flow), bearer(FORGED["none"][0]), {}]
    assert [one.status_code for one in answers(both, *asked)] == [200, 200, 403, 401, 401]
    assert [one.status_code for one in answers(only, *asked)] == [401, 200, 403, 401, 401]
    assert (
        answers(both, bearer(FORGED["none"][0]))[0].json()["detail"] == answers(both, bearer("x"))[0].json()["detail"]
    )


def test_token_is_bounded_before_anything_is_read(settings: JwtSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    from adjudge.service.access import tokens as tokens_module

    read: list[int] = []
    monkeypatch.setattr(tokens_module, "extract_compact", lambda text, **_: read.append(len(text)))
    long = token(said=claims(more="x" * CREDENTIAL_MAX))
    assert [one.status_code for one in answers(Gate(ServiceSettings(jwt=settings)), bearer(long))] == [401]
    assert read == []


def test_token_and_what_it_says_stand_in_no_event(settings: JwtSettings) -> None:
    gate = Gate(ServiceSettings(jwt=settings))
    texts = [
        token(said=claims(email="CANARY", roles=["flow"])),
        token(OTHER, said=claims(email="CANARY"), kid="CANARY"),
    ]
    with capture_logs() as events:
        found = answers(gate, *map(bearer, texts))
    said = str(events) + "".join(one.text for one in found)
    assert [one["reason"] for one in events if one["event"] == "request_refused"] == ["scope", "token-key"]
    assert "CANARY" not in said and not any(part in said for text in texts for part in text.split("."))
    assert base64.b64encode(b"CANARY").decode() not in said


def test_records_name_the_subject_as_no_key_can_be_named(settings: JwtSettings) -> None:
    found = taken(settings, token(said=claims(sub="flow")))
    assert isinstance(found, Caller) and found.name == "token:flow"


def test_file_of_the_issuers_keys_is_taken_as_it_changes(settings: JwtSettings, tmp_path: Path) -> None:
    tokens = Tokens(settings)
    file = tokens._keys._file  # type: ignore[union-attr]

    async def look(text: str) -> object:
        file._next = 0.0
        try:
            return await tokens.caller_of(text)
        except Unauthenticated as error:
            return error.reason

    async def main() -> None:
        new = ECKey.generate_key("P-256", {"kid": "new"})
        assert await look(token(new)) == "token-key"
        (tmp_path / "jwks.json").write_text(json.dumps(key_set(new)))
        assert isinstance(await look(token(new)), Caller)
        assert await look(token()) == "token-key"
        (tmp_path / "jwks.json").write_text("{")
        assert isinstance(await look(token(new)), Caller) and tokens.trouble
        (tmp_path / "jwks.json").unlink()
        assert await look(token(new)) == "token-key"

    asyncio.run(main())


def test_service_does_not_begin_without_the_issuers_keys(settings: JwtSettings, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no such file"):
        Gate(ServiceSettings(jwt=dataclasses.replace(settings, keys=tmp_path / "gone")))
