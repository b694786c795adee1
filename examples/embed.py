"""A service that embeds adjudge, run against a sandbox of the vendor: `python examples/embed.py [SELFIE.jpg]`.

`Onboarding.check` is what a handler of any web framework does: bytes in, a status and a document out.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import tempfile
from collections import Counter
from importlib import resources
from pathlib import Path

import structlog

from adjudge import AuditUnavailable, Decision, Engine, Face, MerchantBizIdConflict, Request, RequestError
from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.scenario import Reaction, Scenario

POLICY = Path(__file__).resolve().parents[1] / "policies" / "onboarding.yaml"


class Onboarding:
    """Answers selfie checks by one engine, which lives as long as the service."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def check(self, body: bytes) -> tuple[int, dict[str, object]]:
        """Answer one check. body: JSON with `id`, `face` (Base64), `inputs` and `device`."""
        try:
            said = json.loads(body)
            request = Request(
                merchant_biz_id=said["id"],
                scene_code="onboard001",
                face=Face.from_base64(said["face"]),
                inputs=said["inputs"],
                signals={"device": said["device"]} if "device" in said else {},
            )
            decision = await self.engine.decide(request)
        except (ValueError, KeyError, TypeError, RequestError) as error:  # the caller's mistake
            return 400, {"error": str(error)}
        except MerchantBizIdConflict as error:  # the id was another check
            return 409, {"error": str(error)}
        except AuditUnavailable as error:  # what cannot be recorded is not decided: try again later
            return 503, {"error": str(error)}
        return 200, answer(decision)


def answer(decision: Decision) -> dict[str, object]:
    """Return what the caller needs; why it was decided so stays in the log."""
    said: dict[str, object] = {"outcome": decision.outcome.value, "status": decision.status}
    if decision.capture_again:
        said["applicant"] = decision.capture_again
    return said


def body(number: int, selfie: bytes, **inputs: object) -> bytes:
    """Return what a caller sends; `inputs` goes before what they are here."""
    known = {"country": "SG", "account_age": "900h", "document_match": 0.99, "attempts_24h": 0, "document_accounts": 0}
    return json.dumps(
        {
            "id": f"{number:032}",
            "face": base64.b64encode(selfie).decode(),
            "inputs": {**known, "email": "a@example.com", **inputs},
            "device": {"score": 5, "emulator": False, "accounts_30d": 1},
        }
    ).encode()


def configured(folder: Path) -> Path:
    """Write an engine's configuration, which a service keeps beside its policies."""
    path = folder / "adjudge.yaml"
    path.write_text(f"policies: [{json.dumps(str(POLICY))}]\naudit: {{directory: audit}}\n", "utf-8")
    return path


async def main(selfie: bytes) -> None:
    """Start a sandbox and the service, and let some callers ask."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    forged = Reaction(result="high", tags=("SuspectDeepForgery",), score={"SuspectDeepForgery": 0.97})
    blurred = Reaction(code="NoFaceDetected")
    scenario = Scenario(merchant_biz_id={f"{2:032}": forged, f"{3:032}": blurred})
    with tempfile.TemporaryDirectory() as folder, Sandbox(scenario=scenario) as sandbox:
        os.environ["ADJUDGE_ALIYUN_ENDPOINT"] = sandbox.url  # in place of the vendor; leave it out for the real one
        async with Engine.open(configured(Path(folder))) as engine:
            service = Onboarding(engine)
            at_once = await asyncio.gather(*(service.check(body(1, selfie)) for _ in range(100)))
            statuses = Counter(str(said["status"]) for _, said in at_once)
            print("a hundred callers with one id:", dict(statuses), "calls paid:", sandbox.stats()["billed"])
            print("a forged face:", *await service.check(body(2, selfie)))
            print("no face to be seen:", *await service.check(body(3, selfie)))
            print("a used id, another country:", *await service.check(body(1, selfie, country="KP")))
            print("not even JSON:", *await service.check(b"{"))


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else resources.files("adjudge.cli.demo") / "face.jpg"
    asyncio.run(main(picture.read_bytes()))
