"""From judgements to examples: answers to give, answers that are better, answers that were wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from assistant.store.preferences import Candidate, Preference, pairs
from assistant.training.example_types import Asked, Judged, PreferencePair, SftExample, example
from assistant.training.judgements import Word, language_of
from assistant.types import Feedback


def target(word: Word) -> Iterator[SftExample]:
    """Yield the answer that was wanted, if there is one."""
    if word.wanted is not None:
        yield example(SftExample, _asked(word, f"f{word.number}"), target=word.wanted)


def correction(word: Word) -> Iterator[PreferencePair]:
    """Yield what the user wrote over the answer that it corrects."""
    if word.wanted is not None and word.unwanted is not None:
        yield _pair(_asked(word, f"f{word.number}"), word.wanted, word.unwanted)


def judged(word: Word) -> Iterator[Judged]:
    """Yield each answer that was judged; of a corrected turn there are two."""
    for answer, desirable in ((word.unwanted, False), (word.wanted, True)):
        if answer is not None:
            asked = _asked(word, f"f{word.number}-{'good' if desirable else 'bad'}")
            yield example(Judged, asked, answer=answer, desirable=desirable)


def regenerations(words: Sequence[Word]) -> Iterator[PreferencePair]:
    """Yield answers rated good over answers rated bad to the same message in the same place.

    An answer that was asked for again has the same text and the same turn before it. Each of them is in
    a pair: the bad ones with the last good one, the good ones with the last bad one.
    """
    places: dict[tuple[str | None, str, str, str | None], list[Word]] = {}
    for word in words:
        if not word.written:
            place = (word.conversation_id, word.task, word.input.strip(), word.context)
            places.setdefault(place, []).append(word)
    for answers in places.values():
        good = [word for word in answers if word.wanted is not None]
        bad = [word for word in answers if word.wanted is None]
        if not good or not bad:
            continue
        for better, worse in (
            *((good[-1], one) for one in bad),
            *((one, bad[-1]) for one in good[:-1]),
        ):
            if (better.wanted or "").strip() != (worse.unwanted or "").strip():
                yield _regenerated(better, worse)


def side_by_side(
    preferences: Sequence[Preference], feedback: Iterable[Feedback]
) -> list[PreferencePair]:
    """Return what was chosen between two answers, over the other one.

    A choice knows only its turn; of which conversation that is stands in the feedback on it, if any.
    """
    places = {item.turn_id: item.snapshot.get("conversation_id") for item in feedback}
    found = []
    for pair in pairs(preferences):
        about = pair.preference
        place = places.get(about.turn_id or "")
        asked = Asked(
            id=f"p{about.id}",
            task=about.task,
            input=about.text,
            labels=_labels(about.left, about.right) if about.task == "classification" else (),
            lang=language_of(about.text, about.task),
            preference_ids=(about.id,),
            conversation_id=place if isinstance(place, str) else None,
            created_at=about.created_at,
            asked_at=about.created_at,
            messages=pair.prompt,
        )
        found.append(_pair(asked, pair.chosen, pair.rejected))
    return found


def _asked(word: Word, name: str) -> Asked:
    return Asked(
        id=name,
        task=word.task,
        input=word.input,
        context=word.context,
        labels=word.labels,
        lang=word.lang,
        feedback_ids=word.feedback_ids,
        conversation_id=word.conversation_id,
        created_at=word.created_at,
        asked_at=word.asked_at,
        messages=word.messages,
    )


def _pair(asked: Asked, chosen: str, rejected: str) -> PreferencePair:
    return example(PreferencePair, asked, chosen=chosen, rejected=rejected)


def _regenerated(better: Word, worse: Word) -> PreferencePair:
    asked = replace(
        _asked(better, f"f{better.number}-f{worse.number}"),
        feedback_ids=tuple(sorted({*better.feedback_ids, *worse.feedback_ids})),
        created_at=max(better.created_at, worse.created_at),
        asked_at=max(better.asked_at, worse.asked_at),
    )
    return _pair(asked, better.wanted or "", worse.unwanted or "")


def _labels(*sides: Candidate) -> tuple[str, ...]:
    return next((tuple(side.probabilities) for side in sides if side.probabilities), ())
