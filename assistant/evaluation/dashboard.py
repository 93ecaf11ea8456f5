"""What was measured, laid out to look at: one row a way of answering, with what the program makes of it.

Rows come from what ships, from the user's own evaluations, and from the records of the adapters that are in
use. Nothing here fails on an old
evaluation that lacks fields: what is missing stays empty.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol, cast

from assistant.adapters.shelf import Look
from assistant.errors import ConfigError
from assistant.evaluation.calibration import Calibration, calibration
from assistant.evaluation.checks import is_check
from assistant.evaluation.run import worst_answers
from assistant.measured import SHIPPED, Measurement, of_evaluation, read_measurements
from assistant.store.evaluations import EvaluatedExample
from assistant.strategy import Chooser
from assistant.tasks import TASKS, headline
from assistant.types import Choice, Strategy

if TYPE_CHECKING:
    from assistant.store.store import Store

WORST = 50
"""How many of the worst answers are shown."""
FULL = 100.0
"""The score of an answer with nothing wrong."""

AS_CHOSEN = "as the program chose"
NOT_IN_USE = "This adapter is not in use."
_NO_DATA = "unknown data"
_WAYS = ("zero_shot", "few_shot", "adapter")


class EvaluationStore(Protocol):
    """The part of the store that holds evaluations."""

    def evaluations(self, *, task: str | None = ...) -> Sequence[Mapping[str, Any]]: ...
    def evaluation(self, number: int | str) -> Mapping[str, Any]: ...
    def evaluated(self, number: int) -> Sequence[EvaluatedExample]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement and what is known about it.

    Attributes:
        measured: the numbers; ``value`` is not a number where the headline metric is missing.
        data: name of the data, as people know it.
        number: of the stored evaluation; ``None`` for what ships and for what a record says.
        when: time of the evaluation, ISO 8601 in UTC, ``""`` when not on record.
        version: of the program that measured.
        counts: the program goes by it when it chooses.
        personal: the user's own good answers stood in the prompt.
        recorded: it stands in an adapter's record, as measured at the end of its training.
        chosen: this is the way the program answers such turns.
        reason: why, or why not, in one line.
        runs: how often this way was measured on this data.
    """

    measured: Measurement
    data: str
    number: int | None = None
    when: str = ""
    version: str = ""
    counts: bool = True
    personal: bool = False
    recorded: bool = False
    chosen: bool = False
    reason: str = ""
    runs: int = 1

    @property
    def value(self) -> float | None:
        """Return the headline metric, 0 to 100, or ``None`` where it was not measured."""
        return self.measured.value if math.isfinite(self.measured.value) else None

    @property
    def way(self) -> str:
        """Return the way of answering in words."""
        if self.measured.strategy not in _WAYS:
            return AS_CHOSEN
        known = self.measured.shots or self.measured.strategy != "few_shot"
        way = self.measured.way if known else "few-shot"
        return f"{way} + yours" if self.personal else way

    @property
    def group(self) -> tuple[str, str, str]:
        """Return what rows must share to be compared: task, language, data."""
        return (self.measured.task, self.measured.lang, self.measured.data or self.data)

    @property
    def place(self) -> tuple[object, ...]:
        """Return what stays the same when this way is measured again."""
        own = self.number is not None
        return (*self.group, self.measured.model, *self.measured.key, self.personal, own)

    @property
    def series(self) -> tuple[object, ...]:
        """Return what is followed over time: versions of an adapter are one series."""
        key = self.measured.key
        way = ("adapter",) if self.measured.strategy == "adapter" else key
        return (*self.group, self.measured.model, *way, self.personal)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything measured.

    Attributes:
        rows: the newest measurement of each way, by task and data, the best first.
        runs: all of the user's own evaluations, oldest first.
        notes: what could not be read or is missing, for the user.
    """

    rows: tuple[Row, ...] = ()
    runs: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that anything was measured with."""
        return tuple(sorted({row.measured.model for row in self.rows}))

    def trend(self, row: Row) -> tuple[Row, ...]:
        """Return the own evaluations that are comparable with ``row``, oldest first."""
        return tuple(one for one in self.runs if one.group == row.group and one.value is not None)


@dataclass(frozen=True, slots=True)
class WorstAnswer:
    """One of the worst answers; ``wanted`` are all right ones, ``score`` is 0 to 100."""

    id: str
    score: float
    input: str
    wanted: tuple[str, ...]
    said: str
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Details:
    """What the single answers of one evaluation show; ``answers`` says how many are on record."""

    number: int
    answers: int
    calibration: Calibration | None
    worst: tuple[WorstAnswer, ...]


def read_dashboard(
    store: EvaluationStore,
    look: Look | None = None,
    shipped: Path = SHIPPED,
    *,
    model: str = "",
) -> Dashboard:
    """Read everything measured; ``look`` has the adapters of each model, ``model`` answers now.

    A file of shipped measurements that is missing or broken becomes a note.
    """
    ready, notes = _shipped(shipped)
    reports = [report for report in store.evaluations() if not is_check(report)]
    runs = _with_plain_names([_own(report) for report in reports])
    chooser = Chooser([row.measured for row in (*ready, *runs) if row.counts])
    models = dict.fromkeys(
        (*(row.measured.model for row in (*ready, *runs)), *filter(None, [model]))
    )
    deciding = {one: chooser.beside(look(one), one) if look else chooser for one in models}
    recorded = [
        Row(one, one.data, recorded=True)
        for each in deciding.values()
        for one in each.rows[len(chooser.rows) :]
    ]
    counts = Counter(row.place for row in runs)
    newest = {row.place: row for row in (*ready, *recorded, *runs)}
    rows = [
        replace(_judged(row, deciding[row.measured.model]), runs=counts.get(row.place, 1))
        for row in newest.values()
    ]
    return Dashboard(tuple(sorted(rows, key=_order)), tuple(runs), tuple(notes))


def read_details(store: EvaluationStore, row: Row) -> Details:
    """Read the answers of an evaluation: how well calibrated, and the worst with something wrong.

    Raises:
        NotFound: the evaluation was deleted meanwhile.
        ValueError: ``row`` is not an evaluation of the store.
    """
    if row.number is None:
        raise ValueError("what ships has no answers")
    answers = {one.example_id: one for one in store.evaluated(row.number)}
    # Only the two methods of the protocol are called there.
    bad = worst_answers(cast("Store", store), row.number, WORST)
    worst = tuple(
        WorstAnswer(
            one.id,
            one.score,
            one.input,
            answers[one.id].references,
            one.prediction,
            answers[one.id].probabilities or {},
        )
        for one in bad
        if one.score < FULL
    )
    return Details(row.number, len(answers), calibration(tuple(answers.values())), worst)


def _shipped(path: Path) -> tuple[list[Row], list[str]]:
    if not path.exists():
        return [], ["No measurements come with this version: only your own stand here."]
    try:
        found = read_measurements(path)
    except ConfigError:
        return [], ["The measurements that came with the program cannot be read."]
    return [Row(one, one.data or _NO_DATA) for one in found], []


def _own(report: Mapping[str, Any]) -> Row:
    """Return a stored evaluation as a row, whatever it lacks."""
    setting = _mapping(report.get("setting"))
    try:
        counted = of_evaluation(report, headline(str(report.get("task"))))
    except (KeyError, TypeError, ValueError, AttributeError):
        counted = None
    return Row(
        counted or _as_far_as_known(report, setting),
        PurePath(_text(setting.get("data"))).name or _NO_DATA,
        number=int(report["id"]),
        when=_text(report.get("created_at")),
        version=_text(setting.get("version")),
        counts=counted is not None,
        personal=setting.get("personal") is True,
    )


def _as_far_as_known(report: Mapping[str, Any], setting: Mapping[str, Any]) -> Measurement:
    """Return what is on record of an evaluation that the program does not choose by."""
    task = str(report.get("task") or "")
    metric = headline(task)
    value = _number(_mapping(report.get("scores")).get(metric))
    low, high = _ends(_mapping(report.get("ci95")).get(metric), value)
    speed = _number(_mapping(report.get("timing")).get("examples_per_s"))
    return Measurement(
        model=str(report.get("model") or ""),
        task=task,
        lang=_text(setting.get("lang")),
        strategy=cast("Strategy", _text(report.get("strategy")) or "auto"),
        metric=metric,
        value=value,
        low=low,
        high=high,
        n=int(_number(report.get("n"), 0)),
        shots=int(_number(setting.get("shots"), 0)),
        nearest=setting.get("nearest") is True,
        adapter=_text(report.get("adapter")) or None,
        seconds=1 / speed if speed > 0 else 0.0,
        data=_text(setting.get("data_sha256"))[:12],
        own=True,
    )


def _with_plain_names(rows: Sequence[Row]) -> list[Row]:
    """Say of a draw how large it is; tell files of one name apart by the start of their hash."""
    contents: dict[str, set[str]] = {}
    for row in rows:
        contents.setdefault(row.data, set()).add(row.measured.data.split("/")[0])
    named = []
    for row in rows:
        content, *draw = row.measured.data.split("/")
        name = row.data
        if len(contents[row.data]) > 1 and content:
            name += f" ({content[:6]})"
        if len(draw) == 2:
            name += f", {draw[0]} drawn with seed {draw[1]}"
        named.append(replace(row, data=name))
    return named


def _judged(row: Row, chooser: Chooser) -> Row:
    """Return ``row`` with what the program chooses for such turns."""
    measured = row.measured
    if not row.counts:
        return replace(row, reason=_why_not_counted(row))
    in_use = chooser.adapters.get(measured.task)
    if measured.strategy == "adapter" and measured.adapter != in_use:
        return replace(row, reason=NOT_IN_USE)
    ranked = chooser.ranked(measured.task, measured.model, measured.lang)
    choice = chooser.choose(measured.task, model=measured.model, lang=measured.lang)
    decided_by_own = bool(ranked) and all(one.row.own for one in ranked)
    chosen = _is_choice(measured, choice) and (measured.own or not decided_by_own)
    return replace(row, chosen=chosen, reason=_in_words(choice))


def _in_words(choice: Choice) -> str:
    """Return the reason; where it does not begin with the way that was chosen, the way before it."""
    way = choice.strategy.replace("_", "-")
    return choice.reason if choice.reason.startswith(way) else f"{way}, {choice.reason}"


def _why_not_counted(row: Row) -> str:
    if row.measured.strategy not in _WAYS:
        return "Measured with whatever the program chose then: no way of its own."
    if row.personal:
        return "Your own answers stood in the prompt; they change, so no choice is made by it."
    if row.value is None:
        return f"Its {row.measured.metric} is not on record."
    return "What it was measured on is not on record: it can be compared with nothing."


def _is_choice(measured: Measurement, choice: Choice) -> bool:
    return measured.key == (choice.strategy, choice.shots, choice.nearest, choice.adapter)


def _order(row: Row) -> tuple[object, ...]:
    task = row.measured.task
    known = TASKS.index(task) if task in TASKS else len(TASKS)
    value = row.value if row.value is not None else -1.0
    return (known, *row.group[:2], row.data, row.group[2], row.measured.model, -value, row.way)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, otherwise: float = math.nan) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return otherwise
    return float(value)


def _ends(interval: object, value: float) -> tuple[float, float]:
    """Return both ends of an interval, or the value twice where there is none."""
    if not isinstance(interval, Sequence) or isinstance(interval, str) or len(interval) != 2:
        return value, value
    return _number(interval[0], value), _number(interval[1], value)
