"""Signatures: Ed25519, as RFC 8032 has it."""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P

Point = tuple[int, int, int, int]
"""A point of the curve as X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""


def signs(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes is the key's over a message: Ed25519, as RFC 8032, 5.1.7 has it; takes 2 ms.

    s·B = R + k·A is seen as s·B - k·A = R. There is no secret here that the time it takes could give away.
    """
    key, scalar = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or scalar >= _ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert base is not None
    minus = (-key[0] % _P, key[1], 1, -key[3] % _P)
    sums = (None, base, minus, _add(base, minus))
    total: Point = (0, 1, 1, 0)
    for at in range(252, -1, -1):
        total = _add(total, total)
        one = sums[(scalar >> at & 1) + 2 * (k >> at & 1)]
        total = total if one is None else _add(total, one)
    inverse = pow(total[2], -1, _P)
    x, y = total[0] * inverse % _P, total[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes stand for: y, and in the highest bit the sign of x. None where there is none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or (x * x - square) % _P or (sign and not x):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P
