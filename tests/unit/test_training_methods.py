"""Rows for dpo and kto: the contract's and TRL's forms, what is wrong with them, and what goes with what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from preference_help import asked
from training_help import job, request

from assistant.errors import UsageError
from assistant.training.method_rows import JudgedExample, read_rows

BASE: dict[str, Any] = {"input": "Mood? sea", "target": "sad", "labels": ["glad", "sad"]}
PAIR: dict[str, Any] = {**BASE, "rejected": "SAD"}
GOOD: dict[str, Any] = {**BASE, "desirable": True}
BAD: dict[str, Any] = {**BASE, "target": "SAD", "desirable": False}
SAID = {"role": "assistant", "content": "sad"}
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Mood? sea"},
]


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(folder: Path, method: str, *rows: object) -> tuple[JudgedExample, ...]:
    found = read_rows(written(folder / "rows.jsonl", *rows), "classification", method).rows
    assert all(isinstance(row, JudgedExample) for row in found)
    return found  # type: ignore[return-value]


# -- forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Mood? sea", "chosen": "sad", "rejected": "SAD", "labels": ["glad", "sad"]},
        {
            "prompt": ASKED,
            "chosen": [SAID],
            "rejected": [{**SAID, "content": "SAD"}],
            "labels": ["glad", "sad"],
        },
    ],
)
def test_pairs_of_trl_are_those_of_the_contract(tmp_path: Path, row: dict[str, Any]) -> None:
    (ours,) = read(tmp_path, "dpo", PAIR)
    assert read(tmp_path, "dpo", row) == (ours,)
    assert (ours.input, ours.target, ours.rejected) == ("Mood? sea", "sad", "SAD")


@pytest.mark.parametrize("prompt", ["Mood? sea", ASKED])
def test_judged_answers_of_trl_are_those_of_the_contract(tmp_path: Path, prompt: object) -> None:
    labels = ["glad", "sad"]
    ours = read(tmp_path, "kto", GOOD, BAD)
    trl = [
        {"prompt": prompt, "completion": [SAID], "label": True, "labels": labels},
        {"prompt": prompt, "completion": "SAD", "label": False, "labels": labels},
    ]
    assert read(tmp_path, "kto", *trl) == ours
    assert [row.desirable for row in ours] == [True, False]


def test_sft_reads_completions_and_chosen_answers(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "sft", {"prompt": ASKED, "completion": [SAID]})
    assert (row.input, row.target) == ("Mood? sea", "sad")
    (row,) = read(tmp_path, "sft", {"prompt": "x", "chosen": "sad", "rejected": "SAD"})
    assert row.target == "sad"
    plain = read_rows(written(tmp_path / "rows.jsonl", BASE), "classification", "sft").rows
    assert not isinstance(plain[0], JudgedExample)


def test_what_a_row_is_about_is_read(tmp_path: Path) -> None:
    pair = {"prompt": "Mood? sea", "chosen": "sad", "rejected": "glad", "context": "A turn."}
    (row,) = read(tmp_path, "dpo", {**pair, "label_names": ["glad", "sad"], "lang": "en"})
    assert (row.labels, row.lang, row.context) == (("glad", "sad"), "en", "A turn.")
    (row,) = read(tmp_path, "dpo", {**pair, "label_names": [], "context": ""})
    assert (row.labels, row.context) == ((), None)


def test_what_the_feedback_export_writes_is_read(tmp_path: Path) -> None:
    from assistant.store import trl
    from assistant.types import Message

    sent = [Message("system", "Be brief."), Message("user", "Mood? sea")]
    (row,) = read(tmp_path, "dpo", trl.dpo(sent, "sad", "SAD"))
    assert (row.input, row.target, row.rejected) == ("Mood? sea", "sad", "SAD")
    (row,) = read(tmp_path, "kto", trl.kto(sent, "sad", False))
    assert (row.target, row.desirable) == ("sad", False)


def test_the_answers_of_a_pair_are_encoded_side_by_side(tmp_path: Path) -> None:
    made = job(asked(tmp_path, "dpo"))
    row = made.encoded.rows[0]
    assert row.answer != row.other
    assert row.answer[-1] == row.other[-1]
    assert len(row.positions) == len(row.ids) == row.length
    assert row.positions[len(row.prompt) + len(row.answer) - 1] == len(row.prompt)


# -- what is wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "row", "says"),
    [
        ("dpo", BASE, "needs a text in 'rejected'"),
        ("dpo", {**BASE, "rejected": " "}, "'rejected' is to be a text"),
        ("dpo", {**BASE, "rejected": ["SAD"]}, "'rejected' is to be a text"),
        ("dpo", {**BASE, "rejected": "sad "}, "the same as the chosen one"),
        ("dpo", {**PAIR, "target": "angry"}, "'angry' is none of its labels"),
        ("dpo", {**PAIR, "rejected": "\ud83d"}, "half a character"),
        ("kto", PAIR, "needs true or false in 'desirable'"),
        ("kto", {**BASE, "desirable": 1}, "'desirable' is to be true or false"),
        ("kto", {**GOOD, "target": "angry"}, "'angry' is none of its labels"),
        ("sft", BAD, "was judged bad"),
        ("sft", {**BASE, "rejected": 3}, "'rejected' is to be a text"),
        ("dpo", {"prompt": "x", "chosen": "a", "rejected": "b"}, "'input'"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    tmp_path: Path, method: str, row: dict[str, Any], says: str
) -> None:
    first = {"sft": BASE, "dpo": PAIR, "kto": GOOD}[method]
    path = tmp_path / "wrong.jsonl"
    path.write_text(f"{json.dumps(first)}\n\n{json.dumps(row)}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        job(replace(request(tmp_path, method=method), data=(path,)))
    assert f"{path}, line 3" in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("method", "row", "says"),
    [
        ("dpo", {"prompt": "x", "completion": "a", "label": True}, "'chosen' and 'rejected'"),
        ("dpo", {"prompt": "x", "chosen": "a"}, "needs a text in 'rejected'"),
        ("dpo", {"prompt": "x", "chosen": "a", "rejected": []}, "needs a text or messages"),
        ("dpo", {"prompt": [], "chosen": "a", "rejected": "b"}, "in 'prompt'"),
        ("dpo", {"prompt": [SAID], "chosen": "a", "rejected": "b"}, "message of the user"),
        ("dpo", {"prompt": "x", "chosen": [SAID, SAID], "rejected": "b"}, "one message"),
        ("dpo", {"prompt": "x", "chosen": "a", "rejected": "b", "task": "qa"}, "is for qa"),
        ("dpo", {"prompt": "x", "chosen": "a", "rejected": "b", "labels": "c"}, "'labels'"),
        ("dpo", {"input": "x", "target": "a", "rejected": "b"}, "has no 'prompt'"),
        ("dpo", {"prompt": "\ud83d", "chosen": "a", "rejected": "b"}, "half a character"),
        ("kto", {"prompt": "x", "completion": "a"}, "true or false in 'label'"),
        ("kto", {"prompt": "x", "completion": "a", "label": "yes"}, "true or false in 'label'"),
        ("kto", {"prompt": "x", "chosen": "a", "rejected": "b"}, "needs 'completion'"),
        ("sft", {"prompt": "x", "completion": "a", "label": False}, "was judged bad"),
        ("sft", {"prompt": "x"}, "'completion'"),
    ],
)
def test_a_wrong_row_of_trl_is_named_by_file_and_line(
    tmp_path: Path, method: str, row: dict[str, Any], says: str
) -> None:
    first = {
        "sft": {"prompt": "x", "completion": "y"},
        "dpo": {"prompt": "x", "chosen": "a", "rejected": "b"},
        "kto": {"prompt": "x", "completion": "a", "label": True},
    }[method]
    path = written(tmp_path / "wrong.jsonl", first, row)
    with pytest.raises(UsageError) as caught:
        read_rows(path, "classification", method)
    assert f"{path}, line 2" in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("row", "hint"), [(BASE, "--method sft"), (GOOD, "--method kto"), (BAD, "--method kto")]
)
def test_what_is_no_pair_is_shown_where_it_belongs(
    tmp_path: Path, row: dict[str, Any], hint: str
) -> None:
    with pytest.raises(UsageError, match="needs a text in 'rejected'") as caught:
        read(tmp_path, "dpo", row)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
@pytest.mark.parametrize(("line", "says"), [('{"prompt"', "is not JSON"), ("[1]", "JSON object")])
def test_a_broken_line_is_named(tmp_path: Path, method: str, line: str, says: str) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match="line 2") as caught:
        read_rows(path, "classification", method)
    assert says in caught.value.message
    with pytest.raises(UsageError, match="missing"):
        read_rows(tmp_path / "missing.jsonl", "classification", method)


# -- what goes with what -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_other_wordings_are_for_sft(tmp_path: Path, method: str) -> None:
    with pytest.raises(UsageError, match=f"do not go with --method {method}"):
        job(asked(tmp_path, method, augment=True))


@pytest.mark.parametrize(("row", "kind"), [(GOOD, "good"), (BAD, "bad")])
def test_kto_needs_both_kinds(tmp_path: Path, row: dict[str, Any], kind: str) -> None:
    made = request(tmp_path, method="kto")
    data = written(tmp_path / "one.jsonl", *[row] * 4)
    with pytest.raises(UsageError, match=f"All 4 answers were judged {kind}"):
        job(replace(made, data=(data,)))


def test_a_pair_is_too_long_if_one_of_its_answers_is(tmp_path: Path) -> None:
    made = request(tmp_path, method="dpo")
    long = {**PAIR, "rejected": "SAD " * 300}
    data = written(tmp_path / "one.jsonl", PAIR, long)
    found = job(replace(made, data=(data,)))
    assert (len(found.encoded.rows), found.encoded.too_long) == (1, 1)


def test_sft_says_that_rejected_answers_are_not_looked_at(tmp_path: Path) -> None:
    from assistant import config
    from assistant.paths import user_paths
    from assistant.training.job import Job

    said: list[str] = []
    data = written(tmp_path / "pairs.jsonl", PAIR, BASE)
    made = replace(request(tmp_path), data=(data,))
    user = config.load(model=made.model, threads=1)
    found = Job(made, user, user_paths(), said.append)
    assert any("1 rejected answers are not looked at" in one for one in said)
    assert all(not row.other for row in found.encoded.rows)
