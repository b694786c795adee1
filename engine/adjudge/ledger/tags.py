"""The tags of a policy's rules, as its record has them: decisions name their rules, and the rules' tags stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from adjudge.audit.bodies import PolicyBody
from adjudge.audit.kinds import decode
from adjudge.audit.record import MalformedLine, parse
from adjudge.errors import AuditBroken

Tags = Mapping[str, frozenset[str]]
"""Ids of rules by tag."""


def recorded_tags(digest: str, line: bytes | None) -> Tags:
    """Return the tags of a policy from its record.

    Raises AuditBroken, also where there is no record: nobody can tell the tags then.
    """
    try:
        record = parse(line) if line is not None else None
    except MalformedLine as error:
        raise AuditBroken(f"the record of the policy {digest[:12]} is not what was written: {error}") from None
    body = decode(PolicyBody, record.seq, record.body) if record is not None and record.kind == "policy" else None
    if body is None or body.digest != digest:
        raise AuditBroken(f"the log does not hold the policy {digest[:12]}, so nobody can tell the tags of its rules")
    return tags_in(body)


def tags_in(body: PolicyBody) -> Tags:
    """Return the tags of a policy, those in what it includes among them. Raises AuditBroken."""
    found: dict[str, set[str]] = {}
    said = _said(body, body.text)
    included = said.get("include")
    paths = included if isinstance(included, list) else [included]
    fragments = [_said(body, body.lists[path]) for path in paths if isinstance(path, str) and path in body.lists]
    for part in (said, *fragments):
        for rule, tags in _tagged(part.get("rules")):
            for tag in tags:
                found.setdefault(tag, set()).add(rule)
    return {tag: frozenset(rules) for tag, rules in found.items()}


def is_policy(digest: str, line: bytes) -> bool:
    """Whether a line is the record of a policy, as it was written."""
    try:
        recorded_tags(digest, line)
    except AuditBroken:
        return False
    return True


class UnknownTags(Exception):
    """The tags of a policy have not been read yet."""

    def __init__(self, digest: str) -> None:
        """Name the policy by its digest."""
        super().__init__(digest)
        self.digest = digest


class KnownTags:
    """The tags of the policies of one ledger, each read once."""

    def __init__(self, policy: Callable[[str], bytes | None]) -> None:
        """policy: gives the record of a policy by its digest; None where there is none."""
        self._policy = policy
        self._known: dict[str, Tags] = {}

    def __call__(self, digest: str) -> Tags:
        """Return the tags of a policy. Raises as `recorded_tags`."""
        if digest not in self._known:
            self._known[digest] = recorded_tags(digest, self._policy(digest))
        return self._known[digest]

    def known(self, digest: str) -> Tags:
        """Return the tags of a policy that were read before. Raises UnknownTags."""
        if digest not in self._known:
            raise UnknownTags(digest)
        return self._known[digest]


def _said(body: PolicyBody, text: str) -> Mapping[object, object]:
    import yaml  # only where a search asks for tags

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        said = yaml.load(text, loader)  # noqa: S506  # it makes texts, lists and mappings alone
    except (yaml.YAMLError, ValueError, RecursionError):
        raise AuditBroken(f"the record of the policy {body.policy} cannot be read") from None
    return said if isinstance(said, dict) else {}


def _tagged(rules: object) -> Iterator[tuple[str, list[str]]]:
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and isinstance(rule.get("id"), str) and isinstance(rule.get("tags"), list):
            yield rule["id"], [tag for tag in rule["tags"] if isinstance(tag, str)]
