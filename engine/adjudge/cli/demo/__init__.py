"""`adjudge demo`: the main job on an embedded default, from a JPEG over a socket to a log that replays."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import Findings, verify
from adjudge.cli.demo.vendor import running_sandbox
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.settings import Settings
from adjudge.cli.telling import tell_events
from adjudge.documents import decision_document, decode_request, error_document
from adjudge.engine import Engine
from adjudge.errors import MerchantBizIdConflict
from adjudge.frozen import frozen
from adjudge.model import Decision, SignalStatus, Verdict
from adjudge.registry import load_policy
from adjudge.replay.decisions import Replayed, replay

ENDPOINT = "ADJUDGE_ALIYUN_ENDPOINT"
KEYS = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
WIDTH = 100
FILES = ("policy.yaml", "sandbox.yaml", "face.jpg", "face-forged.jpg", "requests")

STEPS = (
    ("a genuine selfie", "genuine.json"),
    ("a genuine selfie, but the account is three hours old and the device an emulator", "emulator.json"),
    ("a forged face", "forged.json"),
    ("the first request again, as a retry sends it", "genuine.json"),
    ("a forged face under the MerchantBizId of the genuine one", "swapped.json"),
    ("a genuine selfie while the vendor is down", "outage.json"),
)


@frozen(kw_only=True)
class Step:
    """One request of the demo, and what became of it."""

    title: str
    request: str
    answer: Decision | MerchantBizIdConflict

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        conflict = isinstance(self.answer, MerchantBizIdConflict)
        said = {"error": error_document(self.answer)} if conflict else decision_document(self.answer)  # type: ignore[arg-type]  # `conflict` says which it is
        return {"title": self.title, "request": self.request, **said}


@click.command("demo")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Put everything into this folder.")
@format_option
@click.pass_obj
def command(settings: Settings, keep: Path | None, form: str) -> int:
    """Decide sample requests, then verify and replay the log.

    A sandbox of the vendor runs on this machine meanwhile; nothing leaves it, and no account is needed.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"--keep: {keep} is not empty")
    with tempfile.TemporaryDirectory(prefix="adjudge-demo-") as temporary:
        folder = keep or Path(temporary)
        lay_out(folder)
        show = (lambda *lines: None) if form == JSON else say
        show("adjudge demo: one policy, six requests, and a sandbox of the vendor on this machine", "")
        steps = []
        for number, step in enumerate(decisions(settings, folder), 1):
            show(f"{number}. {step.title}")
            show(*(f"   {line}" for part in step_lines(step) for line in part.split("\n")))
            steps.append(step)
        findings = verify(folder / "audit")
        replayed = list(replay(folder / "audit"))
    identical = sum(one.answer == "identical" for one in replayed)
    show("", f"log:    {_verified(findings)}")
    show(f"replay: {identical} of {counted(len(replayed), 'decision')} identical")
    if keep is not None:
        show("", f"The policy, the requests and the log are in {keep}. To go on from there:")
        show(f"  adjudge audit show {keep / 'audit'}")
        show("  adjudge sandbox   # in another terminal")
        show(f"  adjudge decide {keep / 'requests' / 'genuine.json'} --policy {keep / 'policy.yaml'}")
    if form == JSON:
        print_json(_document(steps, findings, replayed))
    return FINE if findings.is_good and identical == len(replayed) else FINDINGS


def lay_out(folder: Path) -> None:
    """Copy the demo's files into a folder, made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        source = Path(__file__).parent / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)


def decisions(settings: Settings, folder: Path) -> Iterator[Step]:
    """Decide the requests of a folder one after the other; the last one after the vendor has gone."""
    registry = settings.registry()
    if not settings.verbose:
        tell_events(level=logging.CRITICAL)  # the vendor's outage is part of the show
    policy = load_policy(folder / "policy.yaml", registry=registry)
    with running_sandbox(folder / "sandbox.yaml", offered=registry.offered("command")) as vendor:
        environment = {ENDPOINT: vendor.url, **dict.fromkeys(KEYS)}
        trail = AuditTrail.open(folder / "audit")
        with _environment(environment), Engine([policy], registry=registry, trail=trail) as engine:
            for title, name in STEPS:
                if (title, name) == STEPS[-1]:
                    vendor.stop()
                data = (folder / "requests" / name).read_bytes()
                request = decode_request(data, folder=folder / "requests")
                try:
                    answer: Decision | MerchantBizIdConflict = engine.decide_sync(request)
                except MerchantBizIdConflict as conflict:
                    answer = conflict
                yield Step(title=title, request=name, answer=answer)


def step_lines(step: Step) -> list[str]:
    """Return what became of a request as a newcomer reads it."""
    answer = step.answer
    if isinstance(answer, MerchantBizIdConflict):
        return [_line("REFUSED", str(answer))]
    lines = [_line(answer.outcome.value.upper(), _because(answer.verdict))]
    if answer.status == "duplicate":
        return [*lines, _line("", "a duplicate: the same decision as before, nobody was asked, nothing was paid")]
    for signal in answer.signals.values():
        if signal.status is not SignalStatus.OK:
            lines.append(_line("", f"{signal.name}: {signal.status}, {signal.reason}"))
        elif signal.provider:
            said = f"{signal.name}: answered by {signal.provider} in {signal.duration_ms:.0f} ms"
            lines.append(_line("", said + (f" for {signal.price} {signal.currency}" if signal.currency else "")))
    return lines


def _because(verdict: Verdict) -> str:
    if verdict.doubts:
        doubted, lost = counted(len(verdict.unresolved), "rule"), ", ".join(verdict.missing)
        return f"in doubt about {doubted}, for want of {lost}; the policy then wants a person to look"
    return f"because of {', '.join(verdict.facts)}" if verdict.facts else "no rule matches"


def _line(label: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:<9}", subsequent_indent=" " * 9)


def _verified(findings: Findings) -> str:
    if findings.problem is not None:
        return f"does not verify: record {findings.problem.seq}: {findings.problem.message}"
    return f"{counted(findings.count, 'record')}, every hash verifies, the last is {findings.last_hash[:16]}…"


def _document(steps: list[Step], findings: Findings, replayed: list[Replayed]) -> dict[str, object]:
    return {
        "requests": [step.data() for step in steps],
        "log": {"verifies": findings.is_good, "records": findings.count, "last_hash": findings.last_hash},
        "replay": [{"decision_id": one.decision.decision_id, "answer": one.answer} for one in replayed],
    }


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables of this process for a while, or take them away: a real AccessKey must not meet the sandbox."""
    before = {name: os.environ.get(name) for name in values}

    def put(wanted: Mapping[str, str | None]) -> None:
        for name, value in wanted.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(values)
    try:
        yield
    finally:
        put(before)
