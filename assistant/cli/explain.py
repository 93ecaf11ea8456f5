"""``assistant explain``: why a turn was answered as it was."""

from __future__ import annotations

import click

from assistant.cli.common import json_option, open_store, print_json


@click.command("explain")
@click.argument("turn_id")
@json_option
def command(turn_id: str, as_json: bool) -> None:
    """Say why this route and why this strategy. TURN_ID may be 'last' or the id's beginning."""
    from assistant.explain import explain_turn
    from assistant.sanitize import clean

    with open_store() as store:
        turn = store.turn(turn_id)
    if not as_json:
        click.echo(clean(explain_turn(turn)))
        return
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
            "strategy": turn.choice.strategy if turn.choice else None,
            "strategy_reason": turn.choice.reason if turn.choice else None,
            "adapter": turn.choice.adapter if turn.choice else None,
            "model": turn.model,
            "prompt_version": turn.prompt_version,
            "probabilities": turn.probabilities,
            "sent": [{"role": m.role, "content": m.content} for m in turn.sent],
        }
    )
