"""``assistant refine``: from feedback to a candidate adapter, through the gate, and into use or not."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import (
    json_option,
    note,
    open_store,
    print_json,
    stop_on_interrupt,
    user_settings,
)
from assistant.cli.train_steps import lower_priority
from assistant.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.config import Settings
    from assistant.evaluation.gate import Decision, Row
    from assistant.paths import Paths
    from assistant.training.material import Material
    from assistant.training.runs import RunFolder

_REFUSED = 3


@click.command("refine")
@click.argument("task", metavar="[TASK|all]", default="all")
@click.option("-m", "--model", help="Base model; default: that of the settings.")
@click.option(
    "--method",
    type=click.Choice(["sft", "dpo", "kto"]),
    help="How it learns; default: what fits the feedback.",
)
@click.option(
    "--max-minutes",
    type=click.FloatRange(0, min_open=True),
    default=15.0,
    show_default=True,
    help="Train about so long at most, each task.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every choice."
)
@click.option(
    "--include-flagged",
    is_flag=True,
    help="Also use feedback that `assistant feedback review` warns of.",
)
@click.option(
    "--resume", metavar="RUN", help="Go on with a refinement that was stopped, or `last`."
)
@click.option(
    "--priority",
    type=click.Choice(["low", "normal"]),
    default="low",
    show_default=True,
    help="Towards other programs on the machine.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be used, and stop there.")
@json_option
def command(task: str, **given: Any) -> None:
    """Make the adapter of a TASK better by your feedback, if it measurably does.

    A third of your feedback is held out for good. A candidate is trained on the rest, from the adapter in
    use, and put to use only if it answers the held-out part better and the shipped check no worse. Else
    it is refused (exit 3); the table says why. Ctrl+C saves the state; --resume goes on.
    """
    if given["priority"] == "low":
        lower_priority()
    with stop_on_interrupt() as stop:
        results = _Command(given, stop).run(task)
    if given["as_json"]:
        print_json(results)
    if any(one["decision"] == "refused" for one in results):
        click.get_current_context().exit(_REFUSED)


@dataclass(frozen=True, slots=True)
class _Command:
    given: Mapping[str, Any]
    stop: threading.Event

    def run(self, task: str) -> list[dict[str, Any]]:
        """Refine one task or all that there is enough feedback on; return what came of each."""
        from assistant.paths import user_paths
        from assistant.training.enough import ALL, REFINABLE, checked
        from assistant.training.runs import find_run

        paths = user_paths()
        if self.given["resume"]:
            run = find_run(paths, self.given["resume"])
            asked = run.settings()
            if "refine" not in asked:
                raise UsageError(
                    f"The run {run.id} is a training.", f"assistant train --resume {run.id}"
                )
            return [self._resumed(run, asked, paths)]
        if task == ALL and self.given["method"]:
            raise UsageError(
                "--method goes with one task.",
                f"Name it: assistant refine {REFINABLE[0]} --method …",
            )
        user = user_settings(model=self.given["model"])
        found = self._material([*REFINABLE] if task == ALL else [checked(task)])
        ready = {name: one for name, one in found.items() if not one.lacks}
        for name, one in found.items():
            if one.lacks and (task != ALL or one.trained or one.held_out):
                note(f"{name}: too little feedback yet: {one.lacks}.")
        if not ready and task == ALL:
            note("There is not enough feedback on any task. Rate and correct answers as you chat.")
        results = [
            _result(name, one, "too_little_feedback") for name, one in found.items() if one.lacks
        ]
        for name, one in ready.items():
            results.append(self._one(name, one, user, paths))
        return results

    def _material(self, tasks: list[str]) -> dict[str, Material]:
        from assistant.training.examples import collect
        from assistant.training.material import material

        with open_store() as store:
            found = collect(
                store.feedback(),
                store.preferences(),
                include_flagged=self.given["include_flagged"],
            )
        return {task: material(task, found, self.given["method"]) for task in tasks}

    def _one(self, task: str, found: Material, user: Settings, paths: Paths) -> dict[str, Any]:
        from assistant.cli.refine_view import print_material
        from assistant.cli.train_parent import parent_in_use
        from assistant.training.refining import Wish, prepare, replay_count
        from assistant.training.runs import new_run

        using = parent_in_use(task, user.model, paths)
        card, shape = (using[0], using[1].shape) if using else (None, {})
        name = card.name if card else None
        print_material(found, replay_count(found), name)
        if self.given["dry_run"]:
            return _result(task, found, "dry_run", parent=name)
        run = new_run(paths, task)
        wish = Wish(task, user.model, self.given["max_minutes"], self.given["seed"])
        request = prepare(run, wish, found, paths, card, shape)
        about = {
            "method": found.method,
            "why": found.why,
            "trained": len(found.trained),
            "held_out": len(found.held_out),
            "flagged": found.flagged,
            "feedback_ids": list(found.feedback_ids),
            "conversation_ids": list(found.conversation_ids),
            "measured_conversation_ids": list(found.measured_conversation_ids),
        }
        run.write_settings({"request": request.as_json(), "hashes": {}, "refine": about})
        return self._resumed(run, run.settings(), paths)

    def _resumed(self, run: RunFolder, asked: Mapping[str, Any], paths: Paths) -> dict[str, Any]:
        """Do what is left of a run: the training, the measuring, the decision."""
        from assistant.training.job import TrainRequest

        state = run.state()
        if "decision" in state:
            raise UsageError(
                f"The refinement {run.id} is decided: {state['decision']}.",
                "Start another one: assistant refine",
            )
        request = TrainRequest.from_json(asked["request"])
        user = user_settings(model=request.model)
        card = self._candidate(run, request, asked["refine"], user, paths)
        rows, decision = self._gate(run, card, user)
        return self._decided(run, card, rows, decision, asked["refine"], paths)

    def _candidate(
        self,
        run: RunFolder,
        request: Any,
        about: Mapping[str, Any],
        user: Settings,
        paths: Paths,
    ) -> Card:
        """Return the candidate; where it is not there yet it is trained first."""
        from assistant.adapters.names import base_folder
        from assistant.adapters.registry import Registry
        from assistant.cli.train_steps import train_and_install
        from assistant.training.refining import told_of_feedback

        done = run.state().get("adapter")
        if done:
            return Registry(paths).find(str(done), base_folder(request.model))
        try:
            card = train_and_install(request, run, user, paths, self.stop)
        except Cancelled as error:
            raise Cancelled(error.message, _again(run)) from error
        return told_of_feedback(card, about)

    def _gate(self, run: RunFolder, card: Card, user: Settings) -> tuple[list[Row], Decision]:
        from assistant.cli.refine_view import measuring
        from assistant.evaluation.gate import decide
        from assistant.training.gating import Gauge
        from assistant.wiring import make_session

        note(f"Measuring {card.name} beside what answers now")
        run.write_state(state="running", adapter=card.name)
        try:
            with open_store() as store, measuring() as progress:
                session = make_session(user, store=store)
                gauge = Gauge(
                    card.task,
                    run.path,
                    session.planner,
                    session.loader.get(self.stop),
                    store,
                    progress,
                    self.stop,
                )
                rows = gauge.rows(card.name)
        except (Cancelled, KeyboardInterrupt) as error:
            run.write_state(state="stopped")
            raise Cancelled(
                f"Stopped while {card.name} was measured; nothing is lost.",
                _again(run),
            ) from error
        return rows, decide(rows)

    def _decided(
        self,
        run: RunFolder,
        card: Card,
        rows: list[Row],
        decision: Decision,
        about: Mapping[str, Any],
        paths: Paths,
    ) -> dict[str, Any]:
        from assistant.adapters.registry import Registry
        from assistant.cli.refine_view import print_decision
        from assistant.training.refining import put_to_use, record_decision, table

        record_decision(card, rows, decision)
        put_to_use(Registry(paths), card, decision)
        word = "promoted" if decision.promote else "refused"
        run.write_state(state="done", decision=word, reasons=list(decision.reasons))
        if not self.given["as_json"]:
            print_decision(card, rows, decision)
        return {
            "task": card.task,
            "run": run.id,
            **about,
            "candidate": card.name,
            "parent": card.run.parent,
            "table": table(rows),
            "decision": word,
            "reasons": list(decision.reasons),
        }


def _again(run: RunFolder) -> str:
    return f"Go on with: assistant refine --resume {run.id}"


def _result(task: str, found: Material, decision: str, **more: Any) -> dict[str, Any]:
    return {
        "task": task,
        "method": found.method,
        "why": found.why,
        "trained": len(found.trained),
        "held_out": len(found.held_out),
        "flagged": found.flagged,
        "feedback_ids": list(found.feedback_ids),
        **more,
        "decision": decision,
    }
