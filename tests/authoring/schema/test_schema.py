"""The schema takes every policy that loads, refuses what it can know to be wrong, and has every key that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from adjudge.authoring.policy_tests import cases
from adjudge.authoring.schema.json_schema import schema_of_policies, schema_of_tests
from adjudge.authoring.schema.keys import OBJECTS
from adjudge.authoring.schema.reference import reference
from adjudge.policy import Policy
from adjudge.policy.loading import calibration, document, lists, lookups, remarks, tables
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.load import read_source
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import read_yaml
from adjudge.registry import Registry
from adjudge.source import Source
from policy.random_policies import policies

ROOT = Path(__file__).parents[3]
CATALOGUE = Registry.discover().catalogue()
POLICY_SCHEMA = schema_of_policies(CATALOGUE)
VALIDATOR = jsonschema.Draft202012Validator(POLICY_SCHEMA)
BEYOND = {"include", "list", "table", "name", "type", "threshold", "syntax", "yaml"}
"""Families of mistakes that take more than the shape of a document to see."""


def plain(source: Source) -> Any:
    root, errors = read_yaml(source)
    assert root is not None and not errors
    return Reader(source).plain(root, nulls=True)


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(POLICY_SCHEMA)
    jsonschema.Draft202012Validator.check_schema(schema_of_tests(CATALOGUE))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("policy", document.KEYS),
        ("rule", document.RULE_KEYS),
        ("signal", document.SIGNAL_KEYS),
        ("scorecard", document.SCORECARD_KEYS),
        ("row", document.ROW_KEYS),
        ("bands", document.BAND_KEYS),
        ("reason", remarks.REASON_KEYS),
        ("calibration", calibration.CALIBRATION_KEYS),
        ("list", lists.LIST_KEYS),
        ("table", tables.TABLE_KEYS),
        ("lookup", lookups.LOOKUP_KEYS),
        ("tests", cases.KEYS),
        ("test", cases.CASE_KEYS),
    ],
)
def test_schema_has_every_key_that_the_loader_takes(name: str, keys: tuple[str, ...]) -> None:
    assert set(OBJECTS[name][1]) == set(keys)


SHIPPED = sorted(path for path in (ROOT / "policies").rglob("*.yaml") if path.parent.name != "shared")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_schema_takes_the_shipped_policies_and_their_tests(path: Path) -> None:
    schema = schema_of_tests(CATALOGUE) if is_test_file(path) else POLICY_SCHEMA
    jsonschema.Draft202012Validator(schema).validate(plain(read_source(path, "policy")))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies())
def test_schema_takes_every_policy_that_loads(policy: Policy) -> None:
    VALIDATOR.validate(plain(policy.typed.source))


def test_schema_refuses_mistakes_of_shape() -> None:
    """Of the corpus of mistakes: those that are about the shape, but for a few that hang on something else."""
    taken = []
    for path in sorted((ROOT / "tests" / "policy" / "invalid").glob("*.yaml")):
        code = path.read_text("utf-8", errors="replace").split("# code: ")[1].split()[0]
        root, errors = read_yaml(Source("", path.read_text("utf-8", errors="replace")))
        if code.partition("-")[0] in BEYOND or root is None or errors:
            continue
        if VALIDATOR.is_valid(Reader(Source("", "")).plain(root, nulls=True)):
            taken.append(path.stem)
    assert sorted(set(taken)) == TAKEN


TAKEN = [
    "calibration_day",
    "calibration_length",
    "condition_empty",
    "confirm_a_review",
    "excuse_of_a_reject",
    "field_absent_of_item",
    "field_absent_without_keys",
    "field_range_reversed",
    "field_within_alone",
    "field_within_of_input",
    "field_within_of_supplied_signal",
    "include_without_name",
    "period_backwards",
    "period_without_zone",
    "provider_config_wrong",
    "rate_of_itself",
    "scorecards_and_scorecard",
    "signal_fields_declared_twice",
    "signal_fields_missing",
    "signal_timeout_without_provider",
    "signal_without_source",
    "table_without_outcome",
    "threshold_asks_without_bound",
    "threshold_by_without_case",
    "threshold_in_both_directions",
    "threshold_that_passes",
    "threshold_without_outcome",
    "timeout_is_no_duration",
    "timeout_too_long",
    "unknown_key_in_number_threshold",
]
"""What the schema takes although it is wrong."""


def test_reference_is_made_from_the_same_keys(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "policy-reference.md"
    if request.config.getoption("--write-golden"):
        page.write_text(reference(), "utf-8")
    assert page.read_text("utf-8") == reference()
