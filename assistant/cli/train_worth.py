"""The end of ``assistant train``: the new adapter measured, told of, and put to use where it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note, open_store, print_json
from assistant.errors import Cancelled

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.config import Settings
    from assistant.training.job import Job
    from assistant.training.runs import RunFolder
    from assistant.training.train import Outcome
    from assistant.training.worth import Worth

_REFUSED = 3


@dataclass(frozen=True, slots=True)
class Finish:
    """What is left to do with a trained adapter. ``given`` are the command's flags."""

    given: Mapping[str, Any]
    job: Job
    user: Settings
    stop: Event

    def run(self, run: RunFolder, card: Card, outcome: Outcome) -> None:
        """Measure the adapter, promote it if asked to, and print what came out.

        Exits with 3 when it was to be promoted and is not better.

        Raises:
            Cancelled: it was stopped while it was measured; the adapter is there.
        """
        from assistant.cli.train_view import duration, print_worth

        note(
            f"{card.name}: {outcome.steps} steps in {duration(outcome.seconds)}, "
            f"{card.size / 1e6:.1f} MB, in {card.folder}"
        )
        worth = self._measured(card)
        if worth is not None and not self.given["as_json"]:
            print_worth(worth)
        promoted = self._promote(card, worth)
        if self.given["as_json"]:
            print_json(_report(run, card, outcome, worth, promoted))
        if self.given["promote"] and not promoted:
            click.get_current_context().exit(_REFUSED)

    @property
    def _needs_plain(self) -> bool:
        """Whether the adapter needs plain transformers where the lean engine would be used."""
        from assistant.adapters.plain import LEAN
        from assistant.cli.common import lean_in_use

        return self.job.settings.technique not in LEAN and lean_in_use(self.user)

    def _measured(self, card: Card) -> Worth | None:
        if self.given["no_eval"] or not any(one.rows for one in self.job.dev):
            return None
        from assistant.training.install import add_scores

        note("Measuring it beside zero-shot and few-shot")
        user = self.user
        if self._needs_plain:
            technique = self.job.settings.technique
            note(f"{technique} needs plain transformers: all three ways are measured there.")
            user = user.model_copy(update={"engine": "plain"})
        try:
            worth = self._measure(card, user)
        except Cancelled as error:
            raise Cancelled(
                f"Stopped; the adapter {card.name} is there, but was not measured.",
                f"Measure it: assistant eval --adapter {card.name} -t {card.task} --data FILE",
            ) from error
        add_scores(card, worth.scores)
        return worth

    def _measure(self, card: Card, user: Settings) -> Worth:
        from assistant.cli.eval import _bar
        from assistant.training.worth import measure
        from assistant.wiring import make_session

        with open_store() as store, _bar() as progress:
            session = make_session(user, store=store)
            return measure(
                self.job.dev,
                card.name,
                session.planner,
                session.loader.get(self.stop),
                store,
                limit=self.given["eval_limit"],
                seed=self.job.settings.seed,
                progress=progress,
                stop=self.stop,
            )

    def _promote(self, card: Card, worth: Worth | None) -> bool:
        from assistant.adapters.registry import Registry

        if not self.given["promote"]:
            note(f"To use it: assistant adapters promote {card.name}")
            self._tell_of_plain()
            return False
        if worth is None or not worth.beats_few_shot:
            why = (
                "it was not measured"
                if worth is None
                else f"{worth.gain:+.1f} points over few-shot"
            )
            note(f"{card.name} is not put to use: {why}.")
            return False
        Registry(self.job.paths).promote(card)
        note(f"{card.name} is in use now ({worth.gain:+.1f} points over few-shot).")
        self._tell_of_plain()
        return True

    def _tell_of_plain(self) -> None:
        from assistant.adapters.plain import NOTE

        if self._needs_plain:
            note(NOTE)


def _report(
    run: RunFolder, card: Card, outcome: Outcome, worth: Worth | None, promoted: bool
) -> dict[str, object]:
    return {
        "run": run.id,
        "adapter": card.name,
        "folder": str(card.folder),
        "bytes": card.size,
        "steps": outcome.steps,
        "best_step": outcome.best_step,
        "dev_loss": outcome.dev_loss,
        "seconds": round(outcome.seconds, 1),
        "tokens": outcome.tokens,
        "tokens_per_s": round(outcome.tokens / outcome.seconds, 1) if outcome.seconds else 0.0,
        "scores": {name: asdict(one) for name, one in worth.scores.items()} if worth else {},
        "over_few_shot": round(worth.gain, 2) if worth else None,
        "promoted": promoted,
    }
