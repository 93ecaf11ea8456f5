"""The trained adapters on this machine: what each is worth, which are in use, and switching them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.errors import as_shown
from assistant.tui.keys import ADAPTER_KEYS, bindings, shown_key
from assistant.tui.ports import AdaptersPort
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.widgets import adapter_lines as lines
from assistant.tui.widgets.answer import Answer
from assistant.tui.wording import one_line

if TYPE_CHECKING:
    from assistant.adapters.keeper import Kept, Switched

_log = logging.getLogger(__name__)
_EDGE = 5
"""Columns at the sides that no line can use: padding and the scroll bar."""


class AdaptersScreen(Screen[None]):
    """A list of adapters above all that is known of the marked one.

    ``compare`` is called with the name of an adapter to be tried side by side, ``train`` to get to the
    trainings; ``remapped`` are the user's own keys. The adapter named ``marked`` for the model that
    answers now is marked first.
    """

    BINDINGS = bindings(ADAPTER_KEYS)

    def __init__(
        self,
        adapters: AdaptersPort,
        compare: Callable[[str], None],
        remapped: Mapping[str, str] | None = None,
        *,
        train: Callable[[], None] | None = None,
        marked: str = "",
    ) -> None:
        super().__init__()
        self._adapters = adapters
        self._compare = compare
        self._train = train
        self._wanted = marked
        self._remapped = remapped or {}
        self._kept: Sequence[Kept] = ()
        self._marked: Kept | None = None
        self._busy = False
        self._title = Static("", markup=False, classes="bar")
        self._footer = Static("", markup=False, classes="bar")
        self._body = Static(lines.NONE_HERE, markup=False, classes="none")
        self.list = OptionList(markup=False)
        self._facts = Static("", markup=False)
        self._scores = Static("", markup=False, classes="scores")
        self._data = Static("", markup=False, classes="data")
        self._card = Answer()
        self.details = VerticalScroll(self._facts, self._scores, self._data, self._card)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._body
        yield self.list
        yield self.details
        yield self._footer

    def on_mount(self) -> None:
        """Read in the background."""
        self._body.display = self.details.display = False
        self._say("reading…")
        self.action_read()

    def on_resize(self, event: events.Resize) -> None:
        """Lay everything out for the new width."""
        self.set_class(event.size.width < 80, "narrow")
        self._draw()

    # -- reading ---------------------------------------------------------------------------------

    def action_read(self) -> None:
        """Read everything, again if it was read before."""
        self._work(self._read(), "read")

    async def _read(self) -> None:
        self._kept = await asyncio.to_thread(self._adapters.all)
        before = self._marked
        same = [one for one in self._kept if before and one.card.folder == before.card.folder]
        asked = [one for one in self._kept if one.current and one.card.name == self._wanted]
        here = [one for one in self._kept if one.current and one.in_use]
        self._marked = next(iter((*same, *asked, *here, *self._kept)), None)
        self._say(lines.counts_of(self._kept))
        self._draw()
        await self._draw_card()
        if self._kept and not self.details.has_focus:
            self.list.focus()

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw list and details; before anything was read there is nothing to draw."""
        self._draw_footer()
        self._body.display = not self._kept and not self._busy
        self.list.display = self.details.display = bool(self._kept)
        width = self.app.size.width - _EDGE
        options: list[Option] = []
        for _, members in groupby(enumerate(self._kept), key=lambda at: _group(at[1])):
            group = list(members)
            options += [Option("", disabled=True)] if options else []
            options.append(Option(lines.heading(group[0][1]), disabled=True))
            options += [Option(lines.line_of(one, width), id=f"a{at}") for at, one in group]
        with self.prevent(OptionList.OptionHighlighted):
            self.list.set_options(options)
            if self._marked in self._kept:
                place = self._kept.index(self._marked)
                self.list.highlighted = self.list.get_option_index(f"a{place}")
        self._draw_details()

    def _draw_details(self) -> None:
        kept = self._marked
        if kept is None:
            return
        self._facts.update(lines.facts(kept))
        self._scores.update(lines.score_lines(kept.card.run, self.app.size.width - _EDGE))
        data = lines.data_lines(kept.card.run)
        self._data.display = bool(data.plain)
        self._data.update(data)

    async def _draw_card(self) -> None:
        await self._card.settle(self._marked.readme if self._marked else "")

    def _say(self, text: str) -> None:
        name = Content.styled("Adapters", "$foreground bold")
        right = Content.styled(one_line(text), "$dim")
        gap = max(2, self.app.size.width - 4 - name.cell_length - right.cell_length)
        self._title.update(Content.assemble(name, " " * gap, right))

    def _draw_footer(self) -> None:
        """Name the keys, as many as there is room for, and how to get back."""
        key = self._key
        own = self._marked is not None and self._marked.card.own
        parts = [
            f"{key('promote')} use",
            f"{key('off')} off",
            f"{key('rollback')} roll back",
            f"{key('verify')} verify",
            f"{key('compare')} compare",
            f"{key('delete')} delete" if own else "",
            f"{key('train')} train",
            "Tab read on",
            f"{key('read')} read again",
        ]
        last = f"{key('close')} back"
        if not self._kept:
            self._footer.update(Content.styled(f"{key('train')} train · {last}", "$dim"))
            return
        room = self.app.size.width - 4 - len(last)
        said = ""
        for part in filter(None, parts):
            if len(said) + len(part) + 3 <= room:
                said += f"{part} · "
        self._footer.update(Content.styled(said + last, "$dim"))

    def _key(self, name: str) -> str:
        shown = shown_key(f"adapters.{name}", self._remapped)
        return shown.lower() if len(shown) == 1 else shown

    async def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the details of the marked adapter."""
        event.stop()
        if event.option_id is not None:
            self._marked = self._kept[int(event.option_id[1:])]
            self._draw_details()
            self._draw_footer()
            self.details.scroll_home(animate=False)
            await self._draw_card()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand the keys to the details, to read on."""
        event.stop()
        self.details.focus()

    # -- working ---------------------------------------------------------------------------------

    def action_promote(self) -> None:
        """Put the marked adapter to use, once it was checked."""
        if kept := self._meant():
            doing = f"checking {kept.card.name}…"
            self._work(self._switch(lambda: self._adapters.promote(kept.card), kept), doing)

    def action_off(self) -> None:
        """Use no adapter for the task of the marked one."""
        if kept := self._meant():
            base, task = kept.card.base, kept.card.task
            self._work(self._switch(lambda: self._adapters.switch_off(base, task), kept), "off")

    def action_rollback(self) -> None:
        """Go back to what was in use for the task before."""
        if kept := self._meant():
            base, task = kept.card.base, kept.card.task
            self._work(self._switch(lambda: self._adapters.rollback(base, task), kept), "back")

    def action_verify(self) -> None:
        """Check the marked adapter in full."""
        if kept := self._meant():
            self._work(self._verify(kept), f"checking {kept.card.name}…")

    def action_delete(self) -> None:
        """Delete the marked adapter after asking, if it is the user's own."""
        kept = self._meant()
        if kept is None:
            return
        if not kept.card.own:
            name = f"{kept.card.name} ships with the program and stays."
            self._note(f"{self._key('off')} does without it.", name, "warning")
            return
        self._work(self._delete(kept), "delete")

    def action_compare(self) -> None:
        """Try the marked adapter side by side with the model alone."""
        kept = self._meant()
        if kept is None:
            return
        if not kept.current:
            title = f"{kept.card.name} is for another model."
            self._note(f"/model {kept.card.base} changes to that one.", title, "warning")
            return
        self._compare(kept.card.name)

    def action_train(self) -> None:
        """Go to the trainings instead."""
        if self._train is not None:
            self.dismiss(None)
            self._train()

    async def _switch(self, change: Callable[[], Switched], kept: Kept) -> None:
        found = await asyncio.to_thread(change)
        title, said = lines.switched(found, kept.card.task)
        self._note(said, title)
        await self._read()

    async def _verify(self, kept: Kept) -> None:
        found = await asyncio.to_thread(self._adapters.verify, kept.card)
        notes = "".join(f" Not compared: {note}." for note in found.notes)
        said = f"{found.tensors} tensors, checksum {found.sha256[:16]}….{notes}"
        self._note(said, f"{kept.card.name} is in order")

    async def _delete(self, kept: Kept) -> None:
        detail = "Its files are gone for good."
        if kept.in_use:
            detail += " It is in use: what was in use before it will be again."
        screen = ConfirmScreen(f"Delete {kept.card.name}?", detail, "Delete")
        if not await self.app.push_screen_wait(screen):
            return
        self._say("deleting…")
        await asyncio.to_thread(self._adapters.remove, kept.card)
        self._note("", f"{kept.card.name} is gone")
        await self._read()

    def _meant(self) -> Kept | None:
        """Return the marked adapter, unless something is being done already."""
        return None if self._busy else self._marked

    def _work(self, work: Coroutine[Any, Any, None], doing: str) -> None:
        """Do one thing at a time without holding up the screen; its errors are shown, never raised."""
        if self._busy:
            work.close()
            return
        self._busy = True
        if doing.endswith("…"):
            self._say(doing)
        self.run_worker(self._guarded(work), group="adapters", exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as raised:  # the boundary of the worker
            if not isinstance(raised, AssistantError):
                _log.exception("Adapters: something failed unexpectedly")
            error = as_shown(raised)
            self._note(error.hint or error.message, error.message if error.hint else "", "error")
        finally:
            self._busy = False
            self._say(lines.counts_of(self._kept))
            self._draw_footer()
            self._body.display = not self._kept

    def _note(
        self,
        text: str,
        title: str,
        severity: Literal["information", "warning", "error"] = "information",
    ) -> None:
        timeout = 5 if severity == "information" else 9
        self.notify(
            clean(text), title=clean(title), severity=severity, timeout=timeout, markup=False
        )

    def action_leave(self) -> None:
        """Back to the chat."""
        self.dismiss(None)


def _group(kept: Kept) -> tuple[str, str]:
    return kept.card.base, kept.card.task
