"""The words of other languages that compare, and what is said of each."""

from __future__ import annotations

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "=~")
_COMPARED = {
    ">": "greater than,more than,higher than,larger than,bigger than,older than,longer than,later than,above,over,"
    "exceeds,exceeding,after,gt",
    "<": "less than,lower than,smaller than,fewer than,younger than,newer than,shorter than,earlier than,below,under,"
    "before,lt",
    ">=": "greater than or equal to,more than or equal to,higher than or equal to,greater or equal,at least,"
    "no less than,not less than,on or after,gte,ge",
    "<=": "less than or equal to,lower than or equal to,less or equal,at most,no more than,not more than,up to,"
    "on or before,lte,le",
    "==": "equal to,equal,equals,exactly,the same as,eq",
    "!=": "different from,unequal to,ne,neq,xor",
    "in": "in,one of,any of,in list,in the list,among,part of,a member of",
}
OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_LOOKED_FOR = {
    "contains": "contains,contain,includes,include,containing,has",
    "contains any": "contains any of,contains any,includes any of,has any of,has any",
    "startsWith": "startswith,starts with,start with,begins with,starting with",
    "endsWith": "endswith,ends with,end with,ending with",
    "like": "like,similar to,glob",
    "ilike": "ilike",
    "=~": "matches,match,rlike,regexp",
    "between": "between,from",
}


def _phrases() -> dict[tuple[str, ...], str]:
    said = {"is": "==", "is not": "!=", "not in": "not in", "does not equal": "!=", "doesnt equal": "!="}
    for meant, ways in _COMPARED.items():
        against = OPPOSITE.get(meant, f"not {meant}")
        for way in ways.split(","):
            said |= {way: meant, f"is {way}": meant, f"not {way}": against, f"is not {way}": against}
    for meant, ways in _LOOKED_FOR.items():
        for way in ways.split(","):
            said |= {way: meant, f"not {way}": f"not {meant}", f"does not {way}": f"not {meant}"}
    said |= {"is between": "between", "is like": "like", "is not between": "not between"}
    del said["in"]
    ordered = sorted(said.items(), key=lambda one: -one[0].count(" "))
    return {tuple(way.split()): meant for way, meant in ordered}


PHRASES = _phrases()
"""What joins two values in words, the longer ones first."""
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
KNOWN = ("known", "present", "given", "available", "provided", "defined", "filled")
BOOLS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
NULLS = ("null", "none", "nil", "undefined", "nan", "na", "blank", "empty", "missing", "unknown")

_OF_TEXTS = "there is no `{said}`: `contains`, `startsWith` and `endsWith` look for a part of a text"
_OF_LETTERS = "there is no `{said}`: `lower` makes small letters, `contains` and its like look for a part of a text"
_ANY = "whether one of several is there is asked with `exists`"
SAID = {
    "between": "`{said}` is written as two comparisons",
    "like": _OF_TEXTS,
    "ilike": _OF_LETTERS,
    "contains": "`{said}` is written as a call: `a.contains(b)`",
    "startsWith": "`{said}` is written as a call: `a.startsWith(b)`",
    "endsWith": "`{said}` is written as a call: `a.endsWith(b)`",
    "=~": "`{said}` is written as a call: `a.matches(b)`",
    "contains any": _ANY,
}
SAID |= {f"not {meant}": said for meant, said in SAID.items()} | {"not in": "`{said}` is written `!(a in b)`"}
