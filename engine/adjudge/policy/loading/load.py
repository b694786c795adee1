"""From a policy's text to a policy understood, or everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.expr.check import Environment
from adjudge.expr.nodes import Call, Node, list_name, walk
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.explaining.messages import PLACEHOLDER
from adjudge.policy.loading.calibration import Calibrations
from adjudge.policy.loading.conditions import Conditions
from adjudge.policy.loading.declarations import DAMAGED_SIGNAL, TEXTS, Declarations
from adjudge.policy.loading.document import POLICY_LANGUAGE, STRICT, read_document
from adjudge.policy.loading.excuses import typed_excuses
from adjudge.policy.loading.expiry import with_expiry
from adjudge.policy.loading.forms import Document, ScorecardForm
from adjudge.policy.loading.lists import read_lists
from adjudge.policy.loading.lookups import read_lookups
from adjudge.policy.loading.points import rows_of
from adjudge.policy.loading.rates import read_rates
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.remarks import check_texts, read_reasons
from adjudge.policy.loading.steps import asked, read_steps
from adjudge.policy.loading.tables import Tables
from adjudge.policy.loading.thresholds import Thresholds
from adjudge.policy.slots import NOW, OF_REQUEST, declare
from adjudge.policy.text.files import Files
from adjudge.policy.text.includes import with_fragments
from adjudge.policy.text.recovery import read_on, told_once
from adjudge.policy.text.sheets import Placed, with_sheets
from adjudge.policy.text.yaml import TEXT_MAX
from adjudge.policy.typed import Rule, Scorecard, TypedPolicy
from adjudge.source import Source, Span
from adjudge.values.fields import Field
from adjudge.values.types import DYN, TIMESTAMP

SOURCE_MAX_BYTES = 4 * TEXT_MAX
"""A document longer than this is refused whatever is in it, so no more is read."""


def read_policy_file(path: str | Path, catalogue: Catalogue | None = None) -> TypedPolicy:
    """Read a policy from its file; its lists lie under the file's folder. Raises PolicyErrors."""
    source = read_source(path, "policy")
    return read_policy(source.text, source.name, folder=Path(path).parent, catalogue=catalogue)


def read_source(path: str | Path, what: str) -> Source:
    """Read a YAML document's text from its file. Raises PolicyErrors where that is none; `what` names it there."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(SOURCE_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a NUL, or half a character
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "this is not a path"
        message = f"cannot read the {what}: {why}"
        raise PolicyErrors([PolicyError("yaml-file", message, source=Source(str(path), ""), span=Span(0, 0))]) from None
    return decode_source(data, str(path))


def decode_source(data: bytes, name: str) -> Source:
    """Return a document's text from its bytes, which are UTF-8 whatever the locale says. Raises PolicyErrors."""
    try:
        return Source(name, data.decode("utf-8", "strict" if len(data) <= SOURCE_MAX_BYTES else "replace"))
    except UnicodeDecodeError as error:
        source = Source(name, data.decode("utf-8", "replace"))
        at = len(data[: error.start].decode("utf-8"))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        hint = "save the file as UTF-8"
        raise PolicyErrors(
            [PolicyError("yaml-encoding", message, source=source, span=Span(at, at + 1), hint=hint)]
        ) from None


def read_policy(
    text: str,
    name: str = "policy.yaml",
    *,
    folder: Path | None = None,
    texts: Mapping[str, str] | None = None,
    recorded: bool = True,
    catalogue: Catalogue | None = None,
) -> TypedPolicy:
    """Read a policy from its text. Raises PolicyErrors with everything that is wrong with it.

    name: what to call the text in errors. folder: where the files of its lists are, and what it includes.
    texts: `TypedPolicy.texts`, in place of the files. recorded: whether these are of another time, for replays; a
    policy that is new is read as strictly as from its files.
    """
    policy, errors = _read(text, name, folder, texts, catalogue or Catalogue(), recorded and texts is not None)
    if policy is None or errors:
        raise PolicyErrors(errors if texts is not None else _explained(Source(name, text), errors, folder, catalogue))
    return policy


def _explained(
    source: Source, errors: list[PolicyError], folder: Path | None, catalogue: Catalogue | None
) -> list[PolicyError]:
    """Return what is wrong with a policy, several findings of one mistake as one."""
    if len(errors) < 2:
        return errors
    from adjudge.policy.text.one_edit import explained  # a policy that is right does without

    def read(text: str) -> list[PolicyError]:
        return _read(text, source.name, folder, None, catalogue or Catalogue())[1]

    return explained(source, errors, read, STRICT)


def _read(
    text: str,
    name: str,
    folder: Path | None,
    texts: Mapping[str, str] | None,
    catalogue: Catalogue,
    recorded: bool = False,
) -> tuple[TypedPolicy | None, list[PolicyError]]:
    """Return a policy, and everything that is wrong with it."""
    source, root, errors, is_whole = read_on(Source(name, text), recorded=recorded)
    reader = Reader(source, errors, recorded=recorded, is_whole=is_whole)
    files = Files(folder, texts, recorded)
    if root is not None:
        reader, root = with_fragments(reader, root, files)
    reader, sheets = with_sheets(reader, root, files) if root is not None else (reader, {})
    document = read_document(reader, root) if root is not None else None
    policy = _typed(reader, document, files, sheets, catalogue) if document is not None else None
    return policy, told_once(reader.errors)


def _typed(
    reader: Reader, document: Document, files: Files, sheets: Mapping[str, Placed], catalogue: Catalogue
) -> TypedPolicy:
    """Return the policy, in which stand-ins take the place of what was blamed."""
    overloads = catalogue.overloads()
    declarations = Declarations(reader, overloads, catalogue.contested)
    inputs = declarations.inputs(document.inputs)
    signals = declarations.signals(document.signals, catalogue.providers)
    read = read_lists(reader, document.lists, files)
    lists = read.values

    of_inputs = declare(inputs)
    for name in (str(slot) for slot in of_inputs if slot.novel and str(slot) not in inputs):
        declarations.taken.setdefault(name, "the list of an input's new values")
    of_signals = [declare(signal.fields, signal.name) for signal in signals.values()]
    slots = {str(slot): field for declared in (of_inputs, *of_signals) for slot, field in declared.items()}
    slots[NOW] = Field(type=TIMESTAMP)
    taken = {*declarations.taken, *declarations.names, *document.variables, *document.lookups}
    offered = {name: field for name, field in OF_REQUEST.items() if name not in taken}
    slots |= offered
    names = {
        **declarations.names,
        **{name: field.type for name, field in slots.items()},
        **{list_name(name): TEXTS for name in lists},
    }

    for section, hidden in document.unread.items():
        names |= {
            list_name(name) if section == "lists" else name: DAMAGED_SIGNAL if section == "signals" else DYN
            for name in hidden
        }
    constants = {list_name(name): values for name, values in lists.items()}
    rates = read_rates(reader, document.rates)
    conditions = Conditions(
        reader, names, Environment(names, overloads, rates=rates), slots, constants, document.complete
    )
    variables = conditions.variables(
        {
            name: form
            for name, form in document.variables.items()
            if declarations.claim(form[0], "a variable") is not None
        },
        {
            name: lookup
            for name, lookup in read_lookups(reader, document.lookups, slots, sheets).items()
            if declarations.claim(lookup.key, "a lookup table") is not None
        },
    )
    steps = read_steps(reader, document.steps, slots)
    thresholds = Thresholds(reader, slots, signals, names, steps, document.complete).read(document.thresholds)
    rows = Tables(reader, slots, names, sheets, steps, document.complete).read(document.tables)
    rules = tuple(
        Rule(
            id=form.id,
            condition=form.period.joined(conditions.guard(form.guard)),
            outcome=form.outcome,
            reason=form.reason,
            when_unknown=form.when_unknown,
            description=form.description,
            message=check_texts(reader, form.message, slots),
            tags=form.tags,
            ask=asked(reader, form.ask, steps),
            confirm=form.confirm,
            starts=form.period.starts,
            ends=form.period.ends,
            span=form.span,
        )
        for form in document.rules
    )
    written = (*thresholds, *rows, *rules)
    scorecards = {form.name: _scorecard(reader, form, conditions, variables, steps) for form in document.scorecards}
    excuses = typed_excuses(reader, document.excuses, conditions.guard, written, scorecards)
    codes = {rule.reason for rule in written} | {card.reason for card in scorecards.values()}
    codes |= {document.sample.reason} if document.sample is not None else set()
    trees = [*variables.values(), *(rule.condition for rule in rules), *(excuse.condition for excuse in excuses)]
    trees += [row.condition for card in scorecards.values() for row in card.rows]
    used = {node.function for node in walk(*trees) if isinstance(node, Call)}
    typed = TypedPolicy(
        name=document.name,
        policy_language=POLICY_LANGUAGE,
        description=document.description,
        source=reader.source,
        digest=_digest(reader.source.part(0)[0].text, files.texts),
        inputs=inputs,
        signals=signals,
        lists=lists,
        entries=read.entries,
        list_files=read.files,
        texts=files.texts,
        variables=variables,
        rules=written,
        scorecards=scorecards,
        when_unknown=document.when_unknown,
        gather=cast(Literal["eager", "thrifty"], document.gather),
        explore=document.explore,
        slots=slots,
        functions={name: function for name, function in catalogue.functions.items() if name in used},
        reasons=read_reasons(reader, document.reasons, codes, slots),
        calibration=Calibrations(reader, {*slots, *signals}).read(document.calibration),
        excuses=excuses,
        steps=steps,
        rates=rates,
        scenes=document.scenes,
        sample=document.sample,
    )
    return _with_what_is_read(with_expiry(typed, reader) if read.entries else typed, offered)


def _with_what_is_read(typed: TypedPolicy, offered: Mapping[str, Field]) -> TypedPolicy:
    """Return a policy with those parts of a request for inputs that it reads. offered: those that it can."""
    texts = (typed.source.text, *typed.texts.values())
    read: set[str] = {name for name in offered if any(name in text for text in texts)}
    if read:
        conditions = (*typed.conditions, *typed.variables.values())
        said = (found.group(1) for text in _texts(typed) for found in PLACEHOLDER.finditer(text))
        read &= frozenset(said).union(*map(typed.reads.names, conditions))
    used = {name: field for name, field in offered.items() if name in read}
    slots = {name: field for name, field in typed.slots.items() if name not in offered or name in used}
    return replace(typed, inputs={**typed.inputs, **used}, slots=slots, of_request=frozenset(used))


def _texts(typed: TypedPolicy) -> Iterator[str]:
    """Yield the texts for people in which fields may stand."""
    for rule in typed.rules:
        yield from rule.message.values()
    for text in (*(reason.text for reason in typed.reasons.values()), *(step.text for step in typed.steps.values())):
        yield from text.values()


def _scorecard(
    reader: Reader,
    form: ScorecardForm,
    conditions: Conditions,
    variables: Mapping[str, Node],
    steps: Collection[str],
) -> Scorecard:
    return Scorecard(
        name=form.name,
        rows=tuple(row for one in form.rows for row in rows_of(conditions, form.name, one, variables)),
        review=form.review,
        reject=form.reject,
        reason=form.reason,
        when_unknown=form.when_unknown,
        ask={outcome: asked(reader, names, steps) for outcome, names in form.ask.items()},
        confirm=form.confirm,
        spans=form.spans,
    )


def _digest(text: str, texts: Mapping[str, str]) -> str:
    """Hash every text behind its length, so that nothing can move from one to the next."""
    digest = hashlib.sha256()
    for part in (text, *(part for path in sorted(texts) for part in (path, texts[path]))):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
