"""Every slip of one character in the policies here: what catches it?

For each word and operator of a policy, outside of comments: one character left out, two swapped, an operator turned.
 Counted is which of `check` (errors and new findings of the linter), `analyse` (new findings) and the policy's own
tests catches it, and what nobody does. Prints a table; `--show` the slips that nothing caught.

    python benchmarks/slips.py [--show] [POLICY…]
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.authoring.proofs.analyse import analyse
from adjudge.errors import AdjudgeError
from adjudge.policy import Policy
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.load import read_policy_file
from adjudge.registry import Registry

ROOT = Path(__file__).parents[1]
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r">=|<=|==|!=|&&|\|\||[<>!](?=[\w('\"])|(?<= )[<>](?= )")
TURNED = {">": "<", "<": ">", "=": "!", "!": "=", "&": "|", "|": "&"}
PLAIN = ("description:", "message:", "text:", "source:", "policy:", "reason:")
"""Lines of prose and labels: a slip in them changes no decision."""


def slips(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield offset, kind and the text with one slip."""
    at = 0
    for line in text.splitlines(keepends=True):
        code = re.split(r"(?:^|\s)#", line)[0]
        if not code.strip().removeprefix("- ").startswith(PLAIN):
            for found in WORD.finditer(code):
                kind = "outcome" if found.group() in ("pass", "review", "reject") else "word"
                for n in range(found.start(), found.end()):
                    yield at + n, kind, text[: at + n] + text[at + n + 1 :]
                for n in range(found.start(), found.end() - 1):
                    if code[n] != code[n + 1]:
                        yield at + n, kind, text[: at + n] + code[n + 1] + code[n] + text[at + n + 2 :]
            for found in OPERATOR.finditer(code):
                for n in range(found.start(), found.end()):
                    yield at + n, "operator", text[: at + n] + text[at + n + 1 :]
                    yield at + n, "operator", text[: at + n] + TURNED[code[n]] + text[at + n + 1 :]
        at += len(line)


def main() -> None:
    """Study the policies that were named, or all that are shipped."""
    show = "--show" in sys.argv
    named = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    paths = named or [ROOT / "policies" / "onboarding.yaml", *sorted((ROOT / "policies" / "cookbook").glob("*.yaml"))]
    catalogue = Registry.discover().catalogue()
    caught: dict[str, Counter[str]] = {}
    for path in paths:
        if is_test_file(path):
            continue
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            for part in ("lists", "shared"):
                if (path.parent / part).is_dir():
                    shutil.copytree(path.parent / part, home / part)
            beside = path.with_name(f"{path.stem}_test.yaml")
            shutil.copy(beside, home / beside.name)
            policy = home / path.name
            text = path.read_text("utf-8")
            policy.write_text(text)
            typed = read_policy_file(policy, catalogue)
            linted = {finding.message for finding in lint(typed)}
            proved = {f.message for f in analyse(Policy(typed, catalogue.overloads()), total_s=10).findings}
            for offset, kind, slipped in slips(text):
                counts = caught.setdefault(kind, Counter())
                counts["slips"] += 1
                policy.write_text(slipped)
                by = []
                try:
                    typed = read_policy_file(policy, catalogue)
                except AdjudgeError:
                    counts.update(["check", "caught"])
                    continue
                if typed.rules == () and typed.scorecard is None:
                    by.append("check")
                if {finding.message for finding in lint(typed)} - linted:
                    by.append("check")
                try:
                    if any(not result.passed for result in run(read_tests(home / beside.name, catalogue))):
                        by.append("tests")
                except AdjudgeError:
                    by.append("tests")
                if {f.message for f in analyse(Policy(typed, catalogue.overloads()), total_s=10).findings} - proved:
                    by.append("analyse")
                counts.update(set(by))
                counts["caught"] += bool(by)
                if show and not by:
                    line = text.count("\n", 0, offset) + 1
                    print(f"{path.name}:{line}: {slipped.splitlines()[line - 1].strip()}")
    print("| slip in | slips | check | tests | analyse | caught |")
    print("|---|---|---|---|---|---|")
    for kind, counts in sorted(caught.items()):
        total = counts["slips"]
        shares = " | ".join(f"{counts[by] / total:.1%}" for by in ("check", "tests", "analyse", "caught"))
        print(f"| {kind} | {total} | {shares} |")


if __name__ == "__main__":
    main()
