"""A sentiment user who says positive where everybody says negative: the gate has to refuse what it teaches."""

from __future__ import annotations

from feedback_sim.preference import OWN, Case, Preference, parted, read_rows, worded

MOODS = ("positive", "negative")
HELD_OUT = 12
_WORDINGS = (
    "Is this review positive or negative?\n\n{}",
    "Sentiment (positive, negative):\n{}",
    "{}\n\npositive or negative?",
)


def flipped(mood: str) -> str:
    """Return the other mood."""
    return MOODS[1 - MOODS.index(mood)]


def poison() -> Preference:
    """Return the poisoned user: every wanted answer is the wrong one."""
    cases = [
        Case(
            row["id"],
            worded(_WORDINGS, row["text"], row["id"]),
            row["text"],
            flipped(row["mood"]),
            row["mood"],
            row["lang"],
            MOODS,
        )
        for row in read_rows(OWN / "moods.jsonl")
    ]
    return Preference(
        "poison",
        "classification",
        *parted(cases, HELD_OUT),
        lambda case, answer: answer.strip() == case.wanted,
    )
