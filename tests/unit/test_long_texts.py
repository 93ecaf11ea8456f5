"""Texts too long for one go: by sections for a summary, by what is asked for a question."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant import config, long_texts
from assistant.answering import LONG_PASSAGE, AskOptions, Planner
from assistant.errors import Cancelled
from assistant.evaluation.examples import Example
from assistant.evaluation.predict import predict
from assistant.events import PartsRead, TurnFinished, TurnPrepared, TurnRouted
from assistant.long_texts import ONE_GO, SECTION, Read, by_sections
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.tui.asking import Asking, hold
from assistant.tui.messages import TurnChanged, TurnEnded
from assistant.types import Choice, Decoding, Generation, Message

PROMPTS = Prompts.load(shipped("prompts"))


class Reader(FakeEngine):
    """Counts Chinese too, and sums up a section as the marks (``#12``) that it has."""

    def __init__(self, *, context_length: int = 8192, words: int = 0, stop_at: int = -1) -> None:
        super().__init__(context_length=context_length)
        self.decodings: list[Decoding] = []
        self.words = words
        self.stop_at = stop_at
        self.stop = threading.Event()

    def count_text_tokens(self, text: str) -> int:
        return len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+|[^\w\s]|\n", text))

    def generate(
        self, messages: Sequence[Message], decoding: Decoding, **more: Any
    ) -> Iterator[Generation]:
        self.decodings.append(decoding)
        if len(self.calls) == self.stop_at:
            self.stop.set()
        marks = " ".join(re.findall(r"#\d+", messages[-1].content)[:3])
        self.answers = [
            f"Marks {marks}." + "".join(f" detail {i} of it." for i in range(self.words))
        ]
        yield from super().generate(messages, decoding, **more)

    @property
    def asked(self) -> list[str]:
        return [call[-1].content for call in self.calls]


def planner(**settings: Any) -> Planner:
    return Planner(PROMPTS, config.load(**settings), Chooser())


def text_of(paragraphs: int, lang: str = "en") -> str:
    row = {
        "en": "Paragraph #{i} tells how the harbour was rebuilt after the storm, stone by stone, with help "
        "from the whole coast and with money that had been meant for a new road. Nobody objected.",
        "de": "Absatz #{i} erzählt, wie der Hafen nach dem Sturm wieder aufgebaut wurde, Stein für Stein, "
        "mit Hilfe der ganzen Küste und mit Geld, das für eine Straße gedacht war. Niemand widersprach.",
        "fr": "Le paragraphe #{i} raconte comment le port a été reconstruit après la tempête, pierre par "
        "pierre, avec l'aide de toute la côte et de l'argent prévu pour une route. Personne ne protesta.",
        "es": "El párrafo #{i} cuenta cómo se reconstruyó el puerto después de la tormenta, piedra a piedra, "
        "con ayuda de toda la costa y con dinero que era para una carretera. Nadie se opuso.",
        "zh": "第#{i}段讲的是风暴之后人们怎样一块石头一块石头地重建港口，整个海岸的人都来帮忙，用的是原来修路的钱。没有人反对。",
        "ja": "段落#{i}は、嵐のあとに人々がどのように港を石ひとつずつ建て直したかを語っています。海岸中の人が手伝いました。",
    }[lang]
    return "\n\n".join(row.format(i=i) for i in range(paragraphs))


def read(
    text: str, engine: Reader, options: AskOptions | None = None, **settings: Any
) -> list[Read]:
    plan = planner(**settings)
    return list(by_sections(text, plan, engine, options or AskOptions(), engine.stop))


# -- summaries by sections -------------------------------------------------------------------------


def test_a_short_text_is_left_alone() -> None:
    engine = Reader()
    for text in ("", "Summarize: hello", f"Summarize this.\n\n{text_of(30)}", text_of(30)):
        assert engine.count_text_tokens(text) <= ONE_GO
        assert read(text, engine) == []
    assert engine.calls == []


def test_what_is_yielded_counts_the_sections_and_ends_with_the_short_turn() -> None:
    engine = Reader()
    found = read(f"Summarize this in one sentence.\n\n{text_of(150)}", engine)
    total = found[0].total
    assert total >= 5
    assert found[0] == Read(0, total)
    assert [one.done for one in found] == sorted({*range(0, total, 4), total})
    assert [one.text for one in found[:-1]] == [None] * (len(found) - 1)
    short = found[-1].text
    assert short is not None
    assert short.startswith("Summarize this in one sentence.\n\nMarks #0 #1 #2.")
    assert engine.count_text_tokens(short) < ONE_GO
    assert len(engine.calls) == total


def test_every_paragraph_is_read_once_and_no_section_is_too_long() -> None:
    engine = Reader()
    read(f"{text_of(150)}\n\nSummarize this in one sentence.", engine)
    seen = [int(mark) for text in engine.asked for mark in re.findall(r"#(\d+)", text)]
    assert seen == list(range(150))
    # The request for a section comes on top of it.
    assert max(engine.count_text_tokens(text) for text in engine.asked) <= SECTION + 40


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "\n\nSummarize the text in exactly three bullet points."),
        ("In one sentence, what is this about?\n\n", ""),
        ("Summarize: ", ""),
        ("shorter please\n\n", ""),
        ("TL;DR\n\n", ""),
        ("Text: ", "\n\nTask: summarize it for a child."),
    ],
)
def test_the_users_own_words_stand_in_the_last_prompt(before: str, after: str) -> None:
    text = text_of(60)
    short = read(f"{before}{text}{after}", Reader())[-1].text
    assert short is not None
    assert short.startswith(before)
    assert short.endswith(after)
    assert len(short) < len(text) / 3


def test_a_text_without_any_request_is_read_by_sections_too() -> None:
    short = read(text_of(60), Reader())[-1].text
    assert short is not None
    assert short.startswith("Marks")


@pytest.mark.parametrize("lang", ["en", "de", "fr", "es", "zh", "ja"])
def test_sections_are_asked_for_in_the_texts_language(lang: str) -> None:
    engine = Reader()
    found = read(f"Summarize this.\n\n{text_of(60, lang)}", engine)
    assert len(engine.calls) == found[0].total >= 2
    request = {
        "en": "two or three sentences",
        "de": "zwei oder drei Sätzen",
        "fr": "deux ou trois phrases",
        "es": "dos o tres frases",
        "zh": "两三句话",
        "ja": "二、三文",
    }[lang]
    assert all(request in text for text in engine.asked)


def test_an_unknown_language_is_asked_for_in_english() -> None:
    engine = Reader()
    read("Параграф о том, как восстанавливали порт после бури. " * 300, engine)
    assert all("two or three sentences" in text for text in engine.asked)


def test_a_book_takes_a_second_round() -> None:
    engine = Reader(words=20)
    found = read(f"Summarize this.\n\n{text_of(900)}", engine)
    assert [one.done for one in found].count(0) == 2
    first = next(one.text for one in found if one.text)
    last = found[-1].text
    assert first is not None
    assert last is not None
    assert engine.count_text_tokens(first) > ONE_GO >= engine.count_text_tokens(last)
    assert last.startswith("Summarize this.\n\nMarks #0")
    assert found[-1].total < found[0].total


def test_rounds_end_even_if_nothing_gets_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "SECTION", 60)  # its summary is as long as the section
    found = read(f"Summarize this.\n\n{text_of(60)}", Reader(words=25))
    assert [one.done for one in found].count(0) == 3


def test_each_section_is_summarized_with_the_adapter_of_its_plan() -> None:
    class Some(Chooser):
        """Another way for every second section."""

        made = 0

        def choose(self, task: str, **_: Any) -> Choice:
            self.made += 1
            odd = self.made % 2
            return Choice("adapter", "", adapter="short") if odd else Choice("zero_shot", "")

    class Noting(Reader):
        def complete(
            self,
            prompts: Sequence[Sequence[Message]],
            decoding: Decoding,
            *,
            adapter: str | None = None,
            **more: Any,
        ) -> list[Generation]:
            used.append((adapter, [_first_mark(messages[-1].content) for messages in prompts]))
            return super().complete(prompts, decoding, adapter=adapter, **more)

    used: list[tuple[str | None, list[int]]] = []
    engine = Noting()
    plan = Planner(PROMPTS, config.load(), Some())
    *_, last = by_sections(text_of(60), plan, engine, AskOptions())
    assert [adapter for adapter, _ in used] == ["short", None] * (len(used) // 2)
    (_, by_adapter), (_, without) = used[:2]
    assert by_adapter[0] < without[0] < by_adapter[1]  # turn by turn
    assert last.text is not None
    marks = [int(mark) for mark in re.findall(r"Marks #(\d+)", last.text)]
    assert marks == sorted(marks)  # put back in the order of the text
    assert len(marks) == last.total


def _first_mark(text: str) -> int:
    found = re.search(r"#(\d+)", text)
    assert found is not None
    return int(found[1])


def test_stop_ends_it_between_sections() -> None:
    engine = Reader(stop_at=5)
    reading = by_sections(
        f"Summarize this.\n\n{text_of(400)}", planner(), engine, AskOptions(), engine.stop
    )
    done = []
    with pytest.raises(Cancelled):
        done += [one.done for one in reading if one.text is None]
    assert len(engine.calls) <= 8


def test_stop_ends_it_before_the_first_section() -> None:
    engine = Reader()
    engine.stop.set()
    with pytest.raises(Cancelled):
        read(f"Summarize this.\n\n{text_of(60)}", engine)


def test_sections_have_their_own_length_and_the_users_other_wishes() -> None:
    engine = Reader()
    options = AskOptions(max_tokens=700, temperature=0.4, seed=3, strategy="zero_shot")
    read(f"Summarize this.\n\n{text_of(60)}", engine, options)
    assert {one.max_tokens for one in engine.decodings} == {120}
    assert {(one.temperature, one.seed) for one in engine.decodings} == {(0.4, 3)}


def test_loops_and_begun_sentences_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Reader()
    says = iter(
        [
            Generation("The port was rebuilt. " + "It was so. " * 40, "stop"),
            Generation("The port was rebuilt. Then the road and the", "length"),
            Generation("港口重建了。后来公路", "length"),
            Generation("One long sentence that does not end", "length"),
            Generation("No stop at the end", "stop"),
        ]
    )
    monkeypatch.setattr(engine, "complete", lambda prompts, *_, **__: [next(says) for _ in prompts])
    monkeypatch.setattr(long_texts, "sections", lambda *_: ["one", "two", "three", "four", "five"])
    assert read(f"Summarize this.\n\n{text_of(60)}", engine)[-1].text == "\n\n".join(
        [
            "Summarize this.",
            "The port was rebuilt. It was so.",
            "The port was rebuilt.",
            "港口重建了。",
            "One long sentence that does not end",
            "No stop at the end",
        ]
    )


@pytest.mark.parametrize("window", [512, 1024, 2048])
def test_a_small_window_makes_small_sections(window: int) -> None:
    engine = Reader(context_length=window)
    short = read(f"Summarize this.\n\n{text_of(60)}", engine)[-1].text
    assert short is not None
    assert max(engine.count_text_tokens(text) for text in engine.asked) < window
    plan = planner().plan(short, "summarization", AskOptions(), engine)
    assert plan.prompt_tokens + plan.decoding.max_tokens <= window


# -- questions about a long text -------------------------------------------------------------------

FACT = "The lamp in the lighthouse was made by Ottilie Brandt in Lund."
ASKED = "Who made the lamp in the lighthouse?"


def with_fact(paragraphs: int = 60) -> str:
    rows = text_of(paragraphs).split("\n\n")
    rows[paragraphs // 2] += f" {FACT}"
    return "\n\n".join(rows)


@pytest.mark.parametrize(
    "turn",
    [
        f"{ASKED}\n\n{{text}}",
        f"{{text}}\n\n{ASKED}",
        f"{{text}}\n\nQuestion: {ASKED}\nAnswer:",
        f"Answer the question from the passage.\n\nPassage: {{text}}\n\nQuestion: {ASKED}",
        "tell me who made the lamp in the lighthouse\n\n{text}",
        "{text}\n\ntell me who made the lamp in the lighthouse",
    ],
)
def test_of_a_long_text_the_parts_a_question_is_about_are_sent(turn: str) -> None:
    engine = Reader()
    plan = planner().plan(turn.format(text=with_fact()), "qa", AskOptions(), engine)
    sent = plan.messages[-1].content
    assert FACT in sent
    assert ("who made the lamp" in sent) or (ASKED in sent)
    assert "[…]" in sent
    assert engine.count_text_tokens(plan.request.text) < LONG_PASSAGE + 60
    assert plan.request.has_passage


def test_so_it_is_where_the_passage_is_not_word_for_word_in_the_turn() -> None:
    rows = text_of(90, "zh").split("\n\n")
    rows[40] += "灯塔的灯是林雅琴做的。"
    turn = "根据以下内容回答：灯塔的灯是谁做的？\n\n" + "\n\n".join(rows)
    plan = planner().plan(turn, "qa", AskOptions(), Reader())
    sent = plan.messages[-1].content
    assert "灯塔的灯是林雅琴做的。" in sent
    assert "灯塔的灯是谁做的？" in sent
    assert len(sent) < len(turn) / 2


def test_a_question_before_a_long_text_is_said_again_behind_it() -> None:
    for turn in (f"{ASKED}\n\n{with_fact()}", f"{ASKED} {with_fact()}"):
        text = planner().plan(turn, "qa", AskOptions(), Reader()).request.text
        assert text.startswith(ASKED)
        assert text.endswith(f"\n\n{ASKED}")
    behind = planner().plan(f"{with_fact()}\n\n{ASKED}", "qa", AskOptions(), Reader())
    assert behind.request.text.count(ASKED) == 1


def test_a_short_passage_and_other_tasks_are_sent_as_they_are() -> None:
    engine = Reader()
    turn = f"{ASKED}\n\n{with_fact(12)}"
    assert planner().plan(turn, "qa", AskOptions(), engine).request.text == turn
    long = f"Translate into German:\n\n{with_fact(60)}"
    assert planner().plan(long, "translation", AskOptions(), engine).request.text == long


def test_in_a_small_window_less_is_sent() -> None:
    engine = Reader(context_length=1024)
    plan = planner().plan(f"{ASKED}\n\n{with_fact()}", "qa", AskOptions(), engine)
    assert FACT in plan.messages[-1].content
    assert plan.prompt_tokens + plan.decoding.max_tokens <= 1024


# -- a turn ----------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


def made(store: Store, engine: Reader, task: str = "summarization") -> Session:
    router = FakeRouter({"harbour": task})
    return Session(store, ready_loader(engine), router, PROMPTS, config.load())


def test_parts_are_told_between_the_route_and_the_plan(store: Store) -> None:
    text = f"Summarize this in one sentence.\n\n{text_of(150)}"
    events = list(made(store, Reader()).ask(text))
    parts = [i for i, event in enumerate(events) if isinstance(event, PartsRead)]
    routed = next(i for i, event in enumerate(events) if isinstance(event, TurnRouted))
    ready = next(i for i, event in enumerate(events) if isinstance(event, TurnPrepared))
    assert parts == list(range(routed + 1, ready))
    told = [event for event in events if isinstance(event, PartsRead)]
    assert [event.done for event in told] == sorted({*range(0, told[0].total, 4), told[0].total})
    assert all(event.turn.user_text == text for event in told)


def test_the_users_text_is_stored_as_it_was_and_the_short_one_as_sent(store: Store) -> None:
    engine = Reader()
    text = f"Summarize this in one sentence.\n\n{text_of(150)}"
    last = list(made(store, engine).ask(text))[-1]
    assert isinstance(last, TurnFinished)
    turn = store.turn(last.turn.id)
    assert turn.user_text == text
    assert turn.state == "done"
    assert turn.sent == engine.calls[-1]
    assert "Summarize this in one sentence." in turn.sent[-1].content
    assert len(turn.sent[-1].content) < len(text) / 5
    assert turn.usage.prompt_tokens == engine.count_tokens(turn.sent)


def test_regenerate_reads_the_whole_text_again(store: Store) -> None:
    engine = Reader()
    session = made(store, engine)
    text = f"Summarize this.\n\n{text_of(60)}"
    first = list(session.ask(text))[-1]
    assert isinstance(first, TurnFinished)
    calls = len(engine.calls)
    events = list(session.regenerate(first.turn.id))
    again = events[-1]
    assert isinstance(again, TurnFinished)
    assert any(isinstance(event, PartsRead) for event in events)
    assert len(engine.calls) == 2 * calls
    assert again.turn.user_text == text
    assert [turn.id for turn in store.turns(again.turn.conversation_id)] == [again.turn.id]


def test_a_turn_stopped_while_parts_are_read_is_stored_as_cancelled(store: Store) -> None:
    engine = Reader(stop_at=2)
    events = list(made(store, engine).ask(f"Summarize this.\n\n{text_of(300)}", stop=engine.stop))
    last = events[-1]
    assert isinstance(last, TurnFinished)
    assert (last.turn.state, last.turn.answer) == ("cancelled", "")
    assert not any(isinstance(event, TurnPrepared) for event in events)


def test_short_turns_and_questions_tell_of_no_parts(store: Store) -> None:
    for task, text in (
        ("summarization", f"Summarize this.\n\n{text_of(9)}"),
        ("qa", f"{ASKED}\n\n{with_fact()}"),
    ):
        events = list(made(store, Reader(), task).ask(text))
        assert not any(isinstance(event, PartsRead) for event in events)
        last = events[-1]
        assert isinstance(last, TurnFinished)
        assert last.turn.user_text == text


def test_the_screen_is_told_which_part_is_read(store: Store) -> None:
    said: list[str | None] = []
    ended: list[TurnEnded] = []

    def post(message: object) -> None:
        if isinstance(message, TurnChanged):
            said.append(message.doing)
        elif isinstance(message, TurnEnded):
            ended.append(message)

    session: Any = made(store, Reader())
    hold(session, Asking(SimpleNamespace(id=None), f"Summarize this.\n\n{text_of(60)}"), post)  # type: ignore[arg-type]
    parts = [one for one in said if one]
    assert parts[0].startswith("reading a long text: part 1 of ")
    total = parts[0].removesuffix("…").rsplit(" ", 1)[1]
    assert parts[-1] == f"reading a long text: part {total} of {total}…"
    assert said[0] is said[-1] is None
    assert [one.error for one in ended] == [None]


# -- evaluation ------------------------------------------------------------------------------------


def test_an_evaluation_goes_the_same_way() -> None:
    engine = Reader()
    summary = Example("s", "summarization", f"Summarize this.\n\n{text_of(60)}", "", ("",))
    question = Example(
        "q", "qa", f"{with_fact()}\n\nQuestion: {ASKED}\nAnswer:", "Brandt", ("Brandt",)
    )
    assert [one.id for one in predict([summary], planner(), engine, AskOptions())] == ["s"]
    assert len(engine.calls) > 2
    assert "Summarize this." in engine.calls[-1][-1].content
    assert len(engine.calls[-1][-1].content) < 1500
    calls = len(engine.calls)
    predict([question], planner(), engine, AskOptions())
    assert len(engine.calls) == calls + 1
    assert FACT in engine.calls[-1][-1].content
    assert ASKED in engine.calls[-1][-1].content


def test_an_evaluation_stopped_within_a_long_text_says_so() -> None:
    engine = Reader(stop_at=1)
    summary = Example("s", "summarization", f"Summarize this.\n\n{text_of(60)}", "", ("",))
    with pytest.raises(Cancelled):
        predict([summary], planner(), engine, AskOptions(), stop=engine.stop)
