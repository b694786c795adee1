"""What all tests share."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from plugins.postgres_server import Server

ROOT = Path(__file__).parent.parent

if "CI" not in os.environ:  # where it is set, Hypothesis does so itself
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
gc.set_threshold(20_000)  # from 700: a run keeps millions of objects, and looked at them again and again


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; a user's clone has none."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("needs ../shared, the reference data beside the checkout, which is not here")
    return path


@pytest.fixture(scope="session")
def patient_solver() -> Iterator[None]:
    """Give the solver minutes for what takes it less than a second: it goes by the clock, whoever else works.

    A test that asks for less than two seconds a question has no more: nothing that it says hangs on an answer.
    """
    if find_spec("z3") is None:
        yield
        return
    from adjudge.authoring.proofs.inquiry import Inquiry

    left_s = Inquiry.left_s

    def patiently(self: Inquiry) -> float:
        return left_s(self) if self.timeout_s < 2 else 120.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inquiry, "left_s", patiently)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server, once for all tests: each makes databases of its own in it. They are one xdist group."""
    from plugins.postgres_server import Server

    server = Server()
    yield server
    server.close()


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are cores: tests wait for disks, servers and processes half of their time."""
    return (os.cpu_count() or 1) + 1


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
