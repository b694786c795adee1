"""`adjudge test`: the tests that stand beside policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from adjudge.authoring.policy_tests.cases import PolicyTestFile, policy_of, read_tests
from adjudge.authoring.policy_tests.coverage import Coverage, coverage, described
from adjudge.authoring.policy_tests.junit import junit
from adjudge.authoring.policy_tests.suggest import appended, suggest
from adjudge.authoring.policy_tests.testing import Result, run
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_exact, print_json, say, say_text
from adjudge.cli.settings import Settings
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import is_test_file


@click.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--coverage", "with_coverage", is_flag=True, help="Show what no test tries.")
@click.option("--coverage-min", type=click.FloatRange(0, 100), help="Fail below this percentage.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML, too.")
@click.option("--suggest", "with_suggestions", is_flag=True, help="Print tests to fill in, for what no test tries.")
@click.option("--write", is_flag=True, help="With --suggest: append them to the test file.")
@format_option
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[Path, ...],
    with_coverage: bool,
    coverage_min: float | None,
    junit_file: Path | None,
    with_suggestions: bool,
    write: bool,
    form: str,
) -> int:
    """Run the tests beside policies.

    PATHS are `…_test.yaml` files, folders that are searched for them, or policies, whose own tests are run.
    """
    if write and not with_suggestions:
        raise click.UsageError("--write goes with --suggest")
    check_folder(junit_file)
    catalogue = settings.catalogue()
    read = _begun(paths, catalogue) if with_suggestions else []
    read = read or _read(paths, catalogue)
    if with_suggestions:
        return _suggest(read, catalogue, write)
    ran = [(file, run(file)) for file in read]
    failed = sum(not result.passed for _, results in ran for result in results)
    with_coverage = with_coverage or coverage_min is not None
    covered = {name: coverage(files) for name, files in _by_policy(read).items()} if with_coverage else {}
    low = [name for name, one in covered.items() if coverage_min is not None and one.percent < coverage_min]
    if junit_file is not None:
        named = [(str(file.path), results) for file, results in ran]
        write_file(junit_file, junit(named, list(covered.items()), low))
    if form == JSON:
        tests = [{"file": str(one.path), "tests": [result.data() for result in of_one]} for one, of_one in ran]
        total = sum(len(results) for _, results in ran)
        shown = {name: one.data() for name, one in covered.items()} if with_coverage else None
        print_json({"passed": total - failed, "failed": failed, "files": tests, "coverage": shown})
    else:
        _print(ran, covered, failed)
        for name in low:
            say(f"{name}: covered to {covered[name].percent:.1f}%, at least {coverage_min:g}% is asked for")
    return FINDINGS if failed or low else FINE


def _begun(paths: tuple[Path, ...], catalogue: Catalogue) -> list[PolicyTestFile]:
    """Return the first test of each policy, to be written beside it; none where some path has tests already."""
    if not all(
        path.is_file() and not is_test_file(path) and path.suffix in (".yaml", ".yml") and not list(_test_files(path))
        for path in paths
    ):
        return []
    begun = []
    for path in paths:
        beside, outcome = path.with_name(f"{path.stem}_test.yaml"), "review"
        for _ in range(2):  # what is expected is known once the policy is read
            text = f"policy: {path.name}\ntests:\n  - name: nothing is known\n    expect: {outcome}\n"
            file = read_tests(beside, catalogue, text)
            outcome = file.policy.evaluate({}).outcome.value
        begun.append(file)
    return begun


def _read(paths: tuple[Path, ...], catalogue: Catalogue) -> list[PolicyTestFile]:
    """Read the test files. Raises PolicyErrors with everything that is wrong with them."""
    files = list(dict.fromkeys(file for path in paths for file in _test_files(path)))
    if not files:
        raise click.UsageError(f"no tests for {', '.join(map(str, paths))}: tests are in files named …_test.yaml")
    errors: dict[tuple[object, ...], PolicyError] = {}
    read = []
    for file in files:
        try:
            read.append(read_tests(file, catalogue))
        except PolicyErrors as found:
            errors |= {(e.file, e.line, e.column, e.code, e.message): e for e in found.errors}
    if errors:
        raise PolicyErrors(list(errors.values()))
    return read


def _print(ran: list[tuple[PolicyTestFile, tuple[Result, ...]]], covered: dict[str, Coverage], failed: int) -> None:
    for one, results in ran:
        passed = sum(result.passed for result in results)
        say(f"{one.path}: {passed} of {counted(len(results), 'test')} passed")
        for result in results:
            if not result.passed:
                say_text(f"\n{result.render()}\n")
    if failed:
        say(f"{counted(failed, 'test')} failed")
    for name, coverage_ in covered.items():
        say(*(f"{name}: {line}" if at == 0 else line for at, line in enumerate(coverage_.lines())))


def _by_policy(read: list[PolicyTestFile]) -> dict[str, list[PolicyTestFile]]:
    by_policy: dict[str, list[PolicyTestFile]] = {}
    for file in read:
        by_policy.setdefault(file.policy.typed.source.name, []).append(file)
    return by_policy


def _suggest(read: list[PolicyTestFile], catalogue: Catalogue, write: bool) -> int:
    """Suggest what the tests of a policy have not tried, for the first of its files."""
    for file, *others in _by_policy(read).values():
        suggestions, unfound = suggest(file, others)
        if write and suggestions:
            write_file(file.path, appended(file, suggestions, catalogue))
        elif suggestions:
            print_exact("" if file.path.exists() else file.source.text)
            print_exact("".join(f"{one.render()}\n" for one in suggestions))
        for item in unfound:
            say(f"{file.path}: no input was found for {described(item)}", err=True)
        written = "appended, each with an `expect` to fill in" if write else "suggested"
        say(f"{file.path}: {counted(len(suggestions), 'test')} {written}", err=True)
    return FINE


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
