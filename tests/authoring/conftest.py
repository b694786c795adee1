"""What tests of authoring share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _proofs(patient_solver: None) -> None:
    """Let every question have the time that it needs."""
