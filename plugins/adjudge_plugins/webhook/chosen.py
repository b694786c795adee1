"""Which decisions a webhook is told of: by outcome, rule and tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from adjudge_plugins.webhook.message import outcome_of
from adjudge_plugins.webhook.settings import Settings

TEXT_MAX = 16 * 1024 * 1024

Tags = Mapping[str, list[str]]
"""The tags of rules, by the rule's id."""


def is_chosen(settings: Settings, members: Mapping[str, Any], tags: Tags | None) -> bool:
    """Whether the other side is told of a decision: one of what stands under `on` is so, or nothing stands there.

    tags: of the policy's rules; None where its record was not seen, or not read: then a decision with rules is told,
    for nobody knows their tags, and silence would be the worse mistake.
    """
    if not (settings.outcomes or settings.rules or settings.tags):
        return True
    matched = members.get("verdict", {}).get("matched", ())
    if outcome_of(members) in settings.outcomes or not settings.rules.isdisjoint(matched):
        return True
    if not settings.tags:
        return False
    if tags is None:
        return bool(matched)
    return any(not settings.tags.isdisjoint(tags.get(rule, ())) for rule in matched)


def tags_of(policy: Mapping[str, Any]) -> Tags | None:
    """Return the tags of a policy's rules, from its record; None where its text is not to be read."""
    text = policy.get("text", "")
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        return None
    try:
        said = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506  # makes strings alone
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    rules = said.get("rules")
    return {
        str(rule["id"]): [str(tag) for tag in rule["tags"]]
        for rule in (rules if isinstance(rules, list) else [])
        if isinstance(rule, dict) and "id" in rule and isinstance(rule.get("tags"), list)
    }
