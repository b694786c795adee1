"""`adjudge test`: the tests that stand beside policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from adjudge.authoring.cases import is_test_file, policy_of, read_tests
from adjudge.authoring.testing import run
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json
from adjudge.cli.settings import Settings
from adjudge.errors import PolicyError, PolicyErrors


@click.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@format_option
@click.pass_obj
def command(settings: Settings, paths: tuple[Path, ...], form: str) -> int:
    """Run the tests that stand beside policies.

    PATHS are `…_test.yaml` files, folders that are searched for them, or policies, whose own tests are run.
    """
    files = list(dict.fromkeys(file for path in paths for file in _test_files(path)))
    if not files:
        raise click.UsageError(f"no tests for {', '.join(map(str, paths))}: they stand in files named …_test.yaml")
    catalogue = settings.catalogue()
    errors: dict[tuple[object, ...], PolicyError] = {}
    read = []
    for file in files:
        try:
            read.append(read_tests(file, catalogue))
        except PolicyErrors as found:
            errors |= {(e.file, e.line, e.column, e.code, e.message): e for e in found.errors}
    if errors:
        raise PolicyErrors(list(errors.values()))
    ran = [(file, run(file)) for file in read]
    results = [result for _, results in ran for result in results]
    failed = [result for result in results if not result.passed]
    if form == JSON:
        tests = [{"file": str(one.path), "tests": [result.data() for result in of_one]} for one, of_one in ran]
        print_json({"passed": len(results) - len(failed), "failed": len(failed), "files": tests})
        return FINDINGS if failed else FINE
    for one, of_one in ran:
        passed = sum(result.passed for result in of_one)
        click.echo(f"{one.path}: {passed} of {counted(len(of_one), 'test')} passed")
        for result in of_one:
            if not result.passed:
                click.echo(f"\n{result.render()}\n")
    if failed:
        click.echo(f"{counted(len(failed), 'test')} failed")
    return FINDINGS if failed else FINE


def _test_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if is_test_file(file) and file.is_file())
    elif is_test_file(path):
        yield path
    else:
        for file in sorted(path.parent.iterdir()):
            policy = policy_of(file) if is_test_file(file) else None
            if policy is not None and policy.resolve() == path.resolve():
                yield file
