"""Mistakes that people make in a policy: what stands in it, and each way in which it was written otherwise."""

from __future__ import annotations

BASE = """\
policy_language: 1
policy: shop
inputs:
  country: string
  email_domain: string
  attempts_24h: {type: int, range: [0, 1000], riskier: higher}
  document_match: {type: double, range: [0, 1], riskier: lower}
  document_expiry: timestamp
  document_type: {type: enum, values: [passport, national_id]}
  limit_usd: {type: double, range: [0, 100000000]}
  account_age: duration
signals:
  device:
    fields:
      score: {type: double, range: [0, 100]}
      emulator: bool
      vpn: bool
lists:
  sanctioned: [IR, KP]
thresholds:
  document_match: {below: {review: 0.80, reject: 0.50}}
  device.score: {review: 70, reject: 95}
rules:
  - id: sanctioned-country
    when: country in lists.sanctioned
    then: reject
  - id: many-attempts
    when: attempts_24h >= 5 && device.emulator
    then: review
scorecard:
  points:
    - {when: device.vpn, add: 10}
    - {when: attempts_24h >= 3, add: 20}
  bands: {review: 20, reject: 100}
"""

# a mistake is written as it was made
# fmt: off
MISTAKES: dict[str, list[str]] = {
    '    then: review': [
        '    then:review',
        '    then：review',
        '    then： review',
        '    then:\u3000review',
        '    then: Review',
        '    then: REVIEW',
        '    then: “review”',
        '    then: manual',
        '    then: approve',
        '    then: pass',
        '    then: ｒｅｖｉｅｗ',
        '    then: reveiw',
        '    then = review',
        '    then review',
        '    then:: review',
        '    then: review,',
        '    then: [review]',
        '    Then: review',
        '    THEN: review',
        '    action: review',
        '    outcome: review',
        '    ｔｈｅｎ: review',
        '    thеn: review',
        '    th\u200ben: review',
        '    then\xa0: review',
        '    then:\xa0review',
        '\xa0\xa0\xa0\xa0then: review',
        '\tthen: review',
        '\t\tthen: review',
        '    then:\treview',
        '   then: review',
        '     then: review',
        '  then: review',
        '    then: "review',
    ],
    '    then: reject': [
        '    then: decline',
        '    then: deny',
    ],
    '  - id: many-attempts': [
        '    id: many-attempts',
        '  -id: many-attempts',
        '  – id: many-attempts',
        '  • id: many-attempts',
        '  * id: many-attempts',
        ' - id: many-attempts',
        '   - id: many-attempts',
        '  -\u3000id: many-attempts',
        '  － id: many-attempts',
        '  - ID: many-attempts',
        '  - name: many-attempts',
        '  - rule: many-attempts',
        '  - id: many attempts',
        '  - id: Many Attempts!',
        '  - id: 多次',
        '  - id: 1st-rule',
        '  - id：many-attempts',
        '  - “id”: many-attempts',
    ],
    '  - id: sanctioned-country': [
        '    id: sanctioned-country',
    ],
    '    when: country in lists.sanctioned': [
        '    When: country in lists.sanctioned',
        '    if: country in lists.sanctioned',
        '    condition: country in lists.sanctioned',
        '    when: [country in lists.sanctioned, device.vpn]',
        '    when:\n      - country in lists.sanctioned\n      - device.vpn',
        '    when: {country: SG}',
        '    when: !device.vpn',
        '    when: "country" == "SG"',
        "    when: 'country' == 'SG'",
        '    when: \'"country" == "SG"\'',
        '    when: country in lists.sanctioned:',
        '    when:',
        '    when: country == "SG" || # x',
        '    when: [country] == "SG"',
        '    when: `country` == "SG"',
        '    when: @country == "SG"',
        '    when: %country% == "SG"',
        '    when: country: SG',
        '    when: !attempts_24h > 5',
        '    when: && device.vpn',
        '    when: count(device.vpn, device.emulator) >= 2',
        '    when: OR(device.vpn; device.emulator)',
        '    when: account_age < 30 days',
        '    when: {{country}} == "SG"',
        '    when: country == "SG',
        "    when: country == 'SG' and\n      device.vpn",
        "    when: >\n      country = 'SG'",
        "    when: |\n      country in ('SG')",
        '    when: "country in [\'SG\', \'ID\'"',
        '    when: "attempts_24h" >= 5',
        '    when: attempts_24h >= 5 // 2',
        '    when: document_match < 80',
        '    when: device.score > 0.7',
        '    when: document_match > 0.8',
        '    when: yes',
    ],
    '    - {when: device.vpn, add: 10}': [
        '    - {when：device.vpn，add：10}',
        '    - ｛when: device.vpn, add: 10｝',
        '    - {when: device.vpn， add: 10}',
        '    - {when:device.vpn, add: 10}',
        '    - {when: device.vpn, add:10}',
        '    - {when: device.vpn add: 10}',
        '    - {when: device.vpn, add: 10',
        '    - when: device.vpn, add: 10',
        '    - {when: device.vpn, add: "10"}',
        '    - {when: device.vpn, add: 10.5}',
        '    - {when: device.vpn, add: １０}',
        '    - {when: device.vpn, add: 10 points}',
        '    - {when: device.vpn, add: 10%}',
        '    - {when: device.vpn, points: 10}',
        '    - {if: device.vpn, score: 10}',
        '    - {when: country in ["SG", "ID"], add: 10}',
        '    - {when: !device.vpn, add: 10}',
        '    - device.vpn: 10',
        '    - device.vpn',
        '    {when: device.vpn, add: 10}',
        '    - {when: device.vpn, add: 1,000}',
    ],
    '  bands: {review: 20, reject: 100}': [
        '  bands: {review: 100, reject: 20}',
        '  bands: [20, 100]',
        '  band: {review: 20, reject: 100}',
        '  bands: {review: >=20, reject: 100}',
        '  bands: {review: ２０, reject: 100}',
        '  bands: {manual: 20, reject: 100}',
        '  bands: {review: 20, decline: 100}',
    ],
    '  device.score: {review: 70, reject: 95}': [
        '  device.score: {review: 70%, reject: 95%}',
        '  device.score: {review: "70", reject: 95}',
        '  device.score: {review: 70,0, reject: 95}',
        '  device.score: {review: >= 70, reject: 95}',
        '  device.score: {review: >70, reject: 95}',
        '  device.score: {review: 70 points, reject: 95}',
        '  device.score: {review: 700, reject: 950}',
        '  device.score: {review: 95, reject: 70}',
        '  device.score: {Review: 70, reject: 95}',
        '  device.score: {manual: 70, decline: 95}',
        '  device.score: 70',
        '  device.score: [70, 95]',
        '  score: {review: 70, reject: 95}',
        '  device.Score: {review: 70, reject: 95}',
        '  device: {score: {review: 70, reject: 95}}',
        '  device.score: {review: 70; reject: 95}',
        '  device.score: {review: 70 reject: 95}',
        '  device.score: {review: 70}, {reject: 95}',
        '  device.score：{review：70，reject：95}',
        '  device.score: review 70, reject 95',
        '  device.score: {above: {review: 70, reject: 95}}',
        '  limit_usd: {review: 1,000, reject: 5,000}',
        '  limit_usd: {review: 1,500, reject: 5000}',
        '  limit_usd: {review: $1000, reject: 5k}',
        '  limit_usd: {review: 1_000, reject: 5000}',
        '  limit_usd: {review: 1 000, reject: 5000}',
        '  limit_usd: {review: 10k, reject: 1M}',
        '  account_age: {below: {review: 24, reject: 1}}',
        '  account_age: {below: {review: 24 hours, reject: 1h}}',
        '  account_age: {below: {review: 30 days, reject: 1h}}',
        '  document_expiry: {below: {review: 2026-11-30}}',
        '  document_expiry: {below: {review: 30/11/2026}}',
        '  device.emulator: review',
        '  device.emulator: {yes: review}',
        '  device.emulator: {True: review}',
        '  document_type: {Passport: review}',
    ],
    '  document_match: {below: {review: 0.80, reject: 0.50}}': [
        '  document_match: {review: 0.80, reject: 0.50}',
        '  document_match: {review: 0.50, reject: 0.80}',
        '  document_match: {below: {review: 80, reject: 50}}',
        '  document_match: {below: {review: 0,80, reject: 0,50}}',
        '  document_match: {under: {review: 0.80, reject: 0.50}}',
        '  document_match: {Below: {review: 0.80, reject: 0.50}}',
        '  document_match: {below: {review: 0.50, reject: 0.80}}',
        '  document_match: {below: {review: ０.８, reject: 0.50}}',
        '  document_match: {below: {review: 0。8, reject: 0.50}}',
    ],
    '  sanctioned: [IR, KP]': [
        '  sanctioned: IR, KP',
        '  sanctioned: [IR， KP]',
        '  sanctioned: [IR、KP]',
        '  sanctioned: (IR, KP)',
        '  sanctioned: [IR; KP]',
        '  sanctioned: [“IR”, KP]',
        '  sanctioned: [IR, KP',
        '  sanctioned: {IR, KP}',
        "  sanctioned: ['IR, KP']",
        '  sanctioned: IR',
        '  sanctioned:\n    IR\n    KP',
        '  sanctioned:\n    -IR\n    -KP',
        '  sanctioned:\n   - IR\n    - KP',
        '  sanctioned: [IR, 65]',
        '  sanctioned: ［IR，KP］',
        '  sanctioned: [IR\xa0, KP]',
        '  sanctioned: [NO, true]',
    ],
    'rules:': [
        'Rules:',
        'rule:',
        'rules：',
        'rules',
        'RULES:',
        ' rules:',
    ],
    'thresholds:': [
        'threshold:',
    ],
    'inputs:': [
        'input:',
        'parameters:',
    ],
    'lists:': [
        'list:',
    ],
    'scorecard:': [
        'score_card:',
    ],
    'signals:': [
        'signal:',
    ],
    'policy: shop': [
        'policy：shop',
        'policy: my shop',
        'name: shop',
        'policy:shop',
        'Policy: shop',
    ],
    'policy_language: 1': [
        'policy_language: 1.0',
        'version: 1',
        'policy_language: "1"',
        'policy_language: １',
        'policy-language: 1',
    ],
    '  country: string': [
        '  country: text',
        '  country: str',
        '  country: String',
        '  country: varchar(2)',
        '  country：string',
        '  country',
        '  - country: string',
        '  country: {type: text}',
        '  country: string, required',
    ],
    '  document_expiry: timestamp': [
        '  document_expiry: datetime',
    ],
    '  account_age: duration': [
        '  account_age: interval',
    ],
    '  attempts_24h: {type: int, range: [0, 1000], riskier: higher}': [
        '  attempts_24h: {type: integer, range: [0, 1000], riskier: higher}',
        '  attempts_24h: {type: int, range: 0-1000, riskier: higher}',
        '  attempts_24h: {type: int, min: 0, max: 1000, riskier: higher}',
        '  attempts_24h: {type: int, range: [0, 1,000], riskier: higher}',
        '  attempts_24h: {type: int, range: [1000, 0], riskier: higher}',
        '  attempts_24h: {type: int, range: [0, 1000], riskier: high}',
        '  attempts_24h: {type: int, range: [0, 1000], riskier: up}',
        '  attempts_24h: {type: number, range: [0, 1000], riskier: higher}',
        '  attempts_24h: {Type: int, range: [0, 1000], riskier: higher}',
        '  attempts_24h: {type: int, range: [０, 1000], riskier: higher}',
        '  attempts_24h: {type: int, range: (0, 1000), riskier: higher}',
        '  attempts_24h: {type: int, range: [0, 100%], riskier: higher}',
    ],
    '  document_type: {type: enum, values: [passport, national_id]}': [
        '  document_type: {type: enum, values: passport}',
        '  document_type: {type: enum, values: passport, national_id}',
        '  document_type: {type: enum, options: [passport, national_id]}',
        '  document_type: {enum: [passport, national_id]}',
        '  document_type: [passport, national_id]',
    ],
}
# fmt: on

WIDE = """\
policy_language: 1
policy: shop
scenes: [onboard001]
inputs:
  country: string
  channel: {type: enum, values: [app, web]}
  email_domain: string
  merchant: string
  attempts_24h: {type: int, range: [0, 1000], riskier: higher}
  document_match: {type: double, range: [0, 1], riskier: lower}
  liveness: {type: double, range: [0, 100], riskier: lower}
  document_expiry: timestamp
  birth: date
  document_type: {type: enum, values: [passport, national_id]}
  limit_usd: {type: double, range: [0, 100000000]}
  limit: {type: money, currencies: [SGD, USD]}
  account_age: {type: duration, range: [0s, 90000h], riskier: lower}
  is_pep: bool
  tags: {type: set, values: [vpn, proxy]}
signals:
  device:
    fields:
      score: {type: double, range: [0, 100]}
      emulator: bool
      vpn: bool
lists:
  sanctioned: [IR, KP]
  known_good: [M1, {value: M2, until: 2027-01-15, by: ann}]
rates:
  USD: {SGD: 0.74}
lookup:
  in_usd: {by: country, values: {SG: 0.74, ID: 0.000063}, else: 1}
  limits:
    by: [country, channel]
    rows:
      - {country: SG, channel: web, review: 50000, reject: 200000}
      - {country: ID, channel: app, review: 10000, reject: 50000}
    else: {review: 5000, reject: 20000}
    type: double
variables:
  risky: device.score >= 70.0 || device.emulator
steps:
  document: {en: Please show it., de: Bitte}
  liveness_video: Please turn your head.
thresholds:
  document_match: {below: {review: 0.80, reject: 0.50}}
  device.score: {by: country, SG: {review: 70, reject: 95}, else: {review: 60, reject: 90}}
tables:
  amounts:
    then: review
    rows:
      - {country: SG, channel: web, limit_usd >=: 50000}
      - {country in: [ID, PH], attempts_24h >=: 3, then: reject}
rules:
  - id: sanctioned-country
    when: country in lists.sanctioned
    then: reject
    reason: SANCTIONED
    confirm: person
  - id: many-attempts
    when: attempts_24h >= 5 && device.emulator
    then: review
    ask: [document, liveness_video]
    tags: [velocity]
    from: 2026-03-01
    until: 2999-04-01
scorecards:
  device_card:
    points:
      - {id: vpn-row, when: device.vpn, add: 10}
      - {when: attempts_24h >= 3, add: 20}
    bands: {review: 20, reject: {at: 100, confirm: person}}
excuse: {when: merchant in lists.known_good, from: review, rules: [many-attempts]}
sample: {share: 2%, of: pass, then: review, reason: QA}
reasons:
  SANCTIONED: {weight: 10, text: {en: We do not serve it., de: Nein.}}
explore: 2%
when_unknown: review
gather: thrifty
"""
"""With tables, lookups and cases, in which every kind of value stands."""

# fmt: off
WIDE_MISTAKES: dict[str, list[str]] = {
    '  - id: sanctioned-country': [
        '  \t- id: sanctioned-country',
        '   - id: sanctioned-country',
        '  -  id: sanctioned-country',
    ],
    '  - id: many-attempts': ['  -  id: many-attempts', '\t- id: many-attempts'],
    '  country: string': [' country: string', '   country: string', 'country: string', '\tcountry: string'],
    'document_match: {below: {review: 0.80, reject: 0.50}}': [
        'document_match: {review: 0.80, reject: 0.50}',
        'document_match: {below: {review: 80, reject: 50}}',
        'document_match: {below: {review: 80%, reject: 50 %}}',
        'document_match: {below: {review: 0.50, reject: 0.80}}',
        'document_match: {above: {review: 0.80}}',
        'document_match: {below: {review: "< 0.80"}}',
        'document_match: {review: < 0.80}',
        'document_match: {review: "<0.8", reject: "<0.5"}',
        'document_match: {at_most: {review: .8}}',
        'document_match: {below: {review: \uff10.\uff18}}',
        'document_match: below 0.8 review',
        'document_match: {below: 0.8}',
        'document_match: {below: {review: 0,8}}',
        'document_match: {below: {Review: 0.8}}',
        'document_match: [{review: 0.8}]',
        'document_match:{below: {review: 0.80}}',
        'document_match: {below:{review:0.80}}',
        'document_match: {below: {review\uff1a0.80}}',
        'documentmatch: {below: {review: 0.80}}',
        'document-match: {below: {review: 0.80}}',
        'Document match: {below: {review: 0.80}}',
        'document_match: {below: {review: null}}',
        'document_match: {below: {review: ~}}',
        'document_match: {below: {pass: 0.9}}',
        'document_match: {below: {review: 0.80, review: 0.50}}',
        'document_match: {below: {review: 0.8.0}}',
        'document_match: {below: {review: 1e-1x}}',
        'document_match: {below: {review: eighty}}',
        'document_match: {between: [0.5, 0.8]}',
        'document_match: {review: [0.5, 0.8]}',
        'document_match: {review: 0.5-0.8}',
        'document_match: {below: {review: 0.80 reject: 0.50}}',
        'document_match: {below: {review: 0.80, reject: 0.50}',
        'document_match: {below: {review: 0.80,, reject: 0.50}}',
    ],
    'device.score: {by: country, SG: {review: 70, reject: 95}, else: {review: 60, reject: 90}}': [
        'device.score: {by: country, SG: {review: 0.7, reject: 0.95}}',
        'device.score: {by: country, SG: {review: 70%}}',
        'device.score: {by: county, SG: {review: 70}}',
        'device.score: {per: country, SG: {review: 70}}',
        'device.score: {by country, SG: {review: 70}}',
        'device.score: {by: country, SG: 70}',
        'device.score: {by: country, SG: {review: 70}, default: {review: 60}}',
        'device.score: {by: country, SG: {review: 70}, "*": {review: 60}}',
        'device.score: {by: country, SG: {review: 70}, otherwise: {review: 60}}',
        'device.score: {by: country, SG, ID: {review: 70}}',
        'device.score: {by: country, [SG, ID]: {review: 70}}',
        'device.score: {by: country, "SG, ID": {review: 70}}',
        'device.score: {by: country, SG: {review: 70, reject: 60}}',
        'device.score: {by: country, SG: {review: 700}}',
        'device.score: {SG: {review: 70}}',
        'device.score: {by: channel, App: {review: 70}}',
        'device.score: {by: channel, mobile: {review: 70}}',
        'device.score: {by: country, SG: {review: 70}, SG: {review: 80}}',
        'device.score: {by: attempts_24h, 3: {review: 70}}',
        'device.score: {by: country, SG: [70, 95]}',
        'device.score: {by: country, SG: {review: "70"}}',
    ],
    '- {country: SG, channel: web, limit_usd >=: 50000}': [
        '- {country: SG, channel: web, limit_usd >=: 50,000}',
        '- {country: SG, channel: web, limit_usd >=: 50k}',
        '- {country: SG, channel: web, limit_usd >=: $50000}',
        '- {country: SG, channel: web, limit_usd >= 50000}',
        '- {country: SG, channel: web, "limit_usd >= 50000"}',
        '- {country: SG, channel: web, limit_usd: >= 50000}',
        '- {country: SG, channel: web, limit_usd: ">= 50000"}',
        '- {country: SG, channel: Web, limit_usd >=: 50000}',
        '- {country: SG, channel: web, limit_usd => : 50000}',
        '- {country: SG, channel: web, limit_usd =>: 50000}',
        '- {country: SG, channel: web, limit_usd \u2265: 50000}',
        '- {country: SG, channel: web, limit_usd \uff1e=: 50000}',
        '- {Country: SG, channel: web, limit_usd >=: 50000}',
        '- {country: SG, chanel: web, limit_usd >=: 50000}',
        '- {country: [SG, ID], channel: web, limit_usd >=: 50000}',
        '- {country: "SG, ID", channel: web, limit_usd >=: 50000}',
        '- {country: SG|ID, channel: web, limit_usd >=: 50000}',
        '- {country: "*", channel: web, limit_usd >=: 50000}',
        '- {country: any, channel: web, limit_usd >=: 50000}',
        '- {country: "-", channel: web, limit_usd >=: 50000}',
        '- {country: SG, channel: any, limit_usd >=: 50000}',
        '- {country: SG, channel: "!app", limit_usd >=: 50000}',
        '- {country: "!= SG", channel: web, limit_usd >=: 50000}',
        '- {country: not SG, channel: web, limit_usd >=: 50000}',
        '- {country: SG, channel: web, limit_usd between: 50000-60000}',
        '- {country: SG, channel: web, limit_usd: 50000-60000}',
        '- {country: SG, channel: web, document_match <: 80%}',
        '- {country: SG, channel: web, document_match <: 80}',
        '- {country: SG, account_age <: 30}',
        '- {country: SG, account_age <: 30 days}',
        '- {country: SG, document_expiry <: 31/12/2025}',
        '- {country: SG, birth >: 2010/01/01}',
        '- {country: SG, birth >: 01/02/2010}',
        '- {country: SG, is_pep: yes}',
        '- {country: SG, is_pep: Y}',
        '- {country: SG, is_pep: 1}',
        '- {country: SG, then: decline}',
        '- {country: SG, outcome: reject}',
        '- {country: SG, limit_usd >=: \uff15\uff10\uff10\uff10\uff10}',
        '- {country\uff1aSG, channel: web}',
        'country: SG',
        '- country: SG, channel: web',
        '- SG, web, 50000',
        '- [SG, web, 50000]',
        '- {country: SG, limit_usd >=: 50.000,00}',
        '- {country: SG, then: review, then: reject}',
        '- {country: SG, tags: vpn, then: pass}',
        '- {country: SG, tags contains: vpn}',
        '- {country: SG, tags has: vpn}',
        '- {country: SG, country notin: SG}',
        '- {country: SG, country not_in: SG}',
        '- {country: SG, limit_usd =: 5}',
        '- {country: SG, limit_usd min: 5}',
        '- {country: SG, min_limit_usd: 5}',
        '- {country: SG, limit_usd from: 5}',
    ],
    '- {country in: [ID, PH], attempts_24h >=: 3, then: reject}': [
        '- {country in: ID; PH, attempts_24h >=: 3}',
        '- {country in: "ID\uff1bPH", attempts_24h >=: 3}',
        '- {country in: "ID\uff0cPH", attempts_24h >=: 3}',
        '- {country in: sanctioned, attempts_24h >=: 3}',
        '- {country in: lists.sanction, attempts_24h >=: 3}',
        '- {country in: ID PH, attempts_24h >=: 3}',
        '- {country in: ID|PH, attempts_24h >=: 3}',
        '- {country in: ID or PH, attempts_24h >=: 3}',
        '- {country in: [ID, PH], attempts_24h >=: 3.5}',
        '- {country in: [ID, PH], attempts_24h >=: 3+}',
        '- {country in: [ID, PH], attempts_24h >=: three}',
    ],
    'in_usd: {by: country, values: {SG: 0.74, ID: 0.000063}, else: 1}': [
        'in_usd: {by: country, values: {SG: 0,74, ID: 0.000063}, else: 1}',
        'in_usd: {by: country, values: {SG: 74%}, else: 1}',
        'in_usd: {by: country, SG: 0.74, ID: 0.000063, else: 1}',
        'in_usd: {by: country, values: {SG: 0.74}, default: 1}',
        'in_usd: {by: county, values: {SG: 0.74}, else: 1}',
        'in_usd: {by: country, values: [SG, 0.74], else: 1}',
        'in_usd: {country: {SG: 0.74}}',
        'in_usd: {SG: 0.74, ID: 1}',
        'in_usd: {by: country, values: {SG: 0.74, SG: 0.75}, else: 1}',
        'in_usd: {by: country, values: {SG: 1,000}, else: 1}',
        'in_usd: {by: country, values: {SG: 5k}, else: 1}',
        'in_usd: {by: country, values: {SG\uff1a0.74}, else: 1}',
        'in_usd: {by: country, value: {SG: 0.74}, else: 1}',
        'in_usd: {by: country, values: {SG: 0.74}, otherwise: 1}',
        'in_usd: {key: country, values: {SG: 0.74}, else: 1}',
    ],
    '- {country: SG, channel: web, review: 50000, reject: 200000}': [
        '- {country: SG, channel: web, review: 50,000, reject: 200000}',
        '- {country: SG, channel: web, review: 50k, reject: 200000}',
        '- {country: SG, channel: web, review: $50000, reject: 200000}',
        '- {country: SG, review: 50000, reject: 200000}',
        '- {country: SG, channel: Web, review: 50000, reject: 200000}',
        '- {country: SG, channel: web, review: \uff15\uff10\uff10, reject: 200000}',
        '- {country: SG, channel: web, review: 50000 USD, reject: 200000}',
        '- {country: SG, channel: "*", review: 50000, reject: 200000}',
        '- {country: SG, channel: web, review: n/a, reject: 200000}',
        '- {country: SG, channel: web, review: 1e, reject: 200000}',
        '- [SG, web, 50000, 200000]',
    ],
    '- {id: vpn-row, when: device.vpn, add: 10}': [
        '- {id: vpn-row, when: device.vpn and is_pep, add: 10}',
        '- {id: vpn-row, when: device.vpn, add: 10pts}',
        '- {id: vpn-row, when: device.vpn, weight: 10}',
        '- {id: vpn-row, when: [device.vpn, is_pep], add: 10}',
        '- {id: vpn-row, when: device.vpn, add: 10%}',
        '- {id: vpn row, when: device.vpn, add: 10}',
        '- {id: vpn-row, when: document_match > 0.9, add: 10}',
        '- {id: vpn-row, when: liveness < 0.7, add: 10}',
        '- {id: vpn-row, when: device.vpn; add: 10}',
        '- {id: vpn-row, when: device.vpn, add: ten}',
        '- {id: vpn-row, when: device.vpn, add: "10"}',
        '- {id: vpn-row, when\uff1adevice.vpn, add: 10}',
        '- {id: vpn-row, when: device.vpn, add: -}',
    ],
    'bands: {review: 20, reject: {at: 100, confirm: person}}': [
        'bands: {review: 20, reject: {from: 100, confirm: person}}',
        'bands: {review: 20, reject: {at: 100, confirm: yes}}',
        'bands: {review: 20, reject: {at: 100, confirm: human}}',
        'bands: {review: 20 points, reject: 100}',
        'bands: {review: ">= 20", reject: 100}',
        'bands: {review: 20-99, reject: 100}',
        'bands: {pass: 0, review: 20, reject: 100}',
        'bands: {review: 20%, reject: 100}',
        'bands: {review: twenty}',
    ],
    'excuse: {when: merchant in lists.known_good, from: review, rules: [many-attempts]}': [
        'excuse: {when: merchant in lists.known_good, from: reject, rules: [many-attempts]}',
        'excuse: {when: merchant in known_good, from: review}',
        'excuse: {if: merchant in lists.known_good, from: review}',
        'excuse: {when: merchant in lists.known_good, from: manual}',
        'excuse: {when: merchant in lists.known_good, from: review, rules: [many_attempts]}',
        'excuse: {when: merchant in lists.known_good, from: review, tags: velocity}',
        'excuse: {when: merchant in lists.known_good, from: review, tags: [velosity]}',
        'excuse: merchant in lists.known_good',
        'excuse: {when: merchant in lists.known_good, unless: null, from: review}',
        'excuses: {when: merchant in lists.known_good, from: review}',
        'excuse: {when: merchant in lists.known_good and not is_pep, from: review}',
    ],
    'sample: {share: 2%, of: pass, then: review, reason: QA}': [
        'sample: {share: 2, of: pass, then: review, reason: QA}',
        'sample: {share: 0.02%, of: pass, then: review, reason: qa}',
        'sample: {share: 2 percent, of: pass, then: review, reason: QA}',
        'sample: {share: \uff12\uff05, of: pass, then: review, reason: QA}',
        'sample: {share: 1/50, of: pass, then: review, reason: QA}',
        'sample: {share: 1 in 50, of: pass, then: review, reason: QA}',
        'sample: {rate: 2%, of: pass, then: review, reason: QA}',
        'sample: {share: 0,02, of: pass, then: review, reason: QA}',
        'sample: {share: 200%, of: pass, then: review, reason: QA}',
    ],
    'scenes: [onboard001]': [
        'scenes: onboard001',
        'scenes: [onboard001; onboard002]',
        'scenes: onboard001, onboard002',
        'scenes: [onboard 001]',
        'scenes: {onboard001}',
        'scenes: [1]',
        'Scenes: [onboard001]',
        'scenes: [\uff0conboard001]',
    ],
    'document: {en: Please show it., de: Bitte}': [
        'document: Please show it: now',
        'document: {en: Please show it: now, zh: x}',
        'document: {english: Please show it.}',
        'document: {en: "Please show it., zh: x}',
        'document: {en: Please show {thing}.}',
        'document: {EN: Please show it.}',
        'document: [Please show it.]',
        '- document: Please show it.',
        'document: {en: Please, show it.}',
        'document: {en = Please show it.}',
        'document: {en_US: x, zh-CN: y}',
    ],
    'ask: [document, liveness_video]': [
        'ask: document',
        'ask: document, liveness_video',
        'ask: [documents]',
        'ask: [document; liveness_video]',
        'ask: {document: true}',
        'asks: [document]',
        'ask: "document"',
        'ask: [Document]',
        'ask: []',
    ],
    'confirm: person': [
        'confirm: yes',
        'confirm: true',
        'confirm: human',
        'confirm: Person',
        'confirmed: person',
        'confirm: [person]',
        'confirm: manual',
    ],
    'from: 2026-03-01': [
        'from: 2026-3-1',
        'from: 01/03/2026',
        'from: 31/03/2026',
        'from: March 1 2026',
        'from: 2026-03-01 10:00',
        'from: 2026-03-01T10:00',
        'from: 2026-W10',
        'from: 20260301',
        'from: now',
        'from: today',
        'from: 2026-02-30',
        'from: 2026\u5e743\u67081\u65e5',
        'from: \uff12\uff10\uff12\uff16-03-01',
        'since: 2026-03-01',
        'start: 2026-03-01',
        'from: 2026-03',
        'valid: 2026-03-01 to 2026-04-01',
        'from: tomorrow',
    ],
    'tags: [velocity]': [
        'tags: velocity',
        'tags: [Velocity check]',
        'tags: velocity, fraud',
        'tags: [velocity; fraud]',
        'tags: {velocity: true}',
        'labels: [velocity]',
        'tags: [velocity velocity]',
    ],
    'USD: {SGD: 0.74}': [
        'USD: {SGD: 0,74}',
        'USD: {SGD: 74%}',
        'USD: {SGD: "0.74"}',
        'SGD: 0.74',
        'USD: 0.74',
        'usd: {SGD: 0.74}',
        'USD: {sgd: 0.74}',
        'USD: {SGD: -1}',
        'USD: {SGD: 0}',
        'USD: {SGD: 1:1.35}',
    ],
    'explore: 2%': [
        'explore: 2',
        'explore: yes',
        'explore: 2 percent',
        'explore: \uff12%',
        'explore: -1%',
        'explore: 1/50',
        'explore: 0,02',
    ],
    'when_unknown: review': [
        'when_unknown: manual',
        'when_unknown: Review',
        'when_unknown: null',
        'when_unknown: true',
        'when-unknown: review',
        'whenUnknown: review',
        'when unknown: review',
        'on_unknown: review',
        'when_unknown: [review]',
        'when_unknown: reject!',
        'when_unknown: refer',
    ],
    'gather: thrifty': [
        'gather: cheap',
        'gather: parallel',
        'gather: lazy',
        'gather: Thrifty',
        'gather: true',
    ],
    'risky: device.score >= 70.0 || device.emulator': [
        'risky: device.score >= 70 or device.emulator',
        'risky: device.score >= 70%',
        'risky: [device.emulator, device.vpn]',
        'risky: IF(device.score>=70, 1, 0)',
        'risky: device.score >= 0.7',
        'risky-device: device.emulator',
        'risky: risky || device.emulator',
        'risky: if device.score >= 70 then 2 else 1',
        'risky: 5,5',
        'risky: "yes"',
    ],
    'attempts_24h: {type: int, range: [0, 1000], riskier: higher}': [
        'attempts_24h: {type: integer, range: [0, 1000], riskier: higher}',
        'attempts_24h: {type: number, range: [0, 1000], riskier: higher}',
        'attempts_24h: {type: int, range: 0-1000, riskier: higher}',
        'attempts_24h: {type: int, range: [0, 1,000], riskier: higher}',
        'attempts_24h: {type: int, min: 0, max: 1000, riskier: higher}',
        'attempts_24h: {type: int, range: [0, 1000], riskier: up}',
        'attempts_24h: {type: int, range: [0, 1000], riskier: high}',
        'attempts_24h: {type: int, range: [1000, 0], riskier: higher}',
        'attempts_24h: {type: Int, range: [0, 1000]}',
        'attempts_24h: [int, 0, 1000]',
        'attempts_24h: int(0, 1000)',
        'attempts_24h: {int, range: [0, 1000]}',
        'attempts_24h: {type: int, range: [0, 1000], default: 0}',
        'attempts_24h: {type: int, range: [0, 1000], nullable: true}',
        'attempts_24h: {type: int; range: [0, 1000]}',
        'attempts_24h: {type: int, range: [0, 10k]}',
        'attempts_24h: {type: int, range: (0, 1000)}',
        'attempts_24h: {type: "int", range: "0-1000"}',
    ],
    'document_match: {type: double, range: [0, 1], riskier: lower}': [
        'document_match: {type: float, range: [0, 1]}',
        'document_match: {type: decimal, range: [0, 1]}',
        'document_match: {type: double, range: [0%, 100%]}',
        'document_match: percent',
        'document_match: {type: double, range: [0, 1], riskier: less}',
        'document_match: {type: score, range: [0, 1]}',
        'document_match: {type: double range: [0, 1]}',
        'document_match: {type: double, range: [\uff10, \uff11]}',
        'document_match: {type: double, range: [0,0, 1,0]}',
    ],
    'document_type: {type: enum, values: [passport, national_id]}': [
        'document_type: {type: enum, values: passport}',
        'document_type: {type: enum, values: "passport, national_id"}',
        'document_type: {type: enum, values: passport|national_id}',
        'document_type: [passport, national_id]',
        'document_type: {enum: [passport, national_id]}',
        'document_type: {type: enum, value: [passport, national_id]}',
        'document_type: {type: enum, options: [passport, national_id]}',
        'document_type: {type: enum}',
        'document_type: enum',
        'document_type: {type: enum, values: [1, 2]}',
        'document_type: {type: enum, values: [true, false]}',
        'document_type: {type: string, values: [passport, national_id]}',
        'document_type: {type: enum, values: {passport, national_id}}',
    ],
    'birth: date': [
        'birth: datetime',
        'birth: Date',
        'birth: day',
        'birth: {type: date, range: [1900, 2020]}',
        'birth: {type: date, range: [1900-01-01, 01/01/2020]}',
        'birth: yyyy-mm-dd',
        'birth: time',
        'birth: bool?',
        'birth: string|null',
        'birth: str',
        'birth: varchar(20)',
        'birth: text',
        'birth: boolean',
        'birth: list',
        'birth: array',
        'birth: list(string)',
        'birth: string[]',
        'birth: money',
        'birth: currency',
        'birth: percent',
        'birth: json',
        'birth: object',
        'birth: {type: record}',
        'birth: int64',
        'birth: timestamp with time zone',
    ],
    'account_age: {type: duration, range: [0s, 90000h], riskier: lower}': [
        'account_age: {type: duration, range: [0 days, 3650 days]}',
        'account_age: {type: days}',
        'account_age: {type: interval}',
        'account_age: {type: duration, range: [0d, 10y]}',
        'account_age: {type: duration, unit: days}',
    ],
    'sanctioned: [IR, KP]': [
        'sanctioned: IR, KP',
        'sanctioned: [IR; KP]',
        'sanctioned: "IR, KP"',
        'sanctioned: {IR, KP}',
        'sanctioned: (IR, KP)',
        'sanctioned: [IR\uff0cKP]',
        'sanctioned: [IR\u3001KP]',
        'sanctioned: IR KP',
        'sanctioned: {file: /etc/x.txt}',
        'sanctioned: {url: "https://x"}',
        'sanctioned: {builtin: europe}',
        'sanctioned: {builtin: EU}',
        'sanctioned: [NO, yes, true]',
        'sanctioned: [IR, KP',
        'sanctioned: [IR\xa0, KP]',
        'sanctioned: [null]',
    ],
    'known_good: [M1, {value: M2, until: 2027-01-15, by: ann}]': [
        'known_good: [M1, {value: M2, until: 15/01/2027}]',
        'known_good: [M1, {value: M2, until: 2027-1-15}]',
        'known_good: [M1, {value: M2, expires: 2027-01-15}]',
        'known_good: [M1, {value: M2, until: 2027-01-15, by: ann, reason: x}]',
        'known_good: {M1: 2027-01-15}',
    ],
    'SANCTIONED: {weight: 10, text: {en: We do not serve it., de: Nein.}}': [
        'SANCTIONED: {weight: 10, text: We do not serve {contry}.}',
        'SANCTIONED: {weight: 10%, text: x}',
        'SANCTIONED: {weight: high, text: x}',
        'sanctioned: {weight: 10, text: x}',
        'SANCTION: {weight: 10, text: x}',
        'SANCTIONED: {message: x}',
        'SANCTIONED: {weight: 10, text: {en: We do not serve: it, zh: y}}',
        'SANCTIONED: {weight: 10, text: {en: x, en: y}}',
        'SANCTIONED: {weight: 1.5, text: x}',
        'SANCTIONED: {text: {en: We do not serve {country} , zh: y}}',
    ],
}
