"""Results of tests as JUnit XML, which every build server reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from xml.etree import ElementTree  # writes only

from adjudge.authoring.policy_tests.coverage import Coverage
from adjudge.authoring.policy_tests.testing import Result
from adjudge.texts import on_terminal, one_line


def junit(
    files: Iterable[tuple[str, Sequence[Result]]],
    covered: Sequence[tuple[str, Coverage]] = (),
    low: Collection[str] = (),
) -> str:
    """Return one suite for each file, and one for what each policy's tests have not tried.

    files: names of test files, with their results. covered: names of policies, with their coverage.
    low: the policies among them that are covered less than was asked for; the gaps of others count as skipped.
    """
    root = ElementTree.Element("testsuites")
    for name, results in files:
        failed = sum(not result.passed for result in results)
        suite = _suite(root, name, len(results), failures=failed)
        for result in results:
            case = _case(suite, result.case.name, name, result.line)
            if not result.passed:
                said = "; ".join(f"{f.what}: expected {f.expected}, got {f.actual}" for f in result.failures)
                ElementTree.SubElement(case, "failure", message=one_line(said)).text = on_terminal(result.render())
    for name, one in covered:
        gaps = len(one.missing)
        failures, skipped = (gaps, 0) if name in low else (0, gaps)
        tests = len(one.covered) + gaps
        suite = _suite(root, f"coverage of {name}", tests, failures=failures, skipped=skipped)
        for item in one.missing:
            case = _case(suite, f"{item.name}: {item.what}", name, one.line(item))
            ElementTree.SubElement(case, "failure" if failures else "skipped", message="no test tries this")
        for item in one.covered:
            _case(suite, f"{item.name}: {item.what}", name, one.line(item))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(
    root: ElementTree.Element, name: str, tests: int, *, failures: int = 0, skipped: int = 0
) -> ElementTree.Element:
    about = {"name": one_line(name), "tests": str(tests), "failures": str(failures), "errors": "0"}
    about["skipped"] = str(skipped)
    return ElementTree.SubElement(root, "testsuite", about)


def _case(suite: ElementTree.Element, name: str, file: str, line: int) -> ElementTree.Element:
    about = {"name": one_line(name), "classname": one_line(file), "file": one_line(file), "line": str(line)}
    return ElementTree.SubElement(suite, "testcase", about)
