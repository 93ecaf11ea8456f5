"""Questions to the real SmolLM2-135M: it is small, so what is checked is rarely how clever it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from real_program import NAME, Program

from assistant.measured import read_measurements
from assistant.strategy import Chooser

pytestmark = pytest.mark.real

TASKS = ("qa", "translation", "summarization", "classification", "chat")
PASSAGE = (
    "The Amazon rainforest covers most of the Amazon basin of South America. It is home to about "
    "ten percent of all known species. Farming and logging have destroyed a fifth of it since 1970."
)


def test_json_has_every_field_of_the_contract(shared: Program) -> None:
    value = shared("ask", "--json", "--seed", "1", "--max-tokens", "20", "Hello, who are you?").json
    assert value["text"].strip()
    assert value["task"] == value["route"]["task"]
    assert value["task"] in TASKS
    assert set(value["route"]["scores"]) == set(TASKS)
    assert sum(value["route"]["scores"].values()) == pytest.approx(1.0, abs=1e-4)
    assert value["route"]["confidence"] == max(value["route"]["scores"].values())
    assert value["strategy"] in ("zero_shot", "few_shot")
    assert value["adapter"] is None
    assert value["model"] == NAME
    usage, timing = value["usage"], value["timing"]
    assert usage["prompt_tokens"] > 10
    assert usage["cached_prompt_tokens"] == 0
    assert 1 <= usage["completion_tokens"] <= 20
    assert 0 < timing["first_token_s"] <= timing["total_s"]
    assert 0 < timing["route_s"] <= timing["first_token_s"]
    assert timing["tokens_per_s"] > 0
    assert value["finish_reason"] in ("stop", "length")
    shown = shared("history", "show", value["conversation_id"], "--json").json
    assert [turn["id"] for turn in shown["turns"]] == [value["turn_id"]]
    assert shown["turns"][0]["answer"] == value["text"]


def test_a_greedy_answer_is_the_same_every_time_and_the_same_without_a_stream(
    shared: Program,
) -> None:
    question = ("ask", "-t", "qa", "--max-tokens", "24", f"What covers the basin? {PASSAGE}")
    first = shared(*question)
    assert first.code == 0
    assert first.out.strip()
    assert shared(*question).out == first.out
    assert shared(*question, "--no-stream").out == first.out


def test_a_pipe_and_words_join(shared: Program) -> None:
    done = shared("Summarize", "this:", "--json", "--max-tokens", "30", stdin=PASSAGE)
    shown = shared("history", "show", done.json["conversation_id"], "--json").json
    assert shown["turns"][0]["user_text"] == f"Summarize this:\n\n{PASSAGE}"
    assert done.json["task"] == "summarization"


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("translation", "Translate into French: The weather is nice today."),
        ("summarization", f"Summarize in one sentence: {PASSAGE}"),
        ("classification", "Is the sentiment of this positive or negative? I love this phone."),
        ("qa", f"Which continent is the basin in?\n\n{PASSAGE}"),
        ("chat", "Good evening!"),
    ],
)
def test_every_task_answers(shared: Program, task: str, text: str) -> None:
    value = shared("ask", "-t", task, "--json", "--seed", "1", "--max-tokens", "24", text).json
    assert value["task"] == task
    assert value["route"]["source"] == "forced"
    assert value["text"].strip()
    # By what was measured of this model, else by what the prompt file wants.
    chosen = Chooser(read_measurements()).choose(
        task,
        model=value["model"],
        lang="en-fr" if task == "translation" else "en",
        default_shots=0 if task == "summarization" else 4,
    )
    assert (value["strategy"], value["strategy_reason"]) == (chosen.strategy, chosen.reason)
    assert ("probabilities" in value) == (task == "classification")


@pytest.mark.parametrize(
    ("review", "right"),
    [
        ("This film was wonderful, I loved every minute of it!", "positive"),
        ("This film was terrible, boring and far too long. I hated it.", "negative"),
    ],
)
def test_an_obvious_review_is_classified_right(shared: Program, review: str, right: str) -> None:
    value = shared("ask", "--labels", "positive,negative", "--json", review).json
    assert set(value["probabilities"]) == {"positive", "negative"}
    assert sum(value["probabilities"].values()) == pytest.approx(1.0)
    assert value["text"] == right
    assert value["probabilities"][right] > 0.5


def test_a_batch_is_routed_in_order(shared: Program) -> None:
    rows = [
        {"id": "t", "input": "Translate into German: good morning"},
        {"id": "s", "input": f"Summarize this text: {PASSAGE}"},
        {"id": "c", "input": "Hi there, how are you doing?"},
    ]
    batch = "".join(json.dumps(row) + "\n" for row in rows)
    done = shared("route", "--batch", "-", stdin=batch)
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["id"], row["task"]) for row in found] == [
        ("t", "translation"),
        ("s", "summarization"),
        ("c", "chat"),
    ]


def test_a_text_longer_than_the_window_is_a_clear_error(fresh: Callable[..., Program]) -> None:
    program = fresh(ASSISTANT_CONTEXT_TOKENS="300")
    done = program("ask", "-t", "translation", "--to", "French", stdin=PASSAGE * 20)
    assert (done.code, done.out.strip()) == (1, "")
    assert "the model reads at most 300" in done.err
    turn = program("history", "show", "--json").json["turns"][0]
    assert turn["state"] == "failed"
    assert turn["user_text"].endswith(PASSAGE)


def test_a_conversation_goes_on_and_can_be_found_and_judged(fresh: Callable[..., Program]) -> None:
    program = fresh()
    options = ("--json", "-t", "chat", "--seed", "1", "--max-tokens", "16")
    first = program("ask", *options, "My name is Zebulon.").json
    second = program("ask", *options, "-c", "What is my name?").json
    assert second["conversation_id"] == first["conversation_id"]

    listed = program("history", "list", "--json").json
    assert [(c["id"], c["turn_count"]) for c in listed] == [(first["conversation_id"], 2)]
    sent = program("history", "show", "--json").json["turns"][1]["sent"]
    assert [message["content"] for message in sent[1:]] == [
        *("My name is Zebulon.", first["text"], "What is my name?")
    ]
    hits = program("history", "search", "Zebulon", "--json").json
    assert {hit["conversation_id"] for hit in hits} == {first["conversation_id"]}

    added = program(
        *("feedback", "add", second["turn_id"], "--bad", "--correction", "You are Zebulon.")
    )
    assert added.code == 0, added.err
    rows = [
        json.loads(line)
        for line in program("feedback", "export", "--format", "trl-dpo").out.splitlines()
    ]
    assert len(rows) == 1
    chosen, rejected = (
        rows[0][side][-1]["content"] if isinstance(rows[0][side], list) else rows[0][side]
        for side in ("chosen", "rejected")
    )
    assert (chosen, rejected) == ("You are Zebulon.", second["text"])
    assert "What is my name?" in json.dumps(rows[0]["prompt"])
