"""What the pages load, as it is built: small, from nowhere else, with its licences, and readable in both schemes."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "engine" / "adjudge" / "console" / "assets"
STATIC = ASSETS.parent / "static"
BUILT = ("console.js", "console.css", "editor.js")
SHEET = (ASSETS / "console.css").read_text("utf-8")

# Where the packages are there and the build is not, it failed: then these tests fail, too.
is_built = pytest.mark.skipif(
    not (STATIC / "THIRD-PARTY.txt").exists() and not (ASSETS / "node_modules").exists(),
    reason="the assets are not built: make console",
)


@is_built
def test_built_assets_all_together_are_at_most_250_kb() -> None:
    assert sum(len(gzip.compress((STATIC / name).read_bytes())) for name in BUILT) <= 250_000


@is_built
@pytest.mark.parametrize("name", BUILT)
def test_built_asset_names_no_other_host(name: str) -> None:
    text = (STATIC / name).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, which nobody fetches
    assert not re.findall(r"\b(?:https?|wss?)://|@import|url\(\s*['\"]?//", text)


@is_built
def test_built_assets_name_what_they_hold_with_its_licence() -> None:
    text = (STATIC / "THIRD-PARTY.txt").read_text("utf-8")
    for name, version in json.loads((ASSETS / "package.json").read_text("utf-8"))["dependencies"].items():
        assert f"\n{name} {version} (" in text
    assert "\nesbuild " not in text, "which is no part of what is shipped"
    assert "Permission is hereby granted" in text


def test_lock_names_no_host_and_every_package_by_its_hash() -> None:
    text = (ASSETS / "package-lock.json").read_text("utf-8")
    packages = json.loads(text)["packages"]
    assert "://" not in text and '"resolved"' not in text
    assert all(package["integrity"].startswith("sha512-") for name, package in packages.items() if name)
    assert all(re.fullmatch(r"[\d.]+", version) for version in packages[""]["dependencies"].values())


def tokens(sheet: str) -> list[dict[str, str]]:
    """The colours of the light scheme, and those of the dark one."""
    return [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rules)) for rules in re.findall(r":root \{(.*?)\}", sheet, re.S)
    ]


def luminance(colour: str) -> float:
    """How light a colour is, by the definition of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_known_pairs_is_as_published() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_text_is_readable_on_both_grounds(scheme: int) -> None:
    colours = tokens(SHEET)[scheme]
    texts = [name for name in colours if name not in ("page", "raised", "line", "edge", "on-accent")]
    assert {"text", "quiet", "accent", "pass", "review", "reject", "unknown"} <= set(texts)
    for ground in ("page", "raised"):
        low = {name: contrast(colours[name], colours[ground]) for name in texts}
        assert min(low.values()) >= 4.5, (ground, low)
        assert contrast(colours["edge"], colours[ground]) >= 3, "the edge of a field"
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


def test_both_schemes_name_the_same_colours_and_rules_name_no_others() -> None:
    light, dark, *_ = tokens(SHEET)
    assert light.keys() == dark.keys()
    assert set(re.findall(r"var\(--([\w-]+)", SHEET)) <= light.keys()
    assert not re.findall(r"#[0-9a-f]{3,8}\b", re.sub(r":root \{.*?\}", "", SHEET, flags=re.S))


def test_every_outcome_has_a_shape_of_its_own_beside_its_colour() -> None:
    shapes = dict(re.findall(r'\.outcome\.(\w+)::before \{\s*content: "(.)" / "";', SHEET))
    assert shapes.keys() == {"pass", "review", "reject", "unknown"}
    assert len(set(shapes.values())) == 4
