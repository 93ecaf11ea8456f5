"""Texts that were classified, and the labels that the user wants for them or let stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from assistant.store.connection import Connection

NEWEST = 400
"""Classified turns that are looked at; with the years there will be thousands."""

Said = Literal["corrected", "good", "unsaid"]

# The last correction of a turn counts, else its last rating; a rating after a correction is of the latter.
_CLASSIFIED = """
SELECT turns.id, asked.content AS text, answered.content AS answer, probabilities, hidden,
       json_extract(shots, '$.model_labels') AS model_labels,
       (SELECT correction FROM feedback WHERE turn_id = turns.id AND correction NOTNULL
        ORDER BY id DESC LIMIT 1) AS correction,
       (SELECT rating FROM feedback WHERE turn_id = turns.id AND rating NOTNULL
        ORDER BY id DESC LIMIT 1) AS rating,
       (SELECT route FROM feedback WHERE turn_id = turns.id AND route NOTNULL
        ORDER BY id DESC LIMIT 1) AS route, task
FROM turns
JOIN messages AS asked ON asked.turn_id = turns.id AND asked.role = 'user'
JOIN messages AS answered ON answered.turn_id = turns.id AND answered.role = 'assistant'
WHERE turns.state = 'done' AND probabilities NOTNULL AND json_valid(shots)
ORDER BY turns.id DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A classified turn.

    Attributes:
        text: the whole turn, as it was written.
        label: the one that the user wants; ``said`` tells whether they wrote it, rated it good, or saw it and
            said nothing.
        model: what the model alone said: one probability a label of the set.
    """

    text: str
    label: str
    model: Mapping[str, float]
    said: Said


def labelled(db: Connection) -> list[LabelledText]:
    """Return the newest classified turns, oldest first, without those that were rated bad and not corrected."""
    found = []
    for row in db.rows(_CLASSIFIED, (NEWEST,)):
        said: Said
        if row["correction"]:
            said = "corrected"
        elif row["rating"] == "bad" or row["route"] not in (None, row["task"]):
            continue
        elif row["rating"] == "good":
            said = "good"
        elif not row["hidden"]:
            said = "unsaid"
        else:
            continue  # another answer was asked for
        model = _chances(row["model_labels"]) or _chances(row["probabilities"])
        if model:
            label = (row["correction"] or row["answer"] or "").strip()
            found.append(LabelledText(row["text"], label, model, said))
    return found[::-1]


def _chances(text: str | None) -> dict[str, float]:
    value = json.loads(text) if text else None
    return {str(label): float(chance) for label, chance in value.items()} if value else {}
