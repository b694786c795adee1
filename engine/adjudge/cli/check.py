"""`adjudge check`: everything that is wrong with policies, test files and configurations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from adjudge.authoring.cases import is_test_file, read_tests
from adjudge.cli.group import FINE, WRONG
from adjudge.cli.output import JSON, counted, format_option, print_json
from adjudge.cli.settings import Settings
from adjudge.config import limits_of, read_config
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.load import read_policy_file, read_source
from adjudge.policy.yaml import Mapping, read_yaml

ENDINGS = (".yaml", ".yml")
_OF_A_POLICY = frozenset({"policy_language", "rules", "thresholds", "scorecard"})


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@format_option
@click.pass_obj
def command(settings: Settings, paths: tuple[Path, ...], form: str) -> int:
    """Find what is wrong with policies and their tests.

    PATHS are policies, test files, configurations, or folders that are searched for them.
    """
    catalogue = settings.catalogue()
    found: dict[tuple[object, ...], PolicyError] = {}
    good: list[str] = []
    for path in paths:
        for file in _documents(path):
            try:
                good.append(f"{file}: ok ({_read(file, catalogue)})")
            except PolicyErrors as errors:
                found |= {(e.file, e.line, e.column, e.code, e.message): e for e in errors.errors}
    if not good and not found:
        raise click.UsageError(f"no policy and no test file in {', '.join(map(str, paths))}")
    if form == JSON:
        print_json([_data(error) for error in found.values()])
    else:
        for line in good:
            click.echo(line)
        if found:
            click.echo("\n\n".join(error.render() for error in found.values()))
            click.echo(f"\n{counted(len(found), 'error')}")
    return WRONG if found else FINE


def _read(file: Path, catalogue: Catalogue) -> str:
    """Read one document and count what stands in it. Raises PolicyErrors."""
    if is_test_file(file):
        return counted(len(read_tests(file, catalogue).cases), "test")
    keys = _keys(file)
    if "policies" in keys and not keys & _OF_A_POLICY:
        config = read_config(file)
        limits_of(config, catalogue)
        return counted(len(config.policies), "policy").replace("policys", "policies")
    return counted(len(read_policy_file(file, catalogue).rules), "rule")


def _documents(path: Path) -> Iterator[Path]:
    """Yield a file, or the documents of ours below a folder; other YAML there is left alone."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.suffix in ENDINGS and file.is_file() and not hidden:
            keys = _keys(file)
            if is_test_file(file) or not keys or keys & (_OF_A_POLICY | {"policies"}):
                yield file


def _keys(file: Path) -> frozenset[str]:
    """Return the keys of a document; none where it cannot be read."""
    try:
        root, _ = read_yaml(read_source(file, "document"))
    except PolicyErrors:
        return frozenset()
    return frozenset(key.text.value for key, _ in root.entries) if isinstance(root, Mapping) else frozenset()


def _data(error: PolicyError) -> dict[str, object]:
    return {
        "code": error.code,
        "severity": "error",
        "message": error.message,
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "hint": error.hint,
    }
