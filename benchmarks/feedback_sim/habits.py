"""A user whose turns go elsewhere than they usually would: fourteen habits, taught side by side."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from assistant.cli.common import user_settings
from assistant.engine.base import Engine
from assistant.paths import shipped, user_paths
from assistant.prompts import Prompts
from assistant.router.guard import CHECK_TURNS
from assistant.store.store import Store
from assistant.wiring import make_loader, make_router
from feedback_sim.cells import Cell, Cells, Key, share
from feedback_sim.preference import SHIPPED, read_rows
from feedback_sim.teaching import correct_routes, fresh_home

NAME = "routing"
HELD_OUT = 6
"""Turns of each habit that are never taught."""

Row = dict[str, Any]


def habits(seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Return the turns to teach, one of each habit after the other, and those to measure on.

    The latter are the same for every seed.
    """
    by_habit: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(SHIPPED / "routing_habits.jsonl"):
        by_habit[row["habit"]].append(row)
    taught, held = [], []
    for name, rows in sorted(by_habit.items()):
        random.Random(name).shuffle(rows)
        held += rows[:HELD_OUT]
        rest = rows[HELD_OUT:]
        random.Random(f"{name}:{seed}").shuffle(rest)
        taught.append(rest)
    return [row for some in zip(*taught, strict=True) for row in some], held


def measure(cells: Cells, model: str, counts: Sequence[int], seeds: Sequence[int]) -> None:
    """Measure what is missing: how many held-out turns go right, and what the check set loses."""
    keys = [Key(NAME, "without", 0, 0)]
    keys += [Key(NAME, "routing", count, seed) for seed in seeds for count in counts]
    missing = [key for key in keys if cells.get(key) is None]
    if not missing:
        return
    from routing import Remembering

    loader = make_loader(user_settings(model=model), user_paths())
    engine: Any = Remembering(loader.get())
    try:
        for key in missing:
            taught, held = habits(key.seed)
            if key.count <= len(taught):
                cells.add(key, _cell(engine, taught[: key.count], held, model))
    finally:
        loader.close()


def _cell(engine: Engine, taught: Sequence[Row], held: Sequence[Row], model: str) -> Cell:
    started = time.perf_counter()
    check = read_rows(CHECK_TURNS)
    with fresh_home(), Store(user_paths().database) as store:
        correct_routes(store, taught, model)
        router = make_router(user_paths(), store, Prompts.load(shipped("prompts")))

        def right(rows: Sequence[Row]) -> list[bool]:
            turns = [(row["input"], row.get("context")) for row in rows]
            routes = router.route_all(turns, engine)
            return [one.task == row["target"] for one, row in zip(routes, rows, strict=True)]

        followed, kept = right(held), right(check)
    (value, ci95), (guard, guard_ci95) = share(followed), share(kept)
    return {
        "n": len(held),
        "follows": value,
        "follows_ci95": ci95,
        "metric": "accuracy on the check set",
        "score": guard,
        "score_ci95": guard_ci95,
        "seconds": round(time.perf_counter() - started, 1),
        "followed": followed,
    }
