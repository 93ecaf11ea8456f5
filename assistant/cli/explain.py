"""``assistant explain``: why a turn was answered as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, open_store, print_json, reasons_as_dict
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.router.router import Reasons
    from assistant.store.store import Store
    from assistant.types import Turn


@click.command("explain")
@click.argument("turn_id")
@click.option("--stored", is_flag=True, help="Only what was stored: load no model, read nothing.")
@json_option
def command(turn_id: str, stored: bool, as_json: bool) -> None:
    """Say why this route and why this strategy. TURN_ID may be 'last' or the id's beginning.

    The turn is read again with its model, to find which words spoke for the task and which against.
    """
    from assistant.classification import unsure
    from assistant.explain import explain_turn
    from assistant.sanitize import clean

    with open_store() as store:
        turn = store.turn(turn_id)
        reasons = None if stored else _reasons(store, turn)
    if not as_json:
        click.echo(clean(explain_turn(turn, reasons)))
        return
    found = reasons_as_dict(reasons) if reasons else None
    print_json(
        {
            "turn_id": turn.id,
            "route": None
            if turn.route is None
            else {
                "task": turn.route.task,
                "confidence": turn.route.confidence,
                "scores": turn.route.scores,
                "source": turn.route.source,
            },
            "route_parts": found["parts"] if found else None,
            "route_lessons": found["lessons"] if found else None,
            "strategy": turn.choice.strategy if turn.choice else None,
            "strategy_reason": turn.choice.reason if turn.choice else None,
            "adapter": turn.choice.adapter if turn.choice else None,
            "model": turn.model,
            "prompt_version": turn.prompt_version,
            "probabilities": turn.probabilities,
            "model_probabilities": turn.choice.model_labels if turn.choice else None,
            "unsure": unsure(turn.probabilities) if turn.probabilities is not None else None,
            "sent": [{"role": m.role, "content": m.content} for m in turn.sent],
        }
    )


def _reasons(store: Store, turn: Turn) -> Reasons | None:
    """Return why the router takes the turn as it does; ``None`` where its model is not here."""
    from assistant.cli.common import user_settings
    from assistant.wiring import make_session

    if turn.route is None or turn.route.source == "forced":
        return None
    session = make_session(user_settings(model=turn.model or None), store=store)
    if turn.route.source != "light":
        try:
            session.loader.get()
        except AssistantError as error:
            note(f"Read without the model, by its words alone: {error.message}")
    return session.reasons(turn)
