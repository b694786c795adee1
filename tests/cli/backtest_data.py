"""A year of made-up decisions with labels, as somebody's own system has them, and two policies for them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

POLICY = """policy_language: 1
policy: before
inputs:
  country: string
  document_match: {type: double, range: [0, 1]}
signals:
  device: {fields: {score: {type: int, range: [0, 100]}}}
  deepfake:
    fields:
      result: {type: enum, values: [low, suspicious, high]}
      score: {type: map, keys: [SuspectRemake], of: {type: double, range: [0, 1]}}
thresholds:
  deepfake.score.SuspectRemake: {review: 0.6, reject: 0.9}
rules:
  - {id: device, when: device.score >= 98, then: review}
  - {id: match, when: document_match < 0.02 && country != "SG", then: review}
"""
AFTER = POLICY.replace("before", "after").replace("review: 0.6", "review: 0.5")
MAP = (
    "--map", "device.score=device_score", "--map", "deepfake.result=result",
    "--map", "deepfake.score.SuspectRemake=remake",
)  # fmt: skip


def write_data(path: Path, rows: int, seed: int = 5) -> list[dict[str, str]]:
    """Write rows as CSV, and return them as they were written."""
    draw = random.Random(seed)
    begin, found = datetime(2026, 1, 1), []
    for at in range(rows):
        fraud = draw.random() < 0.03
        score = min(1.0, max(0.0, draw.gauss(0.75 if fraud else 0.2, 0.18)))
        row = {
            "id": f"r{at}",
            "at": (begin + timedelta(minutes=525_600 / rows * at)).isoformat(sep=" "),
            "country": draw.choice(("SG", "MY", "DE")),
            "document_match": f"{draw.random():.3f}",
            "device_score": str(draw.randrange(101)),
            "result": "high" if score > 0.85 else "suspicious" if score > 0.6 else "low",
            "remake": f"{score:.4f}",
            "label": draw.choice(("", "", "fraud" if fraud else "genuine")),
            "cost": "0.05",
            "outcome": draw.choice(("pass", "pass", "review", "reject")),
        }
        for name in ("document_match", "device_score", "remake"):
            row[name] = "" if draw.random() < 0.04 else row[name]
        found.append(row)
    lines = [",".join(found[0]), *(",".join(row.values()) for row in found)]
    path.write_text("\n".join(lines) + "\n")
    return found
