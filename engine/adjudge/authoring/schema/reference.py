"""The reference of a policy document for people, in Markdown, made of the same keys as the schema."""

from __future__ import annotations

from adjudge.authoring.schema.keys import OBJECTS
from adjudge.expr.functions import FUNCTIONS
from adjudge.policy.loading.builtin_lists import BUILTIN
from adjudge.values.declared import FIELD_FORMS

_HEAD = """# Policy reference

Every key of a policy and of a test file. This page and `adjudge schema` are generated from one source. What the keys
are for is explained in [policy.md](policy.md), conditions in [conditions.md](conditions.md).

"""


def reference() -> str:
    """Return the page."""
    parts = []
    for heading, keys in OBJECTS.values():
        rows = ["| key | type | meaning | example |", "|---|---|---|---|"]
        for name, key in keys.items():
            needed = " (required)" if key.needed else ""
            example = key.example.replace("|", "\\|")
            rows.append(f"| `{name}` | {key.said}{needed} | {key.meaning} | `{name}: {example}` |")
        parts.append(f"## {heading}\n\n" + "\n".join(rows))
    types = ["| type | takes |", "|---|---|"]
    types += [
        f"| `{name}` | {', '.join(f'`{key}`' for key in takes if key != 'type')} |"
        for name, takes in FIELD_FORMS.items()
    ]
    parts.append("## A field, under `inputs` and `fields`; or its type's name alone\n\n" + "\n".join(types))
    lists = ["| built-in list | values |", "|---|---|"]
    lists += [
        f"| `{name}` | {len(values)}: {', '.join(values[:6])}{', …' if len(values) > 6 else ''} |"
        for name, values in BUILTIN.items()
    ]
    parts.append("## Built-in lists\n\n" + "\n".join(lists))
    parts.append("## Functions\n\n" + ", ".join(f"`{name}`" for name in sorted(FUNCTIONS)))
    return _HEAD + "\n\n".join(parts) + "\n"
