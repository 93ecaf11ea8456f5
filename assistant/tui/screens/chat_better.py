"""The part of the chat screen that asks, after an answer was given again, which of the two is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.tui.asking import Asking
from assistant.tui.screens.chat_judging import JudgingPart
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.store.preferences import Verdict
    from assistant.store.undo import Undone

_OPTIONS = ("the earlier one", "this one", "both good", "both bad", "see both")
_VERDICTS: tuple[Verdict, ...] = ("left", "right", "both_good", "both_bad")


class BetterPart(JudgingPart):
    """Stores the choice as a preference, the earlier answer on the left, and brings that back if it won."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        # The preferences that brought an earlier answer back: which turn it is, and which it hid.
        self._exchanged: dict[int, tuple[str, str]] = {}

    async def offer_choice(self, asking: Asking, turn: Turn) -> None:
        """Ask which answer is better, where there are two to the same request."""
        if not asking.again or asking.replaces is None or asking.chat is not self.chat:
            return
        earlier = await self.off_screen(self.needed_session().store.turn, asking.replaces)
        if not _comparable(earlier, turn) or self.desk.running is not None:
            return
        if earlier.answer.strip() == turn.answer.strip():
            self.quiet.say("It says the same as before.")
            return
        self.ask_quietly(
            "",
            "Which is better?",
            _OPTIONS,
            lambda place: self.background(self._picked(earlier, turn, place), "screen"),
        )

    async def _picked(self, earlier: Turn, turn: Turn, place: int) -> None:
        verdict = _VERDICTS[place] if place < len(_VERDICTS) else await self._see(earlier, turn)
        if verdict is None:
            return
        async with self.judging:
            session = self.needed_session()
            kept = earlier if verdict == "left" else turn
            made = await self.off_screen(session.prefer, earlier, turn, verdict, turn_id=kept.id)
            if verdict == "left":
                await self._exchange(turn.id, earlier.id)
                self._exchanged[made.id] = (earlier.id, turn.id)
        said = {
            "left": "Noted: the earlier answer is better, and stands here again.",
            "right": "Noted: this answer is better than the one before.",
            "both_good": "Noted: both are good.",
            "both_bad": "Noted: both are bad.",
        }[verdict]
        self.quiet.say(f"{said} {self.how_to_undo}", "⇄", "$text-accent")

    async def _see(self, earlier: Turn, turn: Turn) -> Verdict | None:
        from assistant.tui.screens.pick import PickScreen

        remapped = getattr(self.app, "remapped", {})
        return await self.app.push_screen_wait(PickScreen(earlier, turn, remapped))

    async def _exchange(self, hidden: str, shown: str) -> None:
        """Let one of two answers stand in place of the other."""
        store = self.needed_session().store
        await self.off_screen(store.hide_turn, hidden)
        await self.off_screen(store.unhide_turn, shown)
        self.reload()

    async def took_back(self, found: Undone) -> None:
        """Let the newer answer stand again when the choice of the earlier one was taken back."""
        from assistant.store.preferences import Preference

        if found.what == "added" and isinstance(found.item, Preference):
            turns = self._exchanged.pop(found.item.id, None)
            if turns is not None:
                await self._exchange(*turns)


def _comparable(earlier: Turn, turn: Turn) -> bool:
    """Return whether both came to their end as answers to the same task."""
    if not all(
        one.state == "done" and one.choice and one.answer.strip() for one in (earlier, turn)
    ):
        return False
    tasks = {one.route.task if one.route else None for one in (earlier, turn)}
    return len(tasks) == 1
