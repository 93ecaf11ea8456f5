"""Which tasks there is enough feedback on to refine them."""

from __future__ import annotations

from assistant.errors import UsageError
from assistant.store.store import Store
from assistant.tasks import TASKS
from assistant.training.examples import collect
from assistant.training.material import material

REFINABLE = tuple(task for task in TASKS if task != "chat")
ALL = "all"


def checked(task: str) -> str:
    """Return a task that can be refined.

    Raises:
        UsageError: it is none.
    """
    if task not in REFINABLE:
        raise UsageError(f"'{task}' cannot be refined.", f"One of: {', '.join((*REFINABLE, ALL))}.")
    return task


def ready_for(task: str, store: Store) -> tuple[str, ...]:
    """Return the tasks to refine: the one asked for, or (``""`` or ``all``) every one that is ready.

    Raises:
        UsageError: there is no such task, or too little feedback.
    """
    tasks = REFINABLE if task in ("", ALL) else (checked(task),)
    found = collect(store.feedback(), store.preferences())
    lacks = {one: material(one, found).lacks for one in tasks}
    ready = tuple(one for one in tasks if not lacks[one])
    if ready:
        return ready
    hint = "Rate and correct answers as you chat; try again later."
    if len(tasks) == 1:
        raise UsageError(f"{task}: too little feedback yet: {lacks[tasks[0]]}.", hint)
    raise UsageError("There is not enough feedback on any task yet.", hint)
