"""What all tests share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; a user's clone has none."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("needs ../shared, the reference data beside the checkout, which is not here")
    return path


@pytest.fixture(autouse=True)
def _events_as_in_a_new_process() -> Iterator[None]:
    """Leave logging and structlog unconfigured: what one test configures must not be so for the next."""
    yield
    logging.getLogger("adjudge").setLevel(logging.NOTSET)
    if "adjudge.events" in sys.modules:
        from adjudge.events import configure_late

        configure_late(lambda: None)
    if "structlog" in sys.modules:
        import structlog

        structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave property tests unmeasured: they take half the time, and no line counts that was reached by chance."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="record the texts in tests/golden, and the outputs in the documentation, anew",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the one recorded as `tests/golden/<name>`; both end in one line end."""

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests" / "golden" / name
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--write-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"{path} is not recorded yet: pytest --write-golden"
        assert text == path.read_text("utf-8")

    return compare
