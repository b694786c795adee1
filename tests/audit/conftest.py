"""What tests of the audit log may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adjudge.audit.closed import ClosedSegments


@pytest.fixture(scope="module")
def closed_segments_stay_undescribed() -> Iterator[None]:
    """Write no `segment` records, for tests that count records, or operations of the disk, to the last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClosedSegments, "add", lambda self, file: None)
        yield
