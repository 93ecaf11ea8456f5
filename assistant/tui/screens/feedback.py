"""Everything that was judged: looked through, filtered, corrected, deleted, taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.store.judged import KINDS, Counts, Judged, Wanted, line_from
from assistant.store.preferences import VERDICTS, Preference, Verdict
from assistant.tui.errors import as_shown
from assistant.tui.keys import FEEDBACK_KEYS, bindings, digits, shown_key
from assistant.tui.ports import JudgedPort
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.screens.line import LineScreen
from assistant.tui.widgets import feedback_lines as lines
from assistant.tui.wording import one_line, shown_text
from assistant.types import REASONS, Feedback, Rating

_log = logging.getLogger(__name__)
_PAGE = 100
"""Lines that are read at a time."""
_AHEAD = 25
"""More are read when so few are left below the marked one."""
_WIDE = 110
"""From so many columns on, the marked one stands beside the list."""
_EDGE = 5
_PAUSE_S = 0.12

_NOTHING_YET = """\
Nothing was judged yet.

In the chat, one key each:

  F3 good
  F4 bad, then a digit says why
  F5 answer again, then a digit says which is better; so does /compare
  F6 write what it should have been
  F7 say which task it was

All of it stands here then, to be looked through and changed."""
_NO_SUCH = "Nothing of this kind."


class FeedbackScreen(Screen[str]):
    """A list of judgements, newest first, and all of the marked one; gives back a turn to go to.

    ``changed`` tells afterwards whether anything was changed. ``now`` is asked for the time when days
    are written.
    """

    BINDINGS = bindings(FEEDBACK_KEYS) + digits("digit")

    def __init__(
        self,
        store: JudgedPort,
        now: Callable[[], datetime],
        remapped: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._store = store
        self._now = now
        self._remapped = remapped or {}
        self.changed = False
        self.wanted = Wanted()
        self.rows: list[Judged] = []
        self.item: Feedback | Preference | None = None
        self._counts: Counts | None = None
        self._whole = False
        self._more = False
        self._working = asyncio.Lock()
        self._title = Static("", markup=False, classes="bar")
        self._said = Static("", markup=False, classes="said")
        self._footer = Static("", markup=False, classes="bar keys")
        self._none = Static("", markup=False, classes="none")
        self.search = Input(placeholder="Words to look for", select_on_focus=False)
        self.list = OptionList(markup=False)
        self._text = Static("", markup=False)
        self.details = VerticalScroll(self._text)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self.search
        yield self._none
        yield Container(self.list, self.details, id="judged")
        yield self._said
        yield self._footer

    def on_mount(self) -> None:
        """Read in the background."""
        self.search.display = self._none.display = self._said.display = False
        self.list.focus()
        self._draw_title("reading…")
        self._draw_footer()
        self.read()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the list out for the new width."""
        self.set_class(event.size.width >= _WIDE, "wide")
        self.set_class(event.size.width < 80, "narrow")
        if self._counts is not None:
            self._draw_title(lines.summary(self.wanted, self._counts))
            self._draw_list()
        self._draw_footer()

    # -- reading ---------------------------------------------------------------------------------

    def read(self, marked: str | None = None) -> None:
        """Read from the top, at least as far as before; ``marked`` goes to one by its name."""
        self.run_worker(
            self._guarded(self._read(marked)), group="read", exclusive=True, exit_on_error=False
        )

    async def _read(self, marked: str | None) -> None:
        wanted, size = self.wanted, max(_PAGE, len(self.rows))
        rows, counts = await asyncio.to_thread(
            lambda: (self._store.judged(wanted, limit=size), self._store.judged_counts(wanted))
        )
        name = marked or (self.marked.name if self.marked is not None else "")
        place = self.list.highlighted or 0
        self.rows, self._counts = list(rows), counts
        self._whole = len(rows) < size
        names = [row.name for row in self.rows]
        at = names.index(name) if name in names else min(place, len(names) - 1)
        self._draw_title(lines.summary(wanted, counts))
        self._draw_list(at)
        self._read_item()

    def _read_more(self) -> None:
        if not (self._whole or self._more):
            self._more = True
            self.run_worker(self._guarded(self._append()), group="more", exit_on_error=False)

    async def _append(self) -> None:
        wanted, last = self.wanted, self.rows[-1]
        try:
            rows = await asyncio.to_thread(
                lambda: self._store.judged(wanted, limit=_PAGE, after=last)
            )
        finally:
            self._more = False
        if wanted == self.wanted and self.rows and self.rows[-1] == last:
            self._whole = len(rows) < _PAGE
            self.rows += rows
            self.list.add_options(self._options(rows))

    def _read_item(self) -> None:
        self.run_worker(
            self._guarded(self._show_item()), group="item", exclusive=True, exit_on_error=False
        )

    async def _show_item(self) -> None:
        row = self.marked
        item = None
        if row is not None:
            item = await asyncio.to_thread(self._store.judgement, row.name)
        self._show(item)

    def _show(self, item: Feedback | Preference | None) -> None:
        same = item is not None and self.item is not None and item.id == self.item.id
        self.item = item
        self._text.update(lines.details(item, self._now()) if item is not None else Content(""))
        if not same:
            self.details.scroll_home(animate=False)
        self._draw_footer()

    @property
    def marked(self) -> Judged | None:
        """The line that is marked."""
        place = self.list.highlighted
        return self.rows[place] if place is not None and place < len(self.rows) else None

    @property
    def _room(self) -> int:
        """Columns of a line of the list: all but padding and the scroll bar."""
        width = self.app.size.width
        return (width // 2 if width >= _WIDE else width) - _EDGE

    # -- drawing ---------------------------------------------------------------------------------

    def _draw_list(self, at: int | None = None) -> None:
        place = self.list.highlighted if at is None else at
        with self.prevent(OptionList.OptionHighlighted):
            self.list.set_options(self._options(self.rows))
            self.list.highlighted = place if self.rows else None
        none = self._counts is not None and not self.rows
        looked = self.wanted != Wanted()
        self._none.update(Content(_NO_SUCH if looked else self._nothing_yet()))
        self._none.display = none
        self.query_one("#judged").display = not none
        if none and not self.search.has_focus:
            self.set_focus(None)
        elif self.focused is None:
            self.list.focus()

    def _nothing_yet(self) -> str:
        text = _NOTHING_YET
        for digit, name in ((3, "good"), (4, "bad"), (5, "again"), (6, "fix"), (7, "task")):
            text = text.replace(f"F{digit} ", f"{shown_key(f'answer.{name}', self._remapped)} ")
        return text

    def _options(self, rows: Sequence[Judged]) -> list[Option]:
        width, now = self._room, self._now()
        return [Option(lines.line_of(row, width, now)) for row in rows]

    def _draw_title(self, text: str) -> None:
        name = Content.styled("Feedback", "$foreground bold")
        room = self.app.size.width - 4 - name.cell_length
        right = Content.styled(one_line(text), "$dim").truncate(max(8, room - 2), ellipsis=True)
        gap = " " * max(2, room - right.cell_length)
        self._title.update(Content.assemble(name, gap, right))

    def _draw_footer(self) -> None:
        """Name the keys: of the marked one first, then those of the list; narrow, on two lines."""
        key, item = self._key, self.item
        own = [
            f"{key('open')} chat" if item is not None and item.turn_id else "",
            f"{key('correct')} correct" if isinstance(item, Feedback) else "",
            f"{key('good')} good · {key('bad')} bad" if item is not None else "",
            self._digits(),
            f"{key('comment')} comment" if item is not None else "",
            f"{key('delete')} delete" if item is not None else "",
        ]
        whole = [
            f"{key('undo')} undo",
            f"{key('task')} task · {key('kind')} kind · {key('search')} search",
            "Tab read on" if item is not None else "",
        ]
        last = f"{key('close')} back"
        room = self.app.size.width - 4
        told = " · ".join(filter(None, [*own, *whole, last]))
        if len(told) > room:
            on_two = _fitting(own, "", room), _fitting(whole, last, room)
            told = "\n".join(filter(None, on_two))
        self._footer.update(Content.styled(told, "$dim"))

    def _digits(self) -> str:
        """Return what digits do with the marked judgement."""
        if isinstance(self.item, Preference):
            return "1–4 choose"
        return "1–9 why" if self.item is not None and self.item.rating == "bad" else ""

    def _key(self, name: str) -> str:
        shown = shown_key(f"feedback.{name}", self._remapped)
        return shown.lower() if len(shown) == 1 else shown

    def _tell(self, text: str) -> None:
        """Say in a quiet line what was done."""
        self._said.update(Content(one_line(text)))
        self._said.display = bool(text)

    # -- moving about ----------------------------------------------------------------------------

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the marked one whole, and read on before the end of the list comes."""
        event.stop()
        self._tell("")
        self._read_item()
        if event.option_index >= len(self.rows) - _AHEAD:
            self._read_more()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the conversation."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Leave for the conversation of the marked judgement."""
        row = self.marked
        if row is not None and row.turn_id is not None:
            self.dismiss(row.turn_id)
        elif row is not None:
            self._tell("These answers were compared outside of any chat.")

    def action_task(self) -> None:
        """Show only the next task, after the last one all again."""
        wheel = ["", *(self._counts.tasks if self._counts is not None else ())]
        at = wheel.index(self.wanted.task) if self.wanted.task in wheel else 0
        self._want(replace(self.wanted, task=wheel[(at + 1) % len(wheel)]))

    def action_kind(self) -> None:
        """Show only the next kind, after the last one all again."""
        wheel = [None, *KINDS]
        at = wheel.index(self.wanted.kind)
        self._want(replace(self.wanted, kind=wheel[(at + 1) % len(wheel)]))

    def _want(self, wanted: Wanted) -> None:
        self.wanted, self.rows = wanted, []
        self.list.highlighted = None
        self.read()

    def action_search(self) -> None:
        """Write what to look for."""
        self.search.display = True
        self.search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for it while it is typed."""
        event.stop()
        self.run_worker(
            self._guarded(self._look(event.value)),
            group="look",
            exclusive=True,
            exit_on_error=False,
        )

    async def _look(self, typed: str) -> None:
        await asyncio.sleep(_PAUSE_S)
        if typed.strip() != self.wanted.search:
            self._want(replace(self.wanted, search=typed.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the list."""
        event.stop()
        self._leave_search()

    def _leave_search(self) -> None:
        self.search.display = bool(self.search.value.strip())
        self.set_focus(self.list if self.rows else None)

    def action_read(self) -> None:
        """Read everything again."""
        self._tell("")
        self.read()

    def action_leave(self) -> None:
        """Out of the search line, else back to the chat."""
        if self.search.has_focus:
            self._leave_search()
        else:
            self.dismiss(None)

    # -- changing --------------------------------------------------------------------------------

    def action_rate(self, rating: Rating) -> None:
        """Rate the answer; of two answers, both."""
        self._work(partial(self._rate, rating))

    async def _rate(self, rating: Rating, item: Feedback | Preference) -> None:
        if isinstance(item, Preference):
            await self._choose(item, "both_good" if rating == "good" else "both_bad")
            return
        why = ""
        if rating == "bad":
            named = (f"{n} {lines.reason_words(reason)}" for n, reason in enumerate(REASONS, 1))
            why = f" Why?  {'  '.join(named)}"
        changed = await asyncio.to_thread(self._store.edit_feedback, item.id, {"rating": rating})
        self._took(changed, f"Rated {rating}. {self._how_to_undo()}{why}")

    def action_digit(self, digit: int) -> None:
        """Say why a bad answer was bad, or choose between two answers."""
        self._work(partial(self._digit, digit))

    async def _digit(self, digit: int, item: Feedback | Preference) -> None:
        if isinstance(item, Preference):
            if digit <= len(VERDICTS):
                await self._choose(item, VERDICTS[digit - 1])
        elif digit <= len(REASONS):
            if item.rating != "bad":
                self._tell(f"Only a bad answer has a reason: {self._key('bad')} rates it bad.")
                return
            reason = REASONS[digit - 1]
            changed = await asyncio.to_thread(
                self._store.edit_feedback, item.id, {"reason": reason}
            )
            self._took(changed, f"Bad: {lines.reason_words(reason)}. {self._how_to_undo()}")

    async def _choose(self, item: Preference, choice: Verdict) -> None:
        changed = await asyncio.to_thread(self._store.edit_preference, item.id, {"choice": choice})
        self._took(changed, f"Chosen: {lines.CHOICES[changed.choice]}. {self._how_to_undo()}")

    def action_correct(self) -> None:
        """Write what the answer should have been."""
        self._work(self._correct)

    async def _correct(self, item: Feedback | Preference) -> None:
        if not isinstance(item, Feedback):
            self._tell("There is nothing to correct in a choice between two answers.")
            return
        answer = shown_text(item.snapshot.get("answer"))
        before = answer if item.correction is None else item.correction
        about = shown_text(item.snapshot.get("user_text"))
        text = await self.app.push_screen_wait(EditorScreen(about, before))
        if text is None or text == clean(before).strip():
            return
        changed = await asyncio.to_thread(self._store.edit_feedback, item.id, {"correction": text})
        words = lines.changes_in_words(answer, text)
        self._took(changed, f"Corrected: {words}. {self._how_to_undo()}")

    def action_comment(self) -> None:
        """Write a comment, or take it out."""
        self._work(self._comment)

    async def _comment(self, item: Feedback | Preference) -> None:
        screen = LineScreen("Comment", item.comment or "", may_be_empty=True)
        text = await self.app.push_screen_wait(screen)
        if text is None or text == (item.comment or ""):
            return
        changed: Feedback | Preference
        if isinstance(item, Feedback):
            changed = await asyncio.to_thread(
                self._store.edit_feedback, item.id, {"comment": text or None}
            )
        else:
            changed = await asyncio.to_thread(
                self._store.edit_preference, item.id, {"comment": text or None}
            )
        self._took(changed, f"Comment {'saved' if text else 'taken out'}. {self._how_to_undo()}")

    def action_delete(self) -> None:
        """Delete the marked judgement after asking."""
        self._work(self._delete)

    async def _delete(self, item: Feedback | Preference) -> None:
        what = ", ".join(part.plain for part in lines.said(item))
        detail = f"“{one_line(line_from(item).text)[:120]}”\n{self._how_to_undo()}"
        if not await self.app.push_screen_wait(ConfirmScreen(f"Delete: {what}?", detail, "Delete")):
            return
        remove = (
            self._store.remove_feedback
            if isinstance(item, Feedback)
            else self._store.remove_preference
        )
        await asyncio.to_thread(remove, item.id)
        self.changed = True
        self._tell(f"Deleted. {self._how_to_undo()}")
        self.read()

    def action_undo(self) -> None:
        """Take back what was done last, here or in the chat; again goes further back."""
        self.run_worker(self._in_turn(self._undo), group="work", exit_on_error=False)

    async def _undo(self) -> None:
        found = await asyncio.to_thread(self._store.undo_feedback)
        if found is None:
            self._tell("There is nothing to take back.")
            return
        self.changed = True
        self._tell(f"{lines.undone(found)} {self._key('undo')} goes further back.")
        self.read(None if found.what == "added" else line_from(found.item).name)

    def _took(self, item: Feedback | Preference, text: str) -> None:
        """Show a changed judgement in its place; only reading again sorts it out of a filter."""
        self.changed = True
        row = line_from(item)
        names = [one.name for one in self.rows]
        if row.name in names:
            place = names.index(row.name)
            self.rows[place] = row
            line = lines.line_of(row, self._room, self._now())
            self.list.replace_option_prompt_at_index(place, line)
        if self.marked is row:
            self._show(item)
        self._tell(text)
        self.run_worker(self._guarded(self._count()), group="count", exclusive=True)

    async def _count(self) -> None:
        wanted = self.wanted
        counts = await asyncio.to_thread(self._store.judged_counts, wanted)
        if wanted == self.wanted:
            self._counts = counts
            self._draw_title(lines.summary(wanted, counts))

    def _how_to_undo(self) -> str:
        return f"{self._key('undo')} takes it back."

    # -- working ---------------------------------------------------------------------------------

    def _work(self, work: Callable[[Feedback | Preference], Coroutine[Any, Any, None]]) -> None:
        """Do something with what is marked now."""
        row = self.marked
        if row is not None:
            self.run_worker(
                self._in_turn(partial(self._with, row, work)), group="work", exit_on_error=False
            )

    async def _with(
        self, row: Judged, work: Callable[[Feedback | Preference], Coroutine[Any, Any, None]]
    ) -> None:
        """Read a judgement anew (it may have just been changed) and work on it."""
        await work(await asyncio.to_thread(self._store.judgement, row.name))

    async def _in_turn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do one thing after the other without holding up the screen."""
        async with self._working:
            await self._guarded(work())

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as raised:  # the boundary of the worker
            if not isinstance(raised, AssistantError):
                _log.exception("Feedback: something failed unexpectedly")
            error = as_shown(raised)
            self._note(error.hint or error.message, error.message if error.hint else "", "error")

    def _note(
        self, text: str, title: str, severity: Literal["information", "warning", "error"]
    ) -> None:
        self.notify(clean(text), title=clean(title), severity=severity, timeout=9, markup=False)


def _fitting(parts: Sequence[str], last: str, room: int) -> str:
    """Return as many of ``parts`` in a line as there is room for, and ``last`` in any case."""
    told = last
    kept: list[str] = []
    for part in filter(None, parts):
        longer = " · ".join(filter(None, [*kept, part, last]))
        if len(longer) <= room:
            kept, told = [*kept, part], longer
    return told
