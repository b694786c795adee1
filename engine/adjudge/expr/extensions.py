"""Functions of CEL's extensions that a policy does not have, each with the way out, for whoever knows them."""

from __future__ import annotations

from collections.abc import Mapping

_PLUGIN = "a plugin can add it as a function"
_TEXT = f"`split`, `substring`, `lower`, `upper`, `trim`, `contains` and `matches` are there; {_PLUGIN}"
_LIST = "`filter`, `map`, `exists` and `all` are there; sort and cut lists where the input is made"
_ONE_VARIABLE = "macros have one variable, the item: `l.exists(item, …)`, `l.map(item, …)`; of a map it is the key"
_OPTIONAL = "what is missing is unknown: ask `has(x)`, or write `has(x) ? x : other`"
_NUMBER = "`max`, `min`, `abs` and `round` are there; `int(x)` cuts the fraction"
_CHANCE = "nothing in a condition is random, so that decisions can be made again; `sample:` sends a share to a person"
_APART = 'subtract them: how far two moments are apart is a duration, such as `duration("24h")`'
_SET = "`a.all(x, x in b)` is whether b holds all of a, `a.exists(x, x in b)` whether it holds one"
_ADDRESS = f'match the text, `address.startsWith("10.")`, or let a signal say it; {_PLUGIN}'
_PATTERN = f"`text.matches(pattern)` says whether it is there; {_PLUGIN}"

HINTS: Mapping[str, str] = {
    **dict.fromkeys(
        ("join", "replace", "indexOf", "lastIndexOf", "charAt", "reverse", "format", "quote"),
        _TEXT,
    ),
    **dict.fromkeys(("sort", "sortBy", "slice", "flatten", "distinct", "first", "last", "lists"), _LIST),
    "existsOne": "it is written `exists_one`",
    **dict.fromkeys(("transformList", "transformMap", "transformMapEntry"), _ONE_VARIABLE),
    **dict.fromkeys(
        ("hasValue", "orValue", "or", "optMap", "optFlatMap", "value", "unwrapOpt", "ofNonZeroValue"), _OPTIONAL
    ),
    **dict.fromkeys(("ip", "cidr", "isIP", "isCIDR", "containsIP", "containsCIDR"), _ADDRESS),
    **dict.fromkeys(("find", "findAll", "extract", "extractAll"), _PATTERN),
    **dict.fromkeys(("random", "rand", "randint", "uuid"), _CHANCE),
    **dict.fromkeys(("datediff", "DATEDIFF", "date_diff", "timestampdiff"), _APART),
    "type": "each field has one type, which the policy declares; nothing needs to ask for it",
    "dyn": "each field has one type, which the policy declares; nothing needs to hide it",
    "uint": "write an int, and declare the field with a `range`",
    "bytes": "there are only strings; declare the field as one",
}
"""By a function's own name."""
NAMESPACES: Mapping[str, str] = {
    "math": _NUMBER,
    "sets": _SET,
    "cel": "give a part of a condition a name under `variables:`",
    "regex": _PATTERN,
    "optional": _OPTIONAL,
    "lists": _LIST,
    "strings": _TEXT,
    "base64": f"send the text itself; {_PLUGIN}",
    "proto": "there are no messages; declare a map, or fields of a signal",
    "net": _ADDRESS,
    "ip": _ADDRESS,
    "cidr": _ADDRESS,
}
"""By what stands before the dot: `math.greatest`."""


def way_out(function: str, namespace: str | None) -> str | None:
    """Return what to write in place of an extension's function; None where it is none."""
    if namespace is not None and namespace in NAMESPACES:
        return NAMESPACES[namespace]
    return HINTS.get(function)
