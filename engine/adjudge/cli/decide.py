"""`adjudge decide`: one request, or one a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from adjudge.audit.trail import AuditTrail
from adjudge.cli.engines import configured
from adjudge.cli.group import FINDINGS, FINE, render_error
from adjudge.cli.output import JSON, decision_text, format_option, print_json, say_text
from adjudge.cli.settings import Settings
from adjudge.cli.streams import Undelivered, standard_input
from adjudge.config.file import assemble
from adjudge.documents import DOCUMENT_MAX_BYTES, decision_document, decode_request, error_document
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, AuditBroken, AuditUnavailable, PolicyErrors, RequestError
from adjudge.model import Decision, Face, Request
from adjudge.registry import load_policy
from adjudge.signals.allowed import Allowed, refused

STDIN = "-"
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("decide")
@click.argument("request", metavar="REQUEST.json", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--policy", type=_file, help="The policy to decide by.")
@click.option("--config", type=_file, help="An engine's configuration, in place of --policy and --audit.")
@click.option("--face", type=_file, help="A picture or video, in place of the request's own.")
@click.option("--audit", type=click.Path(file_okay=False, path_type=Path), help="Record the decision in this log.")
@click.option(
    "--allow-environment", "names", multiple=True, metavar="NAME", help="A variable that the policy may send."
)
@format_option
@click.pass_obj
def command(
    settings: Settings,
    request: str,
    policy: Path | None,
    config: Path | None,
    face: Path | None,
    audit: Path | None,
    names: tuple[str, ...],
    form: str,
) -> int:
    """Decide a request, or many of them.

    REQUEST.json holds one request; `-` reads one a line from standard input and answers each as it comes.
    """
    if (policy is None) == (config is None):
        raise click.UsageError("give one of --policy and --config")
    if config is not None and audit is not None:
        raise click.UsageError("--audit goes with --policy; a configuration names its own log")
    if config is not None and names:
        raise click.UsageError("--allow-environment goes with --policy; a configuration says so under `allow:`")
    allowed = Allowed(environment=frozenset(names))
    read = _reader(face)
    if request != STDIN:  # what is wrong with the request is found before a log is opened
        decoded = read(_bytes(Path(request)), Path(request).parent)
        with _engine(settings, policy, config, audit, allowed) as engine:
            decision = engine.decide_sync(decoded)
        with _delivered(decision):
            print_json(decision_document(decision)) if form == JSON else say_text(decision_text(decision))
        return FINE
    with _engine(settings, policy, config, audit, allowed) as engine:
        return _stream(engine, read, form)


@contextmanager
def _delivered(decision: Decision) -> Iterator[None]:
    """Say of a decision that could not be printed whether it stands."""
    try:
        yield
    except Undelivered as error:
        is_recorded = not any(note.startswith("not recorded") for note in decision.notes)
        stands = "is in the log; ask again, and the answer is the same" if is_recorded else "is not recorded"
        error.besides = f"; decision {decision.decision_id} was made and {stands}"
        raise


def _engine(
    settings: Settings, policy: Path | None, config: Path | None, audit: Path | None, allowed: Allowed
) -> Engine:
    if config is not None:
        return assemble(configured(settings, config))
    assert policy is not None
    registry = settings.registry()
    loaded = load_policy(policy, registry=registry)
    if errors := list(refused(loaded.typed, registry.catalogue().providers, allowed)):
        raise PolicyErrors(errors)
    trail = AuditTrail.open(audit) if audit is not None else None
    return Engine([loaded], registry=registry, trail=trail, allowed=allowed)


def _reader(face: Path | None) -> Callable[[bytes, Path], Request]:
    given = Face.from_file(face) if face is not None else None

    def read(data: bytes, folder: Path) -> Request:
        request = decode_request(data, folder=folder)
        return request if given is None else msgspec.structs.replace(request, face=given)

    return read


def _stream(engine: Engine, read: Callable[[bytes, Path], Request], form: str) -> int:
    """Answer every line of standard input in turn; what is wrong with one line does not keep the others waiting."""
    status = FINE
    number = 0
    lines = standard_input()
    while line := lines.readline(DOCUMENT_MAX_BYTES + 1):
        number += 1
        if not line.strip():
            continue
        try:
            if len(line) > DOCUMENT_MAX_BYTES:
                _skip_rest(lines, line)
            decision = engine.decide_sync(read(line, Path()))
        except (AuditBroken, AuditUnavailable):  # the next line would fare no better
            raise
        except AdjudgeError as error:
            status = FINDINGS
            if form == JSON:
                print_json({"line": number, "error": error_document(error)}, indent=None)
            else:
                say_text(f"line {number}: {render_error(error)}\n")
            continue
        with _delivered(decision):
            if form == JSON:
                print_json({"line": number, **decision_document(decision)}, indent=None)
            else:
                say_text(f"{decision_text(decision)}\n")
    return status


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(DOCUMENT_MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from None


def _skip_rest(lines: BinaryIO, line: bytes) -> None:
    """Read on to the end of a line that is too long to be taken."""
    while line and not line.endswith(b"\n"):
        line = lines.readline(1024 * 1024)
