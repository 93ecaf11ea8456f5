"""Two calm themes of our own; all of Textual's can be chosen as well."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="assistant-dark",
    primary="#7fb0d6",
    secondary="#93a5b4",
    accent="#d9b26f",
    success="#93bb7d",
    warning="#d9b26f",
    error="#dd7f76",
    foreground="#d9dce1",
    background="#15181d",
    surface="#1b1f25",
    panel="#242931",
    dark=True,
    variables={"dim": "#868e99"},
)

LIGHT = Theme(
    name="assistant-light",
    primary="#2c6592",
    secondary="#5b6b78",
    accent="#96660f",
    success="#3f7028",
    warning="#96660f",
    error="#a93b32",
    foreground="#2a2d32",
    background="#fcfbf8",
    surface="#f5f3ee",
    panel="#eae7e0",
    dark=False,
    variables={"dim": "#6f747b"},
)

DEFAULTS = {"dim": "#85898f"}
"""Variables of ours that other themes lack: a grey that can be read on dark and on light."""

_SHORT = {"auto": DARK.name, "dark": DARK.name, "light": LIGHT.name}


def full_name(name: str) -> str:
    """Return the theme that ``dark``, ``light`` or a full name stands for."""
    return _SHORT.get(name, name)
