"""`adjudge format`: policies and tests in house form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from adjudge.authoring.formatting.run import formatted
from adjudge.cli.files import write_file
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import counted, diff_text, print_exact, say
from adjudge.cli.streams import standard_input
from adjudge.errors import AdjudgeError, PolicyErrors
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.load import SOURCE_MAX_BYTES, decode_source, read_source
from adjudge.policy.text.yaml import Mapping, read_yaml

_OURS = frozenset({"policy_language", "rules", "thresholds", "scorecard", "scorecards", "fragment"})


@click.command("format")
@click.argument("paths", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail where a file is not formatted.")
@click.option("--diff", "with_diff", is_flag=True, help="Write nothing; show what would change.")
def command(paths: tuple[str, ...], only_check: bool, with_diff: bool) -> int:
    """Format policies and their tests.

    Comments stay, meaning stays. PATHS are files, folders that are searched for them, or `-`, which reads one from the
    standard input and prints it. A file that does not parse is left alone; exit status 2 then.
    """
    if paths == ("-",):
        print_exact(formatted(decode_source(standard_input().read(SOURCE_MAX_BYTES + 1), "-").text, "-"))
        return FINE
    files = list(dict.fromkeys(file for path in paths for file in _documents(Path(path))))
    if not files:
        raise click.UsageError(f"no policy or test file in {', '.join(paths)}")
    changed = 0
    errors: list[AdjudgeError] = []
    for file in files:
        try:
            before = read_source(file, "document").text
            after = formatted(before, str(file))
        except AdjudgeError as error:
            errors.append(error)
            continue
        if after != before:
            changed += 1
            if with_diff:
                print_exact(diff_text(before, after, str(file), str(file)))
            elif only_check:
                say(f"{file} is not formatted")
            else:
                write_file(file, after)
                say(f"{file}: formatted")
    if not with_diff:
        say(f"{counted(len(files) - changed - len(errors), 'file')} already formatted")
    if errors:
        found = [one for error in errors if isinstance(error, PolicyErrors) for one in error.errors]
        others = [error for error in errors if not isinstance(error, PolicyErrors)]
        raise PolicyErrors(found) if found else others[0]
    return FINDINGS if changed and (only_check or with_diff) else FINE


def _documents(path: Path) -> Iterator[Path]:
    """Yield a file, or the policies, fragments and tests below a folder."""
    if not path.exists():
        raise click.UsageError(f"there is no {path}")
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*.y*ml")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if not hidden and file.is_file() and (is_test_file(file) or _is_ours(file)):
            yield file


def _is_ours(file: Path) -> bool:
    try:
        root, _ = read_yaml(read_source(file, "document"))
    except PolicyErrors:
        return True  # whoever asks hears what is wrong, as `adjudge check` of the folder says it
    return root is None or (isinstance(root, Mapping) and any(key.text.value in _OURS for key, _ in root.entries))
