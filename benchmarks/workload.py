"""Policies of any size with requests for them, and the same rules for the others to run.

The rules are what risk teams write: mostly thresholds on a score, some with a second and third condition, a few lists
and exceptions. Every number is drawn from a fixed seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

COUNTRIES = ("SG", "MY", "ID", "TH", "VN", "PH", "KP", "IR", "MM", "DE", "FR", "US")
TAGS = ("SuspectDeepForgery", "SuspectPSFace", "SuspectTemple", "SuspectRemake", "SuspectAIGCFace", "SuspectWarterMark")
NUMBERS = {
    "document_match": 1.0,
    "velocity": 20.0,
    "amount": 10_000.0,
    "device.score": 100.0,
    "device.age": 1_000.0,
    **{f"deepfake.score.{tag}": 1.0 for tag in TAGS},
}
DOCUMENT = """policy_language: 1
policy: bench
inputs:
  country: string
  document_match: {type: double, range: [0, 1]}
  velocity: {type: double, range: [0, 1000]}
  amount: {type: double, range: [0, 1000000]}
signals:
  device:
    fields:
      score: {type: double, range: [0, 100]}
      age: {type: double, range: [0, 100000]}
      emulator: bool
  deepfake:
    fields:
      result: {type: enum, values: [low, suspicious, high]}
      score: {type: map, keys: [TAGS], of: {type: double, range: [0, 1]}}
rules:
""".replace("TAGS", ", ".join(TAGS))


@dataclass(frozen=True)
class Workload:
    """Rules as CEL texts with their outcome (1 review, 2 reject), and requests."""

    rules: tuple[tuple[str, int], ...]
    requests: tuple[dict[str, object], ...]

    @property
    def policy(self) -> str:
        """The rules as a policy."""
        names = ("pass", "review", "reject")
        rules = (f"  - {{id: r{at}, when: '{text}', then: {names[to]}}}" for at, (text, to) in enumerate(self.rules))
        return DOCUMENT + "\n".join(rules) + "\n"


def workload(count: int, *, requests: int = 2000, seed: int = 7) -> Workload:
    """Return `count` rules and requests with every field known; no two requests are alike."""
    draw = random.Random(seed)  # rules, not secrets
    rules = tuple((_condition(draw), draw.choice((1, 1, 2))) for _ in range(count))
    return Workload(rules, tuple(_request(draw) for _ in range(requests)))


def _atom(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.75:
        field, top = draw.choice(list(NUMBERS.items()))
        return f"{field} {draw.choice(('>=', '>=', '>', '<'))} {_level(draw, top)}"
    if kind < 0.85:
        return f"country in [{', '.join(chr(34) + name + chr(34) for name in draw.sample(COUNTRIES, 3))}]"
    if kind < 0.92:
        return f'deepfake.result == "{draw.choice(("suspicious", "high"))}"'
    return "device.emulator"


def _level(draw: random.Random, top: float) -> float:
    return round(top * draw.triangular(0.3, 1.0, 0.85), 3)


def _condition(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.6:
        return _atom(draw)
    if kind < 0.85:
        return f"{_atom(draw)} && {_atom(draw)}"
    if kind < 0.95:
        return f"{_atom(draw)} && ({_atom(draw)} || {_atom(draw)})"
    return f"{_atom(draw)} && !({_atom(draw)} && {_atom(draw)})"


def _request(draw: random.Random) -> dict[str, object]:
    def number(top: float) -> float:
        return round(draw.triangular(0, top, top * 0.2), 6)

    return {
        "country": draw.choice(COUNTRIES),
        "document_match": number(1),
        "velocity": number(20),
        "amount": number(10_000),
        "device": {"score": number(100), "age": number(1000), "emulator": draw.random() < 0.05},
        "deepfake": {
            "result": draw.choice(("low", "low", "low", "suspicious", "high")),
            "score": {tag: number(1) for tag in TAGS},
        },
    }


def straight_python(work: Workload) -> object:
    """Generate the function a programmer would: fields into variables once, then every test; no check, no reason."""
    names = {"deepfake.score." + tag: f"score_{tag}" for tag in TAGS}
    names |= {"device.score": "device_score", "device.age": "device_age", "device.emulator": "emulator"}
    names |= {"deepfake.result": "result"}
    used = " ".join(text for text, _ in work.rules)
    lines = ["def decide(given):", "    outcome = 0"]
    for field in ("country", "document_match", "velocity", "amount"):
        lines += [f"    {field} = given['{field}']"] if field in used else []
    lines += ["    device, deepfake = given['device'], given['deepfake']", "    score = deepfake['score']"]
    for field, name in names.items():
        if field in used:
            owner, key = field.rsplit(".", 1)
            lines.append(f"    {name} = {owner.split('.')[-1]}['{key}']")
    for text, outcome in work.rules:
        for field, name in names.items():
            text = text.replace(field, name)
        text = text.replace("&&", "and").replace("||", "or").replace("!(", "not (")
        text = text.replace("[", "{").replace("]", "}")  # a set, the fastest way to look
        lines.append(f"    if {text}:\n        outcome = {2 if outcome == 2 else 'outcome or 1'}")
    lines.append("    return outcome")
    namespace: dict[str, object] = {}
    exec("\n".join(lines), namespace)  # our own text
    return namespace["decide"]
