"""Policies: from YAML to a verdict. The reading of YAML is imported when a policy is loaded."""

from __future__ import annotations

from pathlib import Path

from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy

__all__ = ["Catalogue", "Policy", "load_policy", "parse_policy"]


def load_policy(path: str | Path, *, catalogue: Catalogue | None = None) -> Policy:
    """Load a policy from its file.

    catalogue: the providers and functions it may name; none unless given.
    Raises PolicyErrors with everything that is wrong with it.
    """
    from adjudge.policy.loading.load import read_policy_file

    catalogue = catalogue or Catalogue()
    return Policy(read_policy_file(path, catalogue), catalogue.overloads())


def parse_policy(
    text: str, name: str = "policy.yaml", *, folder: str | Path | None = None, catalogue: Catalogue | None = None
) -> Policy:
    """Load a policy from its text.

    name: what to call it in errors. folder: where the files of its lists lie; without it there are none.
    Raises PolicyErrors with everything that is wrong with it.
    """
    from adjudge.policy.loading.load import read_policy

    catalogue = catalogue or Catalogue()
    typed = read_policy(text, name, folder=Path(folder) if folder is not None else None, catalogue=catalogue)
    return Policy(typed, catalogue.overloads())
