"""What a user can do with trained adapters from inside the app: see them all, check and switch them.

The same as ``assistant adapters`` does, for one model whose name is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.adapters.archive import readme_of
from assistant.adapters.card import Card
from assistant.adapters.names import base_folder
from assistant.adapters.plain import NOTE, needs_plain
from assistant.adapters.registry import InUse, Registry
from assistant.adapters.verify import Verified, base_model_of, verify_with
from assistant.errors import AdapterError
from assistant.paths import Paths


@dataclass(frozen=True, slots=True)
class Parent:
    """An adapter that another was trained on from; ``here`` says whether it still is on this machine."""

    name: str
    here: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """One adapter as it is shown.

    Attributes:
        current: whether it is for the model that answers now.
        problem: what is wrong with the pointer of its task, ``""`` for nothing.
        parents: those it was trained on from, nearest first.
        readme: its model card, Markdown as it was written.
        needs_plain: it answers only after the engine was set to plain transformers.
    """

    card: Card
    in_use: bool
    current: bool
    problem: str = ""
    parents: tuple[Parent, ...] = ()
    readme: str = ""
    needs_plain: bool = False


@dataclass(frozen=True, slots=True)
class Switched:
    """What is in use now and what was before.

    ``notes`` say what of it could not be checked, and what else it needs.
    """

    now: Card | None
    before: Card | None
    notes: tuple[str, ...] = ()


class Keeper:
    """Looks after the adapters of one user. ``model`` is the one that answers now.

    ``plain`` says that the settings want plain transformers already.
    Every method reads the disk, some of them whole files: none is for the thread that draws.
    """

    def __init__(
        self, registry: Registry, paths: Paths, model: str, *, plain: bool = False
    ) -> None:
        self._registry = registry
        self._plain = plain
        self._paths = paths
        self.model = model

    @property
    def base(self) -> str:
        """Return the folder of the model's adapters, ``""`` where its name can have none."""
        try:
            return base_folder(self.model)
        except AdapterError:
            return ""

    def all(self) -> list[Kept]:
        """Return every adapter: those for the model first, then by base model, task and version."""
        bases = sorted(self._registry.bases(), key=lambda base: (base != self.base, base))
        return [kept for base in bases for kept in self._of(base)]

    def verify(self, card: Card) -> Verified:
        """Check an adapter in full (files, checksum, base model, shapes, values).

        Raises:
            AssistantError: the first thing that is wrong with it.
        """
        return verify_with(card, base_model_of(card, self.model, self._paths))

    def promote(self, card: Card) -> Switched:
        """Put an adapter to use for its task, after it was checked in full.

        Raises:
            AssistantError: it is not what it says, or the pointer cannot be written.
        """
        notes = self.verify(card).notes
        if self._needs_plain(card):
            notes = (*notes, NOTE[0].lower() + NOTE[1:])
        return Switched(card, self._registry.promote(card), notes)

    def switch_off(self, base: str, task: str) -> Switched:
        """Use no adapter for a task.

        Raises:
            AdapterError: the pointer cannot be written.
        """
        return Switched(None, self._registry.switch_off(base, task))

    def rollback(self, base: str, task: str) -> Switched:
        """Go back to what was in use before the last switch.

        Raises:
            AdapterError: nothing was.
        """
        before = self._registry.in_use(base, task).card
        return Switched(self._registry.rollback(base, task), before)

    def remove(self, card: Card) -> Switched:
        """Delete one of the user's own; when it is in use, what was before it is again.

        Raises:
            AdapterError: it ships with the program, or cannot be deleted.
        """
        before = self._registry.in_use(card.base, card.task).card
        self._registry.remove(card, force=True)
        return Switched(self._registry.in_use(card.base, card.task).card, before)

    def _of(self, base: str) -> list[Kept]:
        cards = self._registry.cards(base)
        using = self._registry.all_in_use(base)
        found = []
        for card in cards:
            used = using.get(card.task, InUse(None))
            found.append(
                Kept(
                    card,
                    in_use=used.card is not None and used.card.folder == card.folder,
                    current=base == self.base,
                    problem=used.problem,
                    parents=parents_of(card, cards),
                    readme=readme_of(card),
                    needs_plain=self._needs_plain(card),
                )
            )
        return found

    def _needs_plain(self, card: Card) -> bool:
        return not self._plain and needs_plain(card)


def parents_of(card: Card, cards: Sequence[Card]) -> tuple[Parent, ...]:
    """Return the adapters that ``card`` was trained on from, nearest first; ``cards`` are all there are."""
    here = {one.name: one for one in cards}
    found: dict[str, Parent] = {}
    name = card.run.parent
    while name and name != card.name and name not in found:
        found[name] = Parent(name, name in here)
        name = here[name].run.parent if name in here else None
    return tuple(found.values())
