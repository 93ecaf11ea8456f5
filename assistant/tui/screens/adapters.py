"""The trained adapters on this machine: what each is worth, which are in use, and switching them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from assistant.tui.keys import ADAPTER_KEYS, bindings
from assistant.tui.ports import AdaptersPort
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.listing import ListScreen
from assistant.tui.widgets import adapter_lines as lines
from assistant.tui.widgets.answer import Answer

if TYPE_CHECKING:
    from assistant.adapters.keeper import Kept, Switched


class AdaptersScreen(ListScreen[None]):
    """A list of adapters above all that is known of the marked one.

    ``compare`` is called with the name of an adapter to be tried side by side, ``train`` to get to the
    trainings; ``remapped`` are the user's own keys. The adapter named ``marked`` for the model that
    answers now is marked first.
    """

    BINDINGS = bindings(ADAPTER_KEYS)
    HEADING, SECTION = "Adapters", "adapters"

    def __init__(
        self,
        adapters: AdaptersPort,
        compare: Callable[[str], None],
        remapped: Mapping[str, str] | None = None,
        *,
        train: Callable[[], None] | None = None,
        marked: str = "",
    ) -> None:
        super().__init__(remapped)
        self._adapters = adapters
        self._compare = compare
        self._train = train
        self._wanted = marked
        self._kept: Sequence[Kept] = ()
        self._marked: Kept | None = None
        self.body.update(Content(lines.NONE_HERE))
        self._facts = Static("", markup=False)
        self._scores = Static("", markup=False, classes="scores")
        self._data = Static("", markup=False, classes="data")
        self._card = Answer()
        self.details = VerticalScroll(self._facts, self._scores, self._data, self._card)

    def on_mount(self) -> None:
        """Read in the background."""
        self.action_read()

    # -- reading ---------------------------------------------------------------------------------

    def action_read(self) -> None:
        """Read everything, again if it was read before."""
        self._do(self._read())

    async def _read(self) -> None:
        self._kept = await asyncio.to_thread(self._adapters.all)
        before = self._marked
        same = [one for one in self._kept if before and one.card.folder == before.card.folder]
        asked = [one for one in self._kept if one.current and one.card.name == self._wanted]
        here = [one for one in self._kept if one.current and one.in_use]
        self._marked = next(iter((*same, *asked, *here, *self._kept)), None)
        self.say(lines.counts_of(self._kept))
        self.draw()
        await self._draw_card()
        if self._kept and not self.details.has_focus:
            self.list.focus()

    # -- drawing ---------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw list and details; before anything was read there is nothing to draw."""
        self._draw_footer()
        self.body.display = not self._kept and not self._busy
        self.list.display = self.details.display = bool(self._kept)
        width = self.room
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
        self._scores.update(lines.score_lines(kept.card.run, self.room))
        data = lines.data_lines(kept.card.run)
        self._data.display = bool(data.plain)
        self._data.update(data)

    async def _draw_card(self) -> None:
        await self._card.settle(self._marked.readme if self._marked else "")

    def _draw_footer(self) -> None:
        """Name the keys, as many as there is room for, and how to get back."""
        key = self.key
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
        self.name_keys(
            [part for part in parts if part] if self._kept else [f"{key('train')} train"]
        )

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
            self._do(self._switch(lambda: self._adapters.promote(kept.card), kept), doing)

    def action_off(self) -> None:
        """Use no adapter for the task of the marked one."""
        if kept := self._meant():
            base, task = kept.card.base, kept.card.task
            self._do(self._switch(lambda: self._adapters.switch_off(base, task), kept))

    def action_rollback(self) -> None:
        """Go back to what was in use for the task before."""
        if kept := self._meant():
            base, task = kept.card.base, kept.card.task
            self._do(self._switch(lambda: self._adapters.rollback(base, task), kept))

    def action_verify(self) -> None:
        """Check the marked adapter in full."""
        if kept := self._meant():
            self._do(self._verify(kept), f"checking {kept.card.name}…")

    def action_delete(self) -> None:
        """Delete the marked adapter after asking, if it is the user's own."""
        kept = self._meant()
        if kept is None:
            return
        if not kept.card.own:
            name = f"{kept.card.name} ships with the program and stays."
            self.note(f"{self.key('off')} does without it.", name, "warning")
            return
        self._do(self._delete(kept))

    def action_compare(self) -> None:
        """Try the marked adapter side by side with the model alone."""
        kept = self._meant()
        if kept is None:
            return
        if not kept.current:
            title = f"{kept.card.name} is for another model."
            self.note(f"/model {kept.card.base} changes to that one.", title, "warning")
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
        self.note(said, title)
        await self._read()

    async def _verify(self, kept: Kept) -> None:
        found = await asyncio.to_thread(self._adapters.verify, kept.card)
        notes = "".join(f" Not compared: {note}." for note in found.notes)
        said = f"{found.tensors} tensors, checksum {found.sha256[:16]}….{notes}"
        self.note(said, f"{kept.card.name} is in order")

    async def _delete(self, kept: Kept) -> None:
        detail = "Its files are gone for good."
        if kept.in_use:
            detail += " It is in use: what was in use before it will be again."
        screen = ConfirmScreen(f"Delete {kept.card.name}?", detail, "Delete")
        if not await self.app.push_screen_wait(screen):
            return
        self.say("deleting…")
        await asyncio.to_thread(self._adapters.remove, kept.card)
        self.note("", f"{kept.card.name} is gone")
        await self._read()

    def _meant(self) -> Kept | None:
        """Return the marked adapter, unless something is being done already."""
        return None if self._busy else self._marked

    def _do(self, work: Coroutine[Any, Any, None], doing: str = "") -> None:
        """Do something, and say meanwhile what; nothing while something else is being done."""
        if doing and not self._busy:
            self.say(doing)
        self.work(work)

    def settle(self) -> None:
        """Draw what may have changed."""
        self.say(lines.counts_of(self._kept))
        self._draw_footer()
        self.body.display = not self._kept


def _group(kept: Kept) -> tuple[str, str]:
    return kept.card.base, kept.card.task
