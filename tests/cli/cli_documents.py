"""Documents that the tests of the command line share."""

from __future__ import annotations

from typing import Any

POLICY = """\
policy_language: 1
policy: onboarding
inputs:
  country: string
  email: {type: string, personal: true} # lint: allow unused-input the log's tests want a personal one
signals:
  device: {fields: {score: {type: double, range: [0, 100]}, emulator: bool}}
thresholds:
  device.score: {review: 70, reject: 90} # lint: allow uncalibrated-threshold
rules:
  - {id: sanctioned-country, when: 'country == "KP"', then: reject}
  - {id: emulator, when: device.emulator, then: review}
"""
TESTS = """\
policy: policy.yaml
defaults:
  inputs: {country: SG}
  device: {score: 5, emulator: false}
tests:
  - {name: a quiet device passes, expect: pass}
  - {name: an emulator is looked at, given: {device: {emulator: true}}, expect: {outcome: review, rules: [emulator]}}
"""
BIZ_ID = "a" * 31


def request_document(number: int = 1, /, **changes: Any) -> dict[str, Any]:
    """A request that passes, with parts of it replaced."""
    return {
        "merchant_biz_id": f"{BIZ_ID}{number}",
        "scene_code": "onboard001",
        "inputs": {"country": "SG"},
        "signals": {"device": {"score": 12, "emulator": False}},
        **changes,
    }
