"""What the user has to look at before it is trained on or leaves the program, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from assistant.training import contradictions
from assistant.training.contradictions import Overruled
from assistant.training.example_types import Flagged, FlagKind, PreferencePair
from assistant.training.judgements import Word
from assistant.training.secrets import Finding, findings
from assistant.types import Message

Place = tuple[str, str | None]


def flagged_words(words: Sequence[Word]) -> list[Flagged]:
    """Return what is the matter with judgements of turns; one may have several flags."""
    found = []
    usable = []
    for word in words:
        here = (("input", word.input), ("answer", word.wanted), ("answer", word.unwanted))
        private = _private([*here, ("turn before", word.context), *_prompt(word.messages)])
        if private:
            found.append(_flag(word, "secret", private))
        wrong = _without_label(word)
        if wrong:
            found.append(_flag(word, "labels", wrong))
        else:
            usable.append(word)
    for one in contradictions.among_words(usable):
        found.append(_flag(one.item, "contradiction", _why(one)))
    return found


def flagged_pairs(chosen: Sequence[PreferencePair]) -> list[Flagged]:
    """Return what is the matter with side-by-side choices."""
    found = []
    for one in chosen:
        here = (("input", one.input), ("answer", one.chosen), ("answer", one.rejected))
        private = _private([*here, *_prompt(one.messages)])
        if private:
            found.append(
                Flagged("secret", private, one.task, one.input, None, one.preference_ids[0])
            )
    for over in contradictions.among_pairs(chosen):
        item, other = over.item, over.other
        reason = f"Choice {other.preference_ids[0]} between the same answers says the opposite" + (
            ", and it is newer: that one is used." if over.clear else "."
        )
        flag = Flagged("contradiction", reason, item.task, item.input, None, item.preference_ids[0])
        found.append(flag)
    return found


def _flag(word: Word, kind: FlagKind, reason: str) -> Flagged:
    return Flagged(kind, reason, word.task, word.input, word.number)


def _private(places: Iterable[Place]) -> str:
    """Return a sentence on all that should stay private, ``""`` where there is nothing."""
    seen: dict[Finding, str] = {}
    for place, text in places:
        for finding in findings(text or ""):
            seen.setdefault(finding, place)
    if not seen:
        return ""
    said = [f"{one.kind} in the {place} ({one.shown})" for one, place in seen.items()]
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _prompt(messages: Sequence[Message]) -> Iterator[Place]:
    """Yield what was sent: earlier turns go along with it, and out with an export."""
    return (("prompt", message.content) for message in messages)


def _without_label(word: Word) -> str:
    if word.task != "classification":
        return ""
    if len(word.labels) < 2:
        return "The labels to choose from are not known: name them in the request."
    if word.wanted is not None and word.wanted not in word.labels:
        return f"“{_cut(word.wanted)}” is none of its labels ({_cut(', '.join(word.labels))})."
    return ""


def _why(found: Overruled[Word]) -> str:
    """Say what other judgement stands against this one, and which of them is used."""
    item, other = found.item, found.other
    answer, before = item.wanted or item.unwanted or "", other.wanted or other.unwanted or ""
    both = item.wanted is not None and other.wanted is not None
    if both:
        said = f"“{_cut(answer)}” here, “{_cut(before)}” in feedback {other.number}"
    else:
        said = f"“{_cut(answer)}” was wanted once and once not (feedback {other.number})"
    if not found.clear:
        why = "which of them came last is not clear, so neither is used"
    elif other.written and not item.written:
        why = "that one is used, because you wrote it"
    else:
        why = "that one is used, because it is newer"
    return f"The same request has two verdicts: {said}; {why}."


def _cut(text: str, most: int = 40) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
