"""Stop strings, found while a text comes piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assistant.engine.stop_text import StopText


def fed(stops: Sequence[str], pieces: Sequence[str]) -> tuple[list[str], bool]:
    text = StopText(stops)
    shown = []
    for piece in pieces:
        shown.append(text.feed(piece))
        if text.stopped:
            break
    return [*shown, text.flush()], text.stopped


@pytest.mark.parametrize(
    ("stops", "pieces", "shown", "stopped"),
    [
        ([], ["ab", "c"], "abc", False),
        ([""], ["ab", "c"], "abc", False),
        (["END"], ["abENDcd"], "ab", True),
        (["END"], ["abE", "N", "Dcd"], "ab", True),
        (["END"], ["abE", "Nx", "EN"], "abENxEN", False),
        (["aab"], ["a", "a", "a", "b", "c"], "a", True),
        (["\n\n", "User:"], ["x\nUse", "r: y\n\n"], "x\n", True),
        (["late", "b"], ["abclate"], "a", True),
    ],
)
def test_stop_strings(stops: list[str], pieces: list[str], shown: str, stopped: bool) -> None:
    out, ended = fed(stops, pieces)
    assert ("".join(out), ended) == (shown, stopped)


def test_text_is_held_back_only_as_long_as_it_could_begin_a_stop_string() -> None:
    assert fed(["END"], ["abE", "x", "N"]) == (["ab", "Ex", "N", ""], False)
