"""One refinement from feedback to verdict: a candidate is trained, measured, and used only if it is better.

Everything lies in the folder of a run, so that it goes on after it was killed: what is trained on, what is
measured on, the checkpoints, and the decision with its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assistant.adapters.card import README, Card
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import Score, write_run
from assistant.evaluation.examples import Example
from assistant.evaluation.gate import Decision, Row
from assistant.paths import Paths
from assistant.training.card import card_text
from assistant.training.examples import SftExample, training_file
from assistant.training.gating import HELD_OUT, OWN_FILE, write_examples, write_guard
from assistant.training.job import TrainRequest
from assistant.training.material import Material
from assistant.training.replay import replay
from assistant.training.runs import RunFolder
from assistant.training.settings import TrainSettings

OWN_DATA, REPLAY_DATA = "my-feedback.jsonl", "replay.jsonl"
EPOCHS = 4.0
REPLAYED = 2
"""Rows of the task in general for each row of feedback."""
_REPLAY_LEAST, _REPLAY_MOST = 60, 600


@dataclass(frozen=True, slots=True)
class Wish:
    """What a refinement was asked for. ``minutes`` bounds the training, not the measuring."""

    task: str
    model: str
    minutes: float
    seed: int = 0


def replay_count(material: Material) -> int:
    """Return how many rows of the task in general are trained on beside the feedback.

    Choices and thumbs are learned from by comparing with the adapter as it was, which holds it in place.
    """
    if material.method != "sft":
        return 0
    return min(_REPLAY_MOST, max(_REPLAY_LEAST, REPLAYED * len(material.trained)))


def prepare(
    run: RunFolder,
    wish: Wish,
    material: Material,
    paths: Paths,
    parent: Card | None,
    shape: Mapping[str, Any],
) -> TrainRequest:
    """Write the files of a run and return what is to be trained.

    Args:
        shape: settings that the parent fixes (technique, rank, alpha, layers), by name.
    """
    training_file(material.trained, run.path / OWN_DATA)
    files = [run.path / OWN_DATA]
    general = replay(wish.task, replay_count(material), wish.seed, paths, parent)
    if general:
        write_examples(general, run.path / REPLAY_DATA)
        files.append(run.path / REPLAY_DATA)
    write_examples(_measured(material.held_out), run.path / OWN_FILE)
    write_guard(wish.task, run.path)
    values: dict[str, Any] = {
        "task": wish.task,
        "method": material.method,
        "epochs": EPOCHS,
        "max_minutes": wish.minutes,
        "seed": wish.seed,
        "batch": 8 if len(material.trained) < 100 else 16,
    }
    settings = TrainSettings(**(values | dict(shape)))
    return TrainRequest(
        settings,
        wish.model,
        tuple(files),
        parent=parent.folder if parent else None,
        parent_name=parent.name if parent else None,
    )


def _measured(items: Sequence[SftExample]) -> list[Example]:
    return [
        Example(
            id=one.id,
            task=one.task,
            input=one.input,
            target=one.target,
            references=(one.target,),
            context=one.context or None,
            labels=tuple(one.labels),
            lang=one.lang,
            source="feedback",
        )
        for one in items
    ]


def told_of_feedback(card: Card, material: Mapping[str, Any]) -> Card:
    """Keep in a candidate's record which feedback it was trained on; return the card as it is then.

    Raises:
        AdapterError: the record cannot be written.
    """
    record = replace(card.run, settings={**card.run.settings, "feedback": dict(material)})
    write_run(card.folder, record)
    return replace(card, run=record)


def record_decision(card: Card, rows: Sequence[Row], decision: Decision) -> None:
    """Keep the gate's table and its decision with the candidate, whatever it was.

    Raises:
        AdapterError: the record cannot be written.
    """
    gate = {"promoted": decision.promote, "reasons": list(decision.reasons), "table": table(rows)}
    scores = dict(card.run.scores)
    for row in rows:
        if row.kind == "own":
            scores[HELD_OUT] = Score(row.metric, row.n, row.candidate, few_shot=row.few_shot)
    settings = {**card.run.settings, "gate": gate}
    record = replace(card.run, settings=settings, scores=scores)
    write_run(card.folder, record)
    (card.folder / README).write_text(card_text(record, card.version), encoding="utf-8")


def put_to_use(registry: Registry, card: Card, decision: Decision) -> None:
    """Promote the candidate if the gate let it pass.

    Raises:
        AdapterError: the pointer cannot be written.
    """
    if decision.promote:
        registry.promote(card)


def table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the gate's table for JSON."""
    return [
        {
            **{key: _rounded(value) for key, value in asdict(row).items()},
            "gain": _rounded(row.gain),
            "verdict": row.verdict,
        }
        for row in rows
    ]


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def guard_file(run: RunFolder) -> Path:
    """Return where the shipped check lies that a run is measured on."""
    return run.path / "check.jsonl"
