"""A small policy for every key that decides: with it, without it, and a request for which that is the difference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HEAD = "policy_language: 1\npolicy: shop\n"
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A key at work.

    text: a policy without its head. A line that ends in `#+` is there with the key only; one in `#-` without it only.
    shown: a request that the two policies answer differently. now: its clock.
    files: what lies beside the policy, by path.
    differ: what of the verdict differs: its outcome, unless said otherwise (`reasons`, `ask`).
    apart: why a tool has nothing to do with the key, by tool; the docs' table says the same.
    """

    text: str
    shown: Mapping[str, object]
    now: datetime = NOW
    files: Mapping[str, str] = field(default_factory=dict)
    differ: str = "outcome"
    apart: Mapping[str, str] = field(default_factory=dict)

    def policy(self, *, has_key: bool = True) -> str:
        """Return the policy's text, with or without the key."""
        left_out = "#-" if has_key else "#+"
        lines = [line for line in self.text.strip("\n").split("\n") if not line.endswith(left_out)]
        return HEAD + "\n".join(re.sub(r" *#[+-]$", "", line) for line in lines) + "\n"

    def write(self, folder: Path, *, has_key: bool = True) -> Path:
        """Write the policy and what lies beside it into a folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        path = folder / ("shop.yaml" if has_key else "without.yaml")
        path.write_text(self.policy(has_key=has_key), encoding="utf-8")
        return path


ORDER = "its words are put in order for proofs; it decides nothing by itself"

EXAMPLES: Mapping[str, Example] = {
    "inputs": Example(
        text="""
inputs: {flag: bool}
rules:
  - {id: a, when: flag, then: review}  #+
  - {id: a, when: '!flag', then: review}  #-
""",
        shown={"flag": True},
    ),
    "signals": Example(
        text="""
signals:
  device: {fields: {score: {type: double, range: [0, 100]}}}
rules:
  - {id: a, when: device.score > 70.0, then: reject}  #+
  - {id: a, when: device.score > 90.0, then: reject}  #-
""",
        shown={"device": {"score": 80.0}},
    ),
    "lists": Example(
        text="""
inputs: {country: string}
lists:
  bad: [KP, IR]  #+
  bad: [KP]  #-
rules:
  - {id: a, when: country in lists.bad, then: reject}
""",
        shown={"country": "IR"},
    ),
    "list.file": Example(
        text="""
inputs: {country: string}
lists:
  bad: {file: lists/bad.txt}  #+
  bad: [KP]  #-
rules:
  - {id: a, when: country in lists.bad, then: reject}
""",
        shown={"country": "IR"},
        files={"lists/bad.txt": "KP\nIR\n"},
    ),
    "entry.until": Example(
        text="""
inputs: {country: string}
lists:
  bad: [KP, {value: IR, until: 2026-01-01, by: eve, note: agreed}]  #+
  bad: [KP, IR]  #-
rules:
  - {id: a, when: country in lists.bad, then: reject}
""",
        shown={"country": "IR"},
    ),
    "entry.value": Example(
        text="""
inputs: {country: string}
lists:
  bad: [KP, {value: IR, until: 2027-01-01}]  #+
  bad: [KP]  #-
rules:
  - {id: a, when: country in lists.bad, then: reject}
""",
        shown={"country": "IR"},
    ),
    "list.builtin": Example(
        text="""
inputs: {country: string}
lists:
  near: {builtin: eea}  #+
  near: [DE]  #-
rules:
  - {id: a, when: '!(country in lists.near)', then: reject}
""",
        shown={"country": "FR"},
    ),
    "include": Example(
        text="""
include: [more.yaml]  #+
inputs: {country: string}
rules: []
""",
        shown={"country": "KP"},
        files={
            "more.yaml": 'fragment: more\npolicy_language: 1\nrules: [{id: a, when: country != "SG", then: reject}]\n'
        },
    ),
    "variables": Example(
        text="""
inputs: {share: {type: double, range: [0, 1]}}
variables:
  big: share > 0.5  #+
  big: share > 0.9  #-
rules:
  - {id: a, when: big, then: review}
""",
        shown={"share": 0.7},
    ),
    "when_unknown": Example(
        text="""
inputs: {flag: bool}
when_unknown: reject  #+
rules:
  - {id: a, when: flag, then: reject}
""",
        shown={},
    ),
    "rule.when_unknown": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    when_unknown: pass  #+
    then: reject
""",
        shown={},
    ),
    "signal.when_unknown": Example(
        text="""
signals:
  device:
    when_unknown: pass  #+
    fields: {ok: bool}
rules:
  - {id: a, when: '!device.ok', then: reject}
""",
        shown={},
    ),
    "signal.fields": Example(
        text="""
signals:
  device:
    fields: {ok: bool, n: {type: int, range: [0, 9]}}  #+
    fields: {ok: bool, n: {type: int, range: [0, 5]}}  #-
rules:
  - {id: a, when: '!device.ok || device.n > 3', then: reject}
""",
        shown={"device": {"ok": True, "n": 7}},
    ),
    "thresholds": Example(
        text="""
inputs: {share: {type: double, range: [0, 1]}}
thresholds:  #+
  share: {review: 0.5, reject: 0.9}  #+
rules: []
""",
        shown={"share": 0.6},
    ),
    "threshold.below": Example(
        text="""
inputs: {match: {type: double, range: [0, 1]}}
thresholds:
  match: {below: {review: 0.8, reject: 0.5}}  #+
  match: {below: {review: 0.7, reject: 0.5}}  #-
""",
        shown={"match": 0.75},
    ),
    "threshold of a key": Example(
        text="""
signals:
  face: {fields: {score: {type: map, keys: [A, B], of: {type: double, range: [0, 1]}, absent: 0}}}
thresholds:
  face.score:
    A: {review: 0.5, reject: 0.9}
    B: {review: 0.6}  #+
""",
        shown={"face": {"score": {"B": 0.7}}},
    ),
    "threshold of a word": Example(
        text="""
signals:
  face: {fields: {result: {type: enum, values: [low, suspicious, high]}}}
thresholds:
  face.result: {suspicious: review, high: reject}  #+
  face.result: {high: reject}  #-
""",
        shown={"face": {"result": "suspicious"}},
    ),
    "threshold by": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
thresholds:
  share: {by: country, SG: {review: 0.5, reject: 0.9}, ID: {review: 0.3}, else: {review: 0.7}}  #+
  share: {review: 0.5, reject: 0.9}  #-
""",
        shown={"country": "ID", "share": 0.4},
    ),
    "threshold by, without else": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
thresholds:
  share: {by: country, SG: {review: 0.5}, ID: {review: 0.5}}  #+
  share: {review: 0.5}  #-
""",
        shown={"country": "PH", "share": 0.4},
    ),
    "tables": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
tables:  #+
  limits: {file: tables/limits.csv, reason: LIMIT}  #+
rules: []
""",
        shown={"country": "ID", "share": 0.4},
        files={
            "tables/limits.csv": 'country in,share >=,share <,then\n"ID, PH",.3,,review\nSG,.5,.9,review\n,.9,,reject\n'
        },
    ),
    "table.rows": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
tables:
  limits:
    then: review
    rows:
      - {country: SG, share >=: 0.5}
      - {country: ID, share >=: 0.3, then: reject}  #+
""",
        shown={"country": "ID", "share": 0.4},
    ),
    "table.then": Example(
        text="""
inputs: {country: string}
tables:
  bad:
    then: reject  #+
    then: review  #-
    rows: [{country: KP}]
""",
        shown={"country": "KP"},
    ),
    "table.reason": Example(
        text="""
inputs: {country: string}
tables:
  bad:
    then: reject
    reason: SANCTIONED  #+
    rows: [{country: KP}]
""",
        shown={"country": "KP"},
        differ="reasons",
    ),
    "table.when_unknown": Example(
        text="""
inputs: {country: string}
tables:
  bad:
    then: reject
    when_unknown: pass  #+
    rows: [{country: KP}]
""",
        shown={},
    ),
    "lookup": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
lookup:
  limit: {by: country, values: {SG: 0.5, ID: 0.3}}  #+
  limit: {by: country, values: {SG: 0.5, ID: 0.7}}  #-
rules:
  - {id: a, when: share >= limit, then: review}
""",
        shown={"country": "ID", "share": 0.4},
    ),
    "lookup.else": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID, PH]}, share: {type: double, range: [0, 1]}}
lookup:
  limit:
    by: country
    values: {SG: 0.5, ID: 0.3}
    else: 0.4  #+
rules:
  - {id: a, when: share >= limit, then: review}
""",
        shown={"country": "PH", "share": 0.1},
    ),
    "lookup.rows": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID]}, web: bool, share: {type: double, range: [0, 1]}}
lookup:
  limits:
    by: [country, web]
    rows:
      - {country: SG, web: true, low: 0.5, high: 0.9}
      - {country: SG, web: false, low: 0.4, high: 0.9}
      - {country: ID, web: true, low: 0.3, high: 0.9}  #+
      - {country: ID, web: true, low: 0.7, high: 0.9}  #-
rules:
  - {id: a, when: share >= limits.low, then: review}
  - {id: b, when: share >= limits.high, then: reject}
""",
        shown={"country": "ID", "web": True, "share": 0.4},
    ),
    "lookup.file": Example(
        text="""
inputs: {country: {type: enum, values: [SG, ID]}, share: {type: double, range: [0, 1]}}
lookup:
  limits: {by: country, file: tables/limits.csv}  #+
  limits: {by: country, rows: [{country: SG, low: 0.5}, {country: ID, low: 0.5}]}  #-
rules:
  - {id: a, when: share >= limits.low, then: review}
""",
        shown={"country": "ID", "share": 0.4},
        files={"tables/limits.csv": "country,low\nSG,0.5\nID,0.3\n"},
    ),
    "rules": Example(
        text="""
inputs: {flag: bool}
rules:
  - {id: a, when: flag, then: review}
  - {id: b, when: flag, then: reject}  #+
""",
        shown={"flag": True},
    ),
    "rule.when": Example(
        text="""
inputs: {flag: bool, share: {type: double, range: [0, 1]}}
rules:
  - id: a
    when: flag || share > 0.5  #+
    when: flag  #-
    then: review
""",
        shown={"flag": False, "share": 0.6},
    ),
    "rule.unless": Example(
        text="""
inputs: {flag: bool, trusted: bool}
rules:
  - id: a
    when: flag
    unless: trusted  #+
    then: review
""",
        shown={"flag": True, "trusted": True},
    ),
    "rule.then": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    then: reject  #+
    then: review  #-
""",
        shown={"flag": True},
    ),
    "rule.reason": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    then: reject
    reason: OTHER  #+
""",
        shown={"flag": True},
        differ="reasons",
    ),
    "rule.from": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    from: 2026-12-01  #+
    then: reject
""",
        shown={"flag": True},
    ),
    "rule.until": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    until: 2026-11-01  #+
    then: reject
""",
        shown={"flag": True},
    ),
    "scorecard": Example(
        text="""
inputs: {flag: bool, share: {type: double, range: [0, 1]}}
scorecard:
  points:
    - {when: flag, add: 30}
    - {when: share > 0.5, add: 20}  #+
  bands: {review: 20, reject: 40}
""",
        shown={"flag": True, "share": 0.6},
    ),
    "count of conditions": Example(
        text="""
inputs: {flag: bool, fresh: bool, share: {type: double, range: [0, 1]}}
rules:
  - {id: a, when: 'atLeast(2, [flag, fresh, share > 0.5])', then: review}  #+
  - {id: a, when: 'flag && fresh', then: review}  #-
""",
        shown={"flag": True, "fresh": False, "share": 0.6},
    ),
    "scorecard.reason": Example(
        text="""
inputs: {flag: bool}
scorecard:
  points: [{when: flag, add: 50}]
  bands: {review: 40}
  reason: SMALL_SIGNS  #+
""",
        shown={"flag": True},
        differ="reasons",
    ),
    "scorecard.when_unknown": Example(
        text="""
inputs: {flag: bool}
scorecard:
  points: [{when: flag, add: 50}]
  bands: {reject: 40}
  when_unknown: reject  #+
""",
        shown={},
    ),
    "scorecards": Example(
        text="""
inputs: {flag: bool, fresh: bool, share: {type: double, range: [0, 1]}}
scorecards:
  device:
    points:
      - {when: flag, add: 30}
    bands: {review: 30}
  identity:  #+
    points:  #+
      - {id: large, when: share > 0.5, add: 20}  #+
      - {when: fresh, add: -5}  #+
    bands: {reject: 20}  #+
    reason: IDENTITY  #+
""",
        shown={"flag": True, "fresh": False, "share": 0.6},
    ),
    "row.unless": Example(
        text="""
inputs: {flag: bool, trusted: bool}
scorecard:
  points:
    - when: flag
      unless: trusted  #+
      add: 50
  bands: {review: 40}
""",
        shown={"flag": True, "trusted": True},
    ),
    "row.add": Example(
        text="""
inputs: {flag: bool, trusted: bool}
scorecard:
  points:
    - {when: flag, add: 50}
    - when: trusted
      add: -20  #+
      add: -5  #-
  bands: {review: 40}
""",
        shown={"flag": True, "trusted": True},
    ),
    "row.add (an expression)": Example(
        text="""
inputs: {country: string, flag: bool}
lookup:
  odds: {by: country, values: {SG: 10, ID: 25}, else: 40}
scorecard:
  points:
    - {add: odds}  #+
    - {when: flag, add: 5}
  bands: {review: 25}
""",
        shown={"country": "ID", "flag": False},
    ),
    "bands.reject": Example(
        text="""
inputs: {flag: bool, trusted: bool}
scorecard:
  points: [{when: flag, add: 50}, {when: trusted, add: -5}]
  bands: {review: 40, reject: 50}  #+
  bands: {review: 40}  #-
""",
        shown={"flag": True, "trusted": False},
    ),
    "bands.review": Example(
        text="""
inputs: {share: {type: double, range: [0, 1]}}
scorecard:
  points: [{when: share > 0.5, add: 20}]
  bands: {review: {at: 20}}  #+
  bands: {review: 30}  #-
""",
        shown={"share": 0.6},
    ),
    "excuse": Example(
        text="""
inputs: {flag: bool, good: bool}
rules:
  - {id: a, when: flag, then: review}
scorecard:
  points: [{when: flag, add: 20}]
  bands: {review: 20}
excuse: {when: good, from: review}  #+
""",
        shown={"flag": True, "good": True},
    ),
    "excuse.unless": Example(
        text="""
inputs: {flag: bool, good: bool, share: {type: double, range: [0, 1]}}
rules:
  - {id: a, when: flag, then: review}
excuse:
  - id: known
    when: good
    unless: share > 0.5  #+
    from: review
""",
        shown={"flag": True, "good": True, "share": 0.6},
    ),
    "excuse.rules": Example(
        text="""
inputs: {flag: bool, good: bool}
rules:
  - {id: a, when: flag, then: review}
  - {id: b, when: flag || good, then: review}
excuse:
  when: good
  from: review
  rules: [a]  #+
""",
        shown={"flag": True, "good": True},
    ),
    "excuse.tags": Example(
        text="""
inputs: {flag: bool, good: bool}
rules:
  - {id: a, when: flag, then: review, tags: [mild]}
  - {id: b, when: flag || good, then: review}
excuse:
  when: good
  from: review
  tags: [mild]  #+
""",
        shown={"flag": True, "good": True},
    ),
    "rule.ask": Example(
        text="""
inputs: {flag: bool}
steps: {document: {en: Please take a picture of your document.}}
rules:
  - id: a
    when: flag
    then: review
    ask: [document]  #+
""",
        shown={"flag": True},
        differ="ask",
    ),
    "band.ask": Example(
        text="""
inputs: {flag: bool}
steps: {document: Please take a picture of your document., call: We will call you.}
scorecard:
  points: [{when: flag, add: 50}]
  bands: {review: {at: 40, ask: [document, call]}}  #+
  bands: {review: {at: 40, ask: [call]}}  #-
""",
        shown={"flag": True},
        differ="ask",
    ),
    "threshold.ask": Example(
        text="""
inputs: {share: {type: double, range: [0, 1]}}
steps: {document: Please take a picture of your document.}
thresholds:
  share:
    review: {at: 0.5, ask: [document]}  #+
    review: {at: 0.5}  #-
    reject: 0.9
""",
        shown={"share": 0.6},
        differ="ask",
    ),
    "threshold.at": Example(
        text="""
inputs: {share: {type: double, range: [0, 1]}}
steps: {document: Please take a picture of your document.}
thresholds:
  share:
    below:
      review: {at: 0.5, ask: [document]}  #+
      review: {at: 0.1, ask: [document]}  #-
""",
        shown={"share": 0.3},
    ),
    "threshold.then": Example(
        text="""
inputs: {device: {type: enum, values: [known, fresh, emulated]}}
steps: {document: Please take a picture of your document.}
thresholds:
  device:
    emulated: {then: reject, confirm: person}  #+
    fresh: {then: review, ask: [document]}
""",
        shown={"device": "emulated"},
    ),
    "table.ask": Example(
        text="""
inputs: {country: string, fresh: bool}
steps: {document: Please take a picture of your document., selfie: Please take a selfie.}
tables:
  limits:
    then: review
    ask: [selfie]  #+
    rows:
      - {country: KP, ask: document}
      - {fresh: true}
""",
        shown={"country": "SG", "fresh": True},
        differ="ask",
    ),
    "table.else": Example(
        text="""
inputs: {country: string, fresh: bool}
tables:
  limits:
    then: reject
    rows:
      - {country: SG, fresh: true}
      - {country: KP}
    else: review  #+
""",
        shown={"country": "SG", "fresh": False},
    ),
    "else.then": Example(
        text="""
inputs: {country: string, fresh: bool}
tables:
  limits:
    then: review
    rows: [{country: SG, fresh: true}]
    else: {then: reject, reason: NO_LIMIT}  #+
    else: {then: review, reason: NO_LIMIT}  #-
""",
        shown={"country": "SG", "fresh": False},
    ),
    "else.when_unknown": Example(
        text="""
inputs: {country: string, fresh: bool}
tables:
  limits:
    then: review
    when_unknown: pass
    rows: [{country: SG, fresh: true}]
    else:
      then: review
      when_unknown: review  #+
""",
        shown={"country": "SG"},
    ),
    "else.reason": Example(
        text="""
inputs: {country: string}
tables:
  limits:
    then: review
    rows: [{country: SG}]
    else:
      then: review
      reason: NO_LIMIT  #+
""",
        shown={"country": "PH"},
        differ="reasons",
    ),
    "else.ask": Example(
        text="""
inputs: {country: string}
steps: {document: Please take a picture of your document.}
tables:
  limits:
    then: review
    rows: [{country: SG}]
    else:
      then: review
      ask: [document]  #+
""",
        shown={"country": "PH"},
        differ="ask",
    ),
    "names of a request": Example(
        text="""
inputs: {flag: bool}
rules:
  - id: a
    when: flag
    unless: scene_code == "kiosk" && attempts < 3  #+
    then: reject
""",
        shown={"flag": True, "scene_code": "kiosk", "attempts": 1},
    ),
    "field.range": Example(
        text="""
inputs:
  n: {type: int, range: [0, 10]}  #+
  n: {type: int, range: [0, 5]}  #-
rules:
  - {id: a, when: n > 3, then: reject}
""",
        shown={"n": 7},
    ),
    "a field of type date": Example(
        text="""
inputs:
  expiry: date
  born: {type: date, range: [1900-01-01, 2026-12-31]}
rules:
  - {id: soon, when: 'expiry < today("Asia/Singapore") + duration("30d")', then: review}  #+
  - {id: soon, when: 'expiry < date("2026-01-01")', then: review}  #-
  - {id: young, when: 'date("2026-11-23") - born < duration("6574d")', then: reject}
""",
        shown={"expiry": "2026-12-01", "born": "1990-02-28"},
    ),
    "threshold of a date": Example(
        text="""
inputs: {expiry: date}
thresholds:
  expiry: {below: {review: 2026-12-31, reject: 2026-11-30}}  #+
  expiry: {below: {review: 2026-06-30, reject: 2026-05-31}}  #-
""",
        shown={"expiry": "2026-12-01"},
    ),
    "a field of type record": Example(
        text="""
inputs:
  passport: {type: record, of: {number: string, expiry: date, country: {type: enum, values: [SG, KP]}}}
rules:
  - {id: expired, when: 'passport.expiry < date("2026-11-23")', then: review}  #+
  - {id: expired, when: 'passport.number == "0"', then: review}  #-
  - {id: country, when: 'passport.country == "KP"', then: reject}
""",
        shown={"passport": {"number": "K1", "expiry": "2026-11-01", "country": "SG"}},
    ),
    "a list of records": Example(
        text="""
inputs:
  papers: {type: list, of: {type: record, of: {number: string, expiry: date}}}
rules:
  - {id: expired, when: 'papers.exists(d, d.expiry < date("2026-11-23"))', then: review}  #+
  - {id: expired, when: 'papers.exists(d, d.number == "0")', then: review}  #-
""",
        shown={"papers": [{"number": "K1", "expiry": "2026-11-01"}, {"number": "K2"}]},
    ),
    "field.currencies": Example(
        text="""
inputs:
  limit: {type: money, currencies: [SGD, USD]}  #+
  limit: {type: money, currencies: [USD]}  #-
rules:
  - {id: dollars, when: 'limit.currency == "USD"', then: reject}
  - {id: large, when: limit.amount > 100, then: reject}
""",
        shown={"limit": {"amount": "12.50", "currency": "SGD"}},
    ),
    "rates": Example(
        text="""
inputs:
  limit: {type: money, currencies: [SGD, USD, IDR]}
rates:
  USD: {SGD: 0.75, IDR: 0.0000625}  #+
  USD: {SGD: 0.5}  #-
rules:
  - {id: large, when: 'limit.in("USD") > 1000', then: review}
""",
        shown={"limit": {"amount": "1600.00", "currency": "SGD"}},
    ),
    "field.values": Example(
        text="""
inputs:
  os: {type: enum, values: [ios, android, web]}  #+
  os: {type: enum, values: [ios, android]}  #-
rules:
  - {id: a, when: os != "ios", then: reject}
""",
        shown={"os": "web"},
    ),
    "field.keys": Example(
        text="""
signals:
  face:
    fields:
      score: {type: map, keys: [A, B], of: {type: double, range: [0, 1]}, absent: 0}  #+
      score: {type: map, keys: [A], of: {type: double, range: [0, 1]}, absent: 0}  #-
rules:
  - {id: a, when: 'size(face.novel_score) > 0', then: reject}
""",
        shown={"face": {"score": {"B": 0.5}}},
    ),
    "field.of": Example(
        text="""
inputs:
  names: {type: list, of: {type: int, range: [0, 9]}}  #+
  names: {type: list, of: {type: int, range: [0, 5]}}  #-
rules:
  - {id: a, when: 'names.exists(n, n > 3)', then: reject}
""",
        shown={"names": [7]},
    ),
    "field.absent": Example(
        text="""
signals:
  device:
    fields:
      rooted: {type: bool, absent: false}  #+
      rooted: bool  #-
      ok: bool
rules:
  - {id: a, when: device.rooted || !device.ok, then: reject}
""",
        shown={"device": {"ok": True}},
    ),
}

LIVE_ONLY: Mapping[str, str] = {
    "gather": "when signals are asked for; `tests/signals` holds thrifty to eager",
    "explore": "how many requests ask for everything",
    "scenes": "which policy answers; `tests/engine/test_after_the_verdict.py`",
    "sample": "who a person looks at, after the verdict; likewise",
    "sample.share": "how many",
    "sample.of": "of which verdicts",
    "sample.then": "what they become",
    "sample.reason": "the code for it",
    "rule.confirm": "whether a reject is final, after the verdict; likewise",
    "band.confirm": "whether a reject is final, after the verdict; likewise",
    "threshold.confirm": "whether a reject is final, after the verdict; likewise",
    "table.confirm": "whether a reject is final, after the verdict; likewise",
    "else.confirm": "whether a reject is final, after the verdict; likewise",
    "signal.provider": "who is asked",
    "signal.with": "how it is asked",
    "signal.timeout": "how long it may take",
    "signal.when_billing_unknown": "whether a call is made again",
}
"""Keys of a live decision: what is known hangs on them, and what follows from what is known does not."""

TOLD: Mapping[str, str] = {
    "policy_language": "the version of the language",
    "policy": "the policy's name",
    "description": "for people",
    "reasons": "what codes mean",
    "reason.weight": "the order of reasons in explanations",
    "reason.text": "what applicants are told",
    "rule.id": "how the rule is called",
    "rule.description": "for people",
    "rule.message": "what reviewers are told",
    "rule.tags": "for reports",
    "entry.by": "for people",
    "entry.note": "for people",
    "table.description": "for people",
    "table.sheet": "which sheet of a workbook; `tests/policy/test_tables.py` reads one",
    "lookup.description": "for people",
    "lookup.by": "shown with `lookup`",
    "lookup.values": "shown with `lookup`",
    "lookup.sheet": "which sheet of a workbook",
    "lookup.type": "what type the values have",
    "row.when": "shown with `scorecard`",
    "row.id": "how the row is called",
    "scorecard.points": "shown with `scorecard`",
    "scorecard.bands": "shown with `scorecard`",
    "band.at": "shown with `bands.review`",
    "excuse.id": "how the excuse is called",
    "excuse.description": "for people",
    "excuse.when": "shown with `excuse`",
    "excuse.from": "shown with `excuse`",
    "steps": "what can be asked for, and in which order; shown with `rule.ask`",
    "calibration": "when thresholds were last set",
    "calibration.on": "the day",
    "calibration.valid_for": "how long it holds",
    "calibration.source": "what data",
    "field.type": "shown with `inputs`",
    "field.within": "where a provider finds the field",
    "field.riskier": "which direction is asked about in proofs and lint",
    "field.personal": "how the value stands in the log",
    "field.actionable": "what an applicant can change",
    "field.description": "for people",
}
"""Keys that tell people something, or are part of one that is shown above."""
