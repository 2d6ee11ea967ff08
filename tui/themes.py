"""The looks: calm and dark, calm and light, highest contrast. Textual's own themes stay in the palette too."""

from __future__ import annotations

from typing import Any

from textual.theme import Theme

NAMES = "primary", "secondary", "accent", "foreground", "background", "surface", "panel", "success", "warning", "error"


def _theme(name: str, colours: str, *, dark: bool = True, **variables: str) -> Theme:
    """Return a theme of colours in the order of NAMES; keys in the footer have that of the accent."""
    given: dict[str, Any] = dict(zip(NAMES, colours.split(), strict=True))
    named = {key.replace("_", "-"): value for key, value in variables.items()}
    words = {"footer-key-foreground": given["accent"], "block-cursor-text-style": "bold", **named}
    return Theme(name, **given, dark=dark, variables=words)


CALM = _theme(
    "mutua", "#7fb4ca #9a9ac2 #e0c088 #d5dbe1 #10151b #161c24 #1f2832 #9cc98a #e0c088 #e8828a", border="#34414e"
)
LIGHT = _theme(
    "mutua-light",
    "#22627c #54548c #7a4f00 #1d2630 #f7f5f0 #efece4 #e3dfd4 #2c6b2f #7a4f00 #a3202c",
    dark=False,
    border="#b9b2a2",
)
CONTRAST = _theme(
    "mutua-contrast",
    "#ffffff #ffffff #ffff00 #ffffff #000000 #000000 #0b3d91 #00ff66 #ffff00 #ff8080",
    border="#ffffff",
    block_cursor_background="#ffff00",
    block_cursor_foreground="#000000",
    block_cursor_blurred_background="#333300",
    block_cursor_text_style="bold underline",
    text_muted="#ffffff",
    foreground_muted="#ffffff",
)

THEMES = (CALM, LIGHT, CONTRAST)
