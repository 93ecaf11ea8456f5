"""An evaluation from file to scores: kept as it goes, resumed, compared; the engine is a stand-in."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant import config
from assistant.answering import AskOptions, Plan, Planner
from assistant.engine.base import CandidateScore
from assistant.errors import Cancelled, ContextOverflow, NotFound, PromptError, UsageError
from assistant.evaluation import predict
from assistant.evaluation.examples import Examples, read_examples
from assistant.evaluation.run import (
    EvalRequest,
    Evaluation,
    compare_stored,
    evaluate,
    worst_answers,
)
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.testing import FakeEngine
from assistant.types import Choice, Decoding, Generation, Message

PROMPTS = Prompts.load(shipped("prompts"))
CAPITALS = {"Peru": "Lima", "France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Norway": "Oslo"}


class Knowing(FakeEngine):
    """Answers by the first of ``known`` that the last message has; may press Ctrl+C at a call."""

    def __init__(self, known: Mapping[str, str], stop_at: int | None = None) -> None:
        super().__init__()
        self.known = known
        self.stop = threading.Event()
        self.stop_at = stop_at

    @property
    def asked(self) -> list[str]:
        """The last message of each call."""
        return [call[-1].content for call in self.calls]

    def generate(
        self, messages: Sequence[Message], decoding: Decoding, **more: Any
    ) -> Iterator[Generation]:
        if len(self.calls) == self.stop_at:
            self.stop.set()
        text = messages[-1].content
        self.answers = [next((a for word, a in self.known.items() if word in text), "no idea")]
        yield from super().generate(messages, decoding, **more)

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        if len(self.calls) == self.stop_at:
            self.stop.set()
        return super().score(messages, candidates, adapter=adapter, stable=stable)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers between savings."""
    monkeypatch.setattr(predict, "TOGETHER", 2)


def data(folder: Path, rows: Sequence[Mapping[str, object]], name: str = "data.jsonl") -> Examples:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_examples(path)


def capitals(folder: Path, *countries: str, name: str = "capitals.jsonl") -> Examples:
    rows = [
        {"id": one, "task": "qa", "input": f"Capital of {one}?", "target": CAPITALS[one]}
        for one in countries or CAPITALS
    ]
    return data(folder, rows, name)


def moods(folder: Path) -> Examples:
    """Four texts; the stand-in finds the first label that is in the text likely."""
    texts = {"a": "so happy", "b": "so sad", "c": "happy, not", "d": "grey"}
    targets = {"a": "happy", "b": "sad", "c": "sad", "d": "sad"}
    rows: list[Mapping[str, object]] = [
        {
            "id": key,
            "task": "classification",
            "input": text,
            "target": targets[key],
            "labels": ["happy", "sad"],
        }
        for key, text in texts.items()
    ]
    return data(folder, rows, "moods.jsonl")


def run(
    store: Store,
    examples: Examples,
    engine: FakeEngine | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    seed: int = 0,
    perplexity: bool = False,
    stop: threading.Event | None = None,
    progress: Any = None,
    **options: Any,
) -> Evaluation:
    planner = Planner(PROMPTS, config.load(**(settings or {})), Chooser())
    made = AskOptions(**{"strategy": "zero_shot", "temperature": 0.0, **options})
    request = EvalRequest(examples, made, limit, seed, perplexity)
    engine = engine or Knowing(CAPITALS)
    return evaluate(request, planner, engine, store, progress=progress, stop=stop)


# -- one run ---------------------------------------------------------------------------------------


def test_answers_are_scored_and_kept(store: Store, tmp_path: Path) -> None:
    done = run(store, capitals(tmp_path), Knowing({**CAPITALS, "Italy": "Rome, Italy"}))
    assert [one.text for one in done.predictions] == [
        "Lima",
        "Paris",
        "Tokyo",
        "Rome, Italy",
        "Oslo",
    ]
    assert [one.id for one in done.examples] == list(CAPITALS)
    report = done.report
    assert (report["task"], report["strategy"], report["model"]) == ("qa", "zero_shot", "fake")
    assert (report["n"], report["adapter"]) == (5, None)
    assert report["scores"] == {"exact_match": 80.0, "f1": pytest.approx(80 + 20 * 2 / 3, abs=0.01)}
    assert report["timing"]["examples_per_s"] >= 0
    stored = store.evaluation(done.number)
    for name in ("scores", "ci95", "signature", "timing", "n", "task", "strategy", "model"):
        assert stored[name] == report[name]
    kept = store.evaluated(done.number)
    assert [(one.example_id, one.prediction) for one in kept] == [
        (one.id, one.text) for one in done.predictions
    ]
    assert kept[0].references == ("Lima",)


def test_labels_are_scored_and_have_probabilities(store: Store, tmp_path: Path) -> None:
    done = run(store, moods(tmp_path))
    assert [one.text for one in done.predictions] == ["happy", "sad", "happy", "happy"]
    for one in done.predictions:
        assert one.probabilities is not None
        assert sum(one.probabilities.values()) == pytest.approx(1)
    assert done.report["scores"]["accuracy"] == 50
    assert "ece" in done.report["scores"]
    assert store.evaluated(done.number)[0].probabilities == done.predictions[0].probabilities


def test_the_context_is_the_turn_before(store: Store, tmp_path: Path) -> None:
    row = {
        "id": "1",
        "task": "chat",
        "input": "And again?",
        "target": "Yes.",
        "context": "User: Is it raining?\nAssistant: Yes,\nvery much.",
    }
    engine = Knowing({})
    run(store, data(tmp_path, [row]), engine)
    said = [(message.role, message.content) for message in engine.calls[0]][-3:]
    assert said == [
        ("user", "Is it raining?"),
        ("assistant", "Yes,\nvery much."),
        ("user", "And again?"),
    ]


def test_perplexity_on_request(store: Store, tmp_path: Path) -> None:
    without = run(store, capitals(tmp_path)).report
    assert "perplexity" not in without["scores"]
    report = run(store, capitals(tmp_path), perplexity=True).report
    assert report["scores"]["perplexity"] == pytest.approx(math.exp(2), abs=1e-4)
    assert report["ci95"]["perplexity"] == pytest.approx([math.exp(2)] * 2, abs=1e-4)
    assert report["signature"]["perplexity"].startswith("perplexity|")


def test_a_sample_is_drawn_in_order(store: Store, tmp_path: Path) -> None:
    done = run(store, capitals(tmp_path), limit=3, seed=4)
    ids = [one.id for one in done.examples]
    assert done.report["n"] == len(ids) == 3
    assert ids == sorted(ids, key=list(CAPITALS).index)
    assert [one.id for one in run(store, capitals(tmp_path), limit=3, seed=4).examples] == ids


def test_data_for_several_tasks_or_for_none_that_is_known(store: Store, tmp_path: Path) -> None:
    row = {"id": "1", "task": "qa", "input": "Who?", "target": "Ann"}
    with pytest.raises(UsageError, match="several tasks: chat, qa"):
        run(store, data(tmp_path, [row, {**row, "id": "2", "task": "chat"}]))
    with pytest.raises(PromptError, match="No task 'poetry'"):
        run(store, data(tmp_path, [{**row, "task": "poetry"}]))
    assert store.evaluations() == []


# -- stopped and resumed ---------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
def test_a_stopped_run_goes_on_without_asking_again(store: Store, tmp_path: Path) -> None:
    first = Knowing(CAPITALS, stop_at=3)  # in the second piece of two
    with pytest.raises(Cancelled):
        run(store, capitals(tmp_path), first, stop=first.stop)
    assert store.evaluations() == []
    with pytest.raises(NotFound):
        store.evaluation("last")

    steps: list[tuple[int, int]] = []
    second = Knowing(CAPITALS)
    done = run(store, capitals(tmp_path), second, progress=lambda *now: steps.append(now))
    assert second.asked == ["Capital of Japan?", "Capital of Italy?", "Capital of Norway?"]
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert [one.text for one in done.predictions] == list(CAPITALS.values())
    assert [one["id"] for one in store.evaluations()] == [done.number] == [1]
    assert done.report["n"] == 5
    assert len(store.evaluated(done.number)) == 5


@pytest.mark.usefixtures("small_pieces")
def test_classification_is_resumed_too(store: Store, tmp_path: Path) -> None:
    first = Knowing({}, stop_at=2)
    with pytest.raises(Cancelled):
        run(store, moods(tmp_path), first, stop=first.stop)
    second = Knowing({})
    done = run(store, moods(tmp_path), second)
    assert len(second.calls) == 2
    assert len({one.id for one in done.predictions}) == 4


def test_stopped_while_it_is_planned_nothing_is_asked(tmp_path: Path) -> None:
    class Planning(Planner):
        planned = 0

        def plan(self, *given: Any, **more: Any) -> Plan:
            self.planned += 1
            stop.set()
            return super().plan(*given, **more)

    stop = threading.Event()
    engine = Knowing({})
    planner = Planning(PROMPTS, config.load(), Chooser())
    rows = moods(tmp_path).rows
    with pytest.raises(Cancelled):
        predict.predict(rows, planner, engine, AskOptions(), stop=stop)
    assert planner.planned == 1
    assert engine.calls == []


def test_stopped_at_the_perplexity_no_answer_is_lost(store: Store, tmp_path: Path) -> None:
    first = Knowing(CAPITALS, stop_at=6)  # five answers, then two targets
    with pytest.raises(Cancelled):
        run(store, capitals(tmp_path), first, stop=first.stop, perplexity=True)
    second = Knowing(CAPITALS)
    done = run(store, capitals(tmp_path), second, perplexity=True)
    assert len(second.calls) == 5  # the targets alone
    assert done.report["timing"]["examples_per_s"] == 0
    assert done.number == 1


def test_a_finished_run_is_not_taken_up_again(store: Store, tmp_path: Path) -> None:
    first, engine = run(store, capitals(tmp_path)), Knowing(CAPITALS)
    second = run(store, capitals(tmp_path), engine)
    assert second.number != first.number
    assert len(engine.calls) == 5
    assert second.report["scores"] == first.report["scores"]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "few_shot"},
        {"max_tokens": 7},
        {"limit": 4},
        {"seed": 1},
        {"settings": {"system": "Answer in French."}},
        {"settings": {"context_tokens": 1000}},
    ],
)
def test_another_setting_is_another_evaluation(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    stopped = Knowing(CAPITALS, stop_at=3)
    with pytest.raises(Cancelled):
        run(store, capitals(tmp_path), stopped, stop=stopped.stop)
    other, same = Knowing(CAPITALS), Knowing(CAPITALS)
    done = run(store, capitals(tmp_path), other, **change)
    assert len(other.calls) == done.report["n"]
    assert run(store, capitals(tmp_path), same).number != done.number
    assert len(same.calls) == 3


@pytest.mark.usefixtures("small_pieces")
def test_changed_data_is_another_evaluation(store: Store, tmp_path: Path) -> None:
    stopped = Knowing(CAPITALS, stop_at=3)
    with pytest.raises(Cancelled):
        run(store, capitals(tmp_path), stopped, stop=stopped.stop)
    engine = Knowing(CAPITALS)
    run(store, capitals(tmp_path, "Peru", "France", "Japan"), engine)
    assert len(engine.calls) == 3


# -- compared --------------------------------------------------------------------------------------


def test_a_comparison_is_of_the_examples_that_both_have(store: Store, tmp_path: Path) -> None:
    a = run(store, capitals(tmp_path, "Peru", "France", "Japan", name="a.jsonl"), Knowing({}))
    b = run(store, capitals(tmp_path, "Japan", "France", "Norway", name="b.jsonl"))
    found = compare_stored(store, a.number, "last")
    assert list(found) == ["exact_match", "f1"]
    # France and Japan: all wrong in one, all right in the other; Peru and Norway do not count
    assert found["exact_match"].difference == 100
    back = compare_stored(store, b.number, a.number)
    assert back["exact_match"].difference == -100
    assert compare_stored(store, a.number, a.number)["f1"].p == 1


def test_calibration_is_compared_where_both_have_probabilities(
    store: Store, tmp_path: Path
) -> None:
    a = run(store, moods(tmp_path)).number
    assert list(compare_stored(store, a, a)) == ["accuracy", "macro_f1", "ece"]
    b = store.begin_evaluation(task="classification", strategy="adapter", model="m", setting={})
    store.add_evaluated(b, [replace(one, probabilities=None) for one in store.evaluated(a)])
    store.finish_evaluation(b, store.evaluation(a))
    assert list(compare_stored(store, a, b)) == ["accuracy", "macro_f1"]


def test_translations_are_compared_by_the_tokenizer_of_their_report(
    store: Store, tmp_path: Path
) -> None:
    rows = [
        {
            "id": str(i),
            "task": "translation",
            "input": f"Translate to Chinese: {text}",
            "target": right,
        }
        for i, (text, right) in enumerate(
            [
                ("The weather is fine today.", "今天的天气很好。"),
                ("He went home at ten.", "他十点钟回家了。"),
            ]
        )
    ]
    examples = data(tmp_path, rows)
    a = run(store, examples, Knowing({"weather": "今天的天气不错。", "home": "他十点钟走了。"}))
    b = run(store, examples, Knowing({"weather": "今天的天气很好。", "home": "他十点钟回家了。"}))
    found = compare_stored(store, a.number, b.number)
    for name in ("chrf", "bleu"):
        apart = b.report["scores"][name] - a.report["scores"][name]
        assert found[name].difference == pytest.approx(apart, abs=0.011)
    assert a.report["scores"]["bleu"] > 30  # by characters; whole sentences would share nothing


def test_what_cannot_be_compared(store: Store, tmp_path: Path) -> None:
    a = run(store, capitals(tmp_path, "Peru", name="a.jsonl")).number
    other = run(store, capitals(tmp_path, "Norway", name="b.jsonl")).number
    with pytest.raises(UsageError, match="share no example"):
        compare_stored(store, a, other)
    mood = run(store, moods(tmp_path)).number
    with pytest.raises(UsageError, match="is for qa, 3 for classification"):
        compare_stored(store, a, mood)
    with pytest.raises(NotFound, match="no evaluation 99"):
        compare_stored(store, a, 99)
    numbers = store.record_evaluation(store.evaluation(a))
    with pytest.raises(UsageError, match="share no example"):
        compare_stored(store, a, numbers)


def test_the_same_id_with_another_question_is_another_example(store: Store, tmp_path: Path) -> None:
    row = {"task": "qa", "input": "Is the sky blue?", "target": "yes"}
    a = run(store, data(tmp_path, [row], "a.jsonl")).number
    b = run(store, data(tmp_path, [{**row, "input": "Is snow white?"}], "b.jsonl")).number
    with pytest.raises(UsageError, match="share no example"):
        compare_stored(store, a, b)


# -- the worst answers -----------------------------------------------------------------------------


def test_the_worst_answers_come_first(store: Store, tmp_path: Path) -> None:
    known = {**CAPITALS, "Japan": "Tokyo or Kyoto", "Norway": "Bergen"}
    number = run(store, capitals(tmp_path), Knowing(known)).number
    worst = worst_answers(store, number, 3)
    assert [one.id for one in worst] == ["Norway", "Japan", "Peru"]
    assert worst[1].as_json() == {
        "id": "Japan",
        "score": 50.0,
        "input": "Capital of Japan?",
        "target": "Tokyo",
        "prediction": "Tokyo or Kyoto",
    }
    assert worst[0].score == 0
    assert len(worst_answers(store, number, 99)) == 5


def test_the_surest_of_the_wrong_labels_come_first(store: Store, tmp_path: Path) -> None:
    worst = worst_answers(store, run(store, moods(tmp_path)).number, 2)
    assert [one.id for one in worst] == ["c", "d"]  # 87 % sure, and undecided


def test_an_evaluation_without_answers_has_no_worst(store: Store, tmp_path: Path) -> None:
    report = run(store, capitals(tmp_path)).report
    assert worst_answers(store, store.record_evaluation(report), 3) == []
    with pytest.raises(NotFound):
        worst_answers(store, 99, 1)


# -- texts longer than the window, and several adapters --------------------------------------------


def test_an_example_longer_than_the_window_is_named(store: Store, tmp_path: Path) -> None:
    rows = [
        {"id": "short", "task": "chat", "input": "Capital of Peru?", "target": "Lima"},
        {"id": "long", "task": "chat", "input": "word " * 5000, "target": "x"},
    ]
    with pytest.raises(ContextOverflow, match="Example long: This text takes"):
        run(store, data(tmp_path, rows))


def test_a_long_text_to_be_summarized_may_come_first(store: Store, tmp_path: Path) -> None:
    text = "Summarize:\n\n" + "\n\n".join(f"Part {n} is about rock {n}." for n in range(1500))
    rows = [{"id": "1", "task": "summarization", "input": text, "target": "About rocks."}]
    found = run(store, data(tmp_path, rows), Knowing({"": "About rocks."}))
    assert [one.text for one in found.predictions] == ["About rocks."]


def test_each_answer_is_computed_with_the_adapter_of_its_plan(store: Store, tmp_path: Path) -> None:
    class Some(Chooser):
        def choose(self, task: str, *, lang: str = "", **_: Any) -> Choice:
            name = {"zh": "qa-zh", "fr": "qa-fr"}.get(lang.partition("/")[0])
            return Choice("adapter", "", adapter=name) if name else Choice("zero_shot", "")

    class Noting(Knowing):
        def complete(
            self,
            prompts: Sequence[Sequence[Message]],
            decoding: Decoding,
            *,
            adapter: str | None = None,
            **more: Any,
        ) -> list[Generation]:
            used.append((adapter, [messages[-1].content for messages in prompts]))
            return super().complete(prompts, decoding, adapter=adapter, **more)

    used: list[tuple[str | None, list[str]]] = []
    asked = ["Capital of Peru?", "秘鲁的首都是哪里？", "Capital of France?"]
    rows = [
        {"id": str(n), "task": "qa", "input": text, "target": "x"} for n, text in enumerate(asked)
    ]
    planner = Planner(PROMPTS, config.load(), Some())
    request = EvalRequest(data(tmp_path, rows), AskOptions(temperature=0.0))
    known = Noting({**CAPITALS, "秘鲁": "利马"})
    found = evaluate(request, planner, known, store)
    assert used == [(None, [asked[0], asked[2]]), ("qa-zh", [asked[1]])]
    assert [one.text for one in found.predictions] == ["Lima", "利马", "Paris"]
