"""The looks: calm and dark, calm and light, highest contrast. Textual's own themes stay in the palette too."""

from __future__ import annotations

from textual.theme import Theme

CALM = Theme(
    name="mutua",
    dark=True,
    primary="#7fb4ca",
    secondary="#9a9ac2",
    accent="#e0c088",
    foreground="#d5dbe1",
    background="#10151b",
    surface="#161c24",
    panel="#1f2832",
    success="#9cc98a",
    warning="#e0c088",
    error="#e8828a",
    variables={"footer-key-foreground": "#e0c088", "border": "#34414e", "block-cursor-text-style": "bold"},
)

LIGHT = Theme(
    name="mutua-light",
    dark=False,
    primary="#22627c",
    secondary="#54548c",
    accent="#7a4f00",
    foreground="#1d2630",
    background="#f7f5f0",
    surface="#efece4",
    panel="#e3dfd4",
    success="#2c6b2f",
    warning="#7a4f00",
    error="#a3202c",
    variables={"footer-key-foreground": "#7a4f00", "border": "#b9b2a2", "block-cursor-text-style": "bold"},
)

CONTRAST = Theme(
    name="mutua-contrast",
    dark=True,
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#0b3d91",
    success="#00ff66",
    warning="#ffff00",
    error="#ff8080",
    variables={
        "footer-key-foreground": "#ffff00",
        "border": "#ffffff",
        "block-cursor-background": "#ffff00",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#333300",
        "block-cursor-text-style": "bold underline",
        "text-muted": "#ffffff",
        "foreground-muted": "#ffffff",
    },
)

THEMES = (CALM, LIGHT, CONTRAST)
