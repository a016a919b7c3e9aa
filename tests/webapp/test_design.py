"""The design tokens keep WCAG 2.2 AA contrast, in light and in dark, by computation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).resolve().parents[2] / "static" / "css" / "tokens.css").read_text()

TEXT = [
    ("ink", "paper"), ("ink", "surface"), ("ink", "sunken"), ("ink-2", "paper"), ("ink-2", "surface"), ("ink-2", "sunken"),
    ("brand", "paper"), ("brand", "surface"), ("brand", "sunken"), ("brand", "brand-soft"),
    ("brand-strong", "brand-soft"), ("on-brand", "brand"),
    ("on-brand", "brand-strong"), ("good", "surface"), ("warn", "surface"), ("warn", "warm-soft"), ("warn", "warn-soft"),
    ("bad", "surface"), ("bad", "bad-soft"), ("surface", "bad"), ("ink", "warm-soft"), ("ink", "brand-soft"), ("ink", "bad-soft"),
    ("ink", "warn-soft"), ("ink-2", "brand-soft"), ("paper", "ink"),
]  # fmt: skip
CONTROLS = [
    ("line-strong", "surface"), ("line-strong", "paper"), ("focus", "surface"), ("focus", "paper"), ("brand", "surface"),
    ("bad", "surface"),
]  # fmt: skip


def colours(scheme: str) -> dict[str, str]:
    """The colours of a scheme by name."""
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", dark))
    return found


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """The ratio, 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (CONTROLS, 3.0)], ids=["text", "controls"])
def test_contrast(scheme: str, pairs: list[tuple[str, str]], least: float) -> None:
    found = colours(scheme)
    low = {f"{a} on {b}": round(contrast(found[a], found[b]), 2) for a, b in pairs if contrast(found[a], found[b]) < least}
    assert not low


def test_every_colour_exists_in_both_schemes() -> None:
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    names = [set(re.findall(r"--([a-z0-9-]+): #", part)) for part in (light, dark)]
    assert names[0] == names[1]


ROOT = Path(__file__).resolve().parents[2]
PORTAL = ("portal", "capture", "details", "mine", "phone", "status")


def classes_in_use() -> set[str]:
    """Every word that a page, a script or a view may put into a class attribute."""
    pages = "".join(page.read_text() for page in (ROOT / "webapp" / "templates").glob("**/*.html"))
    given = re.findall(r'class="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"', pages, re.S)
    given += re.findall(r"\{% block tone %\}(.*?)\{% endblock %\}", pages, re.S)
    scripts = "".join(file.read_text() for file in (ROOT / "static" / "js").glob("*.js"))
    given += re.findall(r'"([^"\n]*)"', scripts)
    return {word for text in given for word in re.findall(r"[\w-]+", text)}


@pytest.mark.parametrize("name", PORTAL)
def test_every_rule_is_for_something_that_exists(name: str) -> None:
    rules = re.sub(r"/\*.*?\*/", "", (ROOT / "static" / "css" / f"{name}.css").read_text(), flags=re.S)
    named = set(re.findall(r"\.([a-zA-Z][\w-]*)", "".join(re.findall(r"([^{}]+)\{", rules))))
    assert not named - classes_in_use()


def test_no_rule_stands_in_two_files() -> None:
    """A button or a notice looks the same on every page: whoever needs it finds it in portal.css."""
    seen: dict[str, str] = {}
    twice = []
    for name in PORTAL:
        text = (ROOT / "static" / "css" / f"{name}.css").read_text()
        rules = re.sub(r"/\*.*?\*/|@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text, flags=re.S)
        for selector in (one.strip() for line in re.findall(r"([^{}]+)\{", rules) for one in line.split(",")):
            if seen.setdefault(selector, name) != name:
                twice.append((selector, seen[selector], name))
    assert not twice
