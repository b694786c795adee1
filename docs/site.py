"""A hook of mkdocs: the few things that a page says in GitHub's way, said in the way of the site.

- A link to a file outside `docs/` becomes the file's path: the site has no sources.
- A pipe in code in a table is written `\\|` for GitHub, and `|` here.
- `broken` behind the language of a block is for the tests of the pages.
"""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")
_BROKEN = re.compile(r"(?m)^(```\w+.*?) broken\b")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page's text as mkdocs reads it."""
    lines = (
        _CODE.sub(lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line
        for line in markdown.split("\n")
    )
    return _OUTSIDE.sub(lambda link: _named(link[1], link[2]), _BROKEN.sub(r"\1", "\n".join(lines)))


def _named(text: str, path: str) -> str:
    return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"
