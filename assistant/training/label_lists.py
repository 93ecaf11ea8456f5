"""Lists of labels as they stand in requests: found and exchanged in place."""

from __future__ import annotations

import re
from collections.abc import Sequence

_JOINT = (
    r"(?:\s*(?:[,，、;；/|]|\n)\s*(?:[-*•]\s+)?(?:(?:or|and|oder|ou|o|y|et|und)\s+)?"
    r"|\s+(?:or|and|oder|ou|o|y|et|und|vs\.?)\s+|还是|或者?|和)"
)


def exchanged(text: str, labels: Sequence[str], new: Sequence[str]) -> str | None:
    """Return ``text`` with the list of ``labels`` in it replaced by ``new``, ``None`` where it has none.

    What stands between the labels is kept: commas, line breaks, "or".
    """
    found = list_in(text, labels)
    if found is None:
        return None
    pattern = _any_of(labels)
    joints = re.split(pattern, found.group())[1:-1]
    # With two labels only the last joint is known: "a or b"; more need commas.
    comma = joints[0] if len(joints) > 1 else _comma(joints[0])
    between = [comma] * (len(new) - 2) + [joints[-1]]
    listed = new[0] + "".join(joint + label for joint, label in zip(between, new[1:], strict=True))
    return text[: found.start()] + listed + text[found.end() :]


def list_in(text: str, labels: Sequence[str]) -> re.Match[str] | None:
    """Return where ``text`` lists exactly these labels, in any order."""
    if len(labels) < 2:
        return None
    one = _any_of(labels)
    matches = re.finditer(f"{one}(?:{_JOINT}{one}){{{len(labels) - 1}}}", text)
    return next((m for m in matches if len(set(re.findall(one, m.group()))) == len(labels)), None)


def _comma(joint: str) -> str:
    if not re.search(r"\w", joint):
        return joint
    return ", " if joint.isascii() else "、"


def _any_of(labels: Sequence[str]) -> str:
    longest_first = sorted(labels, key=len, reverse=True)
    return "(?:" + "|".join(_whole(label) for label in longest_first) + ")"


def _whole(label: str) -> str:
    left = r"(?<![A-Za-z0-9_])" if label[:1].isascii() and label[:1].isalnum() else ""
    right = r"(?![A-Za-z0-9_])" if label[-1:].isascii() and label[-1:].isalnum() else ""
    return left + re.escape(label) + right
