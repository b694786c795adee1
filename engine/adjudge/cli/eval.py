"""`adjudge eval`: one condition on its own."""

from __future__ import annotations

from collections.abc import Mapping

import click

from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, format_option, print_json, say
from adjudge.documents import read_json
from adjudge.errors import EvaluationError, PolicyErrors, RequestError
from adjudge.expr import evaluate
from adjudge.expr.standalone import parse_type
from adjudge.policy.explaining.explanation import shown
from adjudge.values.literals import parse_date, parse_duration, parse_timestamp
from adjudge.values.recorded import to_json
from adjudge.values.types import DATE, DURATION, TIMESTAMP, ListType, MapType, RecordType, Type


@click.command("eval", context_settings={"ignore_unknown_options": True})  # `-7 / 2` is no option
@click.argument("expression", metavar="EXPR")
@click.option("--given", metavar="JSON", default="{}", help="Values by name: '{\"score\": 72}'; others are unknown.")
@click.option(
    "--types", metavar="JSON", default="{}", help='Types by name: \'{"age": "duration", "tags": "list(string)"}\'.'
)
@format_option
def command(expression: str, given: str, types: str, form: str) -> int:
    """Evaluate a condition.

    Exit status 1 where it has no answer: something in it is unknown, or an operation failed.
    """
    declared = {name: _type(name, said) for name, said in _object(types, "--types").items()}
    values = {name: _value(name, said, declared.get(name)) for name, said in _object(given, "--given").items()}
    try:
        value = evaluate(expression, values, types=declared)
    except EvaluationError as error:
        print_json({"value": None, "unknown": str(error)}) if form == JSON else say(f"unknown: {error}")
        return FINDINGS
    except PolicyErrors as errors:
        for mistake in errors.errors:
            if mistake.code == "name-unknown":
                mistake.hint = mistake.hint or "give its value in --given, or its type in --types"
        raise
    print_json({"value": to_json(value)}) if form == JSON else say(shown(value))
    return FINE


def _object(text: str, option: str) -> Mapping[str, object]:
    try:
        read = read_json(text.encode("utf-8", "surrogateescape"))
    except RequestError as error:
        raise click.UsageError(f"{option}: {error}") from None
    if not isinstance(read, Mapping):
        raise click.UsageError(f'{option}: must be a JSON object, such as {{"name": …}}')
    return read


def _type(name: str, form: object) -> Type:
    try:
        return parse_type(form)
    except ValueError as error:
        raise click.UsageError(f"--types: {name}: {error}") from None


def _value(name: str, value: object, type_: Type | None) -> object:
    """Return a value of JSON as one of its type: texts where times and durations are declared."""
    try:
        match type_, value:
            case Type(name=DURATION.name), str():
                return parse_duration(value)
            case Type(name=TIMESTAMP.name), str():
                return parse_timestamp(value)
            case Type(name=DATE.name), str():
                return parse_date(value)
            case ListType(item=item), list():
                return [_value(name, part, item) for part in value]
            case MapType(value=of), dict():
                return {key: _value(name, part, of) for key, part in value.items()}
            case RecordType(of=types), dict():
                return {key: _value(name, part, types.get(key)) for key, part in value.items()}
            case _:
                return value
    except EvaluationError as error:
        raise click.UsageError(f"--given: {name}: {error}") from None
