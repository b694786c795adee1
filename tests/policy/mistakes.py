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
