"""Which way a turn is answered: by measurements, shipped and own; what an evaluation measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AdapterError, UsageError
from assistant.measured import (
    Measurement,
    nearest_language,
    of_evaluation,
    read_measurements,
    write_measurements,
)
from assistant.strategy import Chooser


def measured(
    value: float, strategy: str = "zero_shot", shots: int = 0, spread: float = 1.5, **more: Any
) -> Measurement:
    given: dict[str, Any] = {
        "model": "m",
        "task": "qa",
        "lang": "en",
        "metric": "f1",
        "data": "d1",
        "n": 200,
        **more,
    }
    return Measurement(
        strategy=strategy,  # type: ignore[arg-type]
        value=value,
        low=value - spread,
        high=value + spread,
        shots=shots,
        **given,
    )


def few(value: float, shots: int = 4, **more: Any) -> Measurement:
    return measured(value, "few_shot", shots, **more)


def chosen(*rows: Measurement, lang: str = "en", **more: Any) -> tuple[str, int, bool]:
    choice = Chooser(rows).choose("qa", model="m", lang=lang, **more)
    return choice.strategy, choice.shots, choice.nearest


# -- without measurements --------------------------------------------------------------------------


def test_without_measurements_the_prompt_file_decides() -> None:
    choice = Chooser().choose("qa", default_shots=3, model="m")
    assert (choice.strategy, choice.shots, choice.nearest) == ("few_shot", 3, False)
    assert choice.reason == "not measured here: the prompt file's examples"
    choice = Chooser().choose("qa", default_shots=0, model="m")
    assert (choice.strategy, choice.shots) == ("zero_shot", 0)
    assert choice.reason == "not measured here: the prompt file wants no examples"


def test_another_model_or_task_says_nothing() -> None:
    rows = [measured(30), few(60)]
    assert chosen(*rows) == ("few_shot", 4, False)
    assert Chooser(rows).choose("qa", model="other", default_shots=1).shots == 1
    assert Chooser(rows).choose("summarization", model="m", default_shots=1).shots == 1


def test_chat_is_answered_without_examples_unless_they_are_asked_for() -> None:
    rows = [measured(10, task="chat"), few(90, task="chat")]
    choice = Chooser(rows).choose("chat", model="m", lang="en", default_shots=2)
    assert (choice.strategy, choice.reason) == (
        "zero_shot",
        "chat: the conversation itself is the context",
    )
    asked = Chooser(rows).choose("chat", model="m", lang="en", requested="few_shot")
    assert (asked.strategy, asked.shots) == ("few_shot", 4)


# -- what was asked for ----------------------------------------------------------------------------


def test_what_is_asked_for_is_done() -> None:
    rows = [measured(30), few(60)]
    assert chosen(*rows, requested="zero_shot") == ("zero_shot", 0, False)
    assert chosen(measured(60), few(30), requested="few_shot") == ("few_shot", 4, False)


def test_few_shot_as_asked_for_keeps_the_shots_that_were_measured_best() -> None:
    rows = [measured(70), few(40, 2), few(60, 8), few(55, 4, nearest=True)]
    choice = Chooser(rows).choose("qa", requested="few_shot", model="m", lang="en")
    assert (choice.strategy, choice.shots, choice.nearest) == ("few_shot", 8, False)
    assert choice.reason == "few-shot, as asked for"
    assert chosen(few(40, 2), few(60, 4, nearest=True), requested="few_shot") == (
        "few_shot",
        4,
        True,
    )


def test_few_shot_as_asked_for_without_measurements() -> None:
    assert chosen(requested="few_shot", default_shots=3) == ("few_shot", 3, False)
    assert chosen(requested="few_shot", default_shots=0) == ("few_shot", 4, False)
    assert chosen(measured(50), requested="few_shot", default_shots=2) == ("few_shot", 2, False)


def test_what_cannot_be_done() -> None:
    with pytest.raises(UsageError, match="Unknown strategy 'magic'"):
        Chooser().choose("qa", requested="magic")
    with pytest.raises(AdapterError, match="No adapter is installed for qa"):
        Chooser().choose("qa", requested="adapter")
    with pytest.raises(AdapterError, match="No adapter named 'mine'"):
        Chooser().choose("qa", adapter="mine")


# -- by measurements -------------------------------------------------------------------------------


def test_the_best_by_the_mean_over_the_data_that_all_ways_have() -> None:
    rows = [
        *(measured(50, data="d1"), measured(40, data="d2"), measured(99, data="d3")),
        *(few(40, data="d1"), few(60, data="d2")),
    ]
    assert chosen(*rows) == ("few_shot", 4, False)  # 50 against 45; d3 counts for neither
    choice = Chooser(rows).choose("qa", model="m", lang="en")
    assert choice.reason == (
        "few-shot (4 fixed): measured f1 50.0 on 2 data sets (en), against zero-shot 45.0"
    )


def test_the_reason_has_the_figures_in_one_line() -> None:
    rows = [measured(41.04), few(48.26), few(44, 8), few(45.5, nearest=True), few(30, 1)]
    choice = Chooser(rows).choose("qa", model="m", lang="en")
    assert choice.reason == (
        "few-shot (4 fixed): measured f1 48.3 on 200 examples (en), "
        "against few-shot (4 nearest) 45.5, few-shot (8 fixed) 44.0"
    )


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([measured(50), few(51)], ("zero_shot", 0, False)),  # a point more is not worth the wait
        ([measured(50), few(51.2)], ("few_shot", 4, False)),
        ([few(50), few(50.9, nearest=True)], ("few_shot", 4, False)),  # fixed ones are kept ready
        ([few(50, 8), few(50.5, 2, nearest=True)], ("few_shot", 8, False)),
        ([few(50), few(51.5, nearest=True)], ("few_shot", 4, True)),
        ([few(50, 2), few(50.9, 8)], ("few_shot", 2, False)),
        # the margin is to the best, not from one to the next
        ([measured(49), few(49.9, 2), few(50.6, 8)], ("few_shot", 2, False)),
    ],
)
def test_a_dearer_way_must_be_clearly_ahead(
    rows: list[Measurement], wanted: tuple[str, int, bool]
) -> None:
    assert chosen(*rows) == wanted
    assert chosen(*reversed(rows)) == wanted


def test_a_lead_that_may_be_chance_is_none() -> None:
    wide = [measured(43, spread=10), few(47, spread=10)]
    assert chosen(*wide) == ("zero_shot", 0, False)
    assert (
        Chooser(wide).choose("qa", model="m", lang="en").reason
        == "zero-shot: measured f1 43.0 on 200 examples (en), "
        "against few-shot (4 fixed) 47.0; the lead of the dearer may be chance"
    )
    assert chosen(measured(43, spread=4), few(47, spread=4)) == ("few_shot", 4, False)
    # several data sets together are surer than one
    several = [
        one
        for data in "abcdefgh"
        for one in (measured(43, spread=10, data=data), few(47, spread=10, data=data))
    ]
    assert chosen(*several) == ("few_shot", 4, False)


def test_a_way_measured_on_other_data_does_not_spoil_the_comparison() -> None:
    rows = [measured(40), few(50), few(90, 2, data="other")]
    assert chosen(*rows) == ("few_shot", 4, False)
    ranked = Chooser(rows).ranked("qa", "m", "en")
    assert [one.row.shots for one in ranked] == [4, 0]


def test_an_adapter_counts_while_it_is_in_use() -> None:
    rows = [measured(40), measured(80, "adapter", adapter="qa-v2")]
    assert chosen(*rows) == ("zero_shot", 0, False)
    choice = Chooser(rows, {"qa": "qa-v2"}).choose("qa", model="m", lang="en")
    assert (choice.strategy, choice.adapter) == ("adapter", "qa-v2")
    assert choice.reason.startswith("adapter qa-v2: measured f1 80.0 on 200 examples")


def test_an_adapter_that_was_put_to_use_and_compared_with_nothing_answers() -> None:
    """Whoever promotes an adapter wants it; a measurement of it alone says nothing against that."""
    rows = [measured(40), few(50)]
    alone = measured(10, "adapter", adapter="qa-v1", data="other")
    for known in ([], rows, [*rows, alone]):
        chooser = Chooser(known, {"qa": "qa-v1"})
        choice = chooser.choose("qa", model="m", lang="en")
        assert (choice.strategy, choice.adapter) == ("adapter", "qa-v1")
        assert "compared with nothing" in choice.reason
        assert chooser.choose("qa", requested="zero_shot", model="m").strategy == "zero_shot"
    worse = Chooser([*rows, measured(10, "adapter", adapter="qa-v1")], {"qa": "qa-v1"})
    assert worse.choose("qa", model="m", lang="en").strategy == "few_shot"


# -- languages -------------------------------------------------------------------------------------


def test_the_nearest_language_decides() -> None:
    def row(lang: str) -> Measurement:
        return measured(1, lang=lang)

    rows = [row("en-zh"), row("fr-zh"), row("en-de"), row("de-fr"), row("")]

    def nearest(lang: str, *without: str) -> list[str]:
        left = [one for one in rows if one.lang not in without]
        return [one.lang for one in nearest_language(left, lang)]

    assert nearest("en-zh") == ["en-zh"]
    assert nearest("en-zh", "en-zh") == ["fr-zh"]  # the same target
    assert nearest("en-zh", "en-zh", "fr-zh") == ["en-de"]  # the same source
    assert nearest("en-zh", "en-zh", "fr-zh", "en-de") == [""]  # a mixture
    assert nearest("en-zh", "en-zh", "fr-zh", "en-de", "") == ["de-fr"]  # whatever there is
    assert nearest("ja") == [""]
    assert nearest("ja", "") == ["en-zh", "fr-zh", "en-de", "de-fr"]
    assert nearest_language([], "ja") == []


def test_each_language_has_its_own_choice() -> None:
    rows = [
        *(measured(50, lang="en"), few(30, lang="en")),
        *(measured(20, lang="zh"), few(40, lang="zh")),
        *(measured(40, lang=""), few(45, 2, lang="")),
    ]
    assert chosen(*rows, lang="en") == ("zero_shot", 0, False)
    assert chosen(*rows, lang="zh") == ("few_shot", 4, False)
    assert chosen(*rows, lang="fr") == ("few_shot", 2, False)
    assert "(" not in Chooser(rows).choose("qa", model="m", lang="fr").reason.split("examples")[1]


# -- own measurements ------------------------------------------------------------------------------

SHIPPED = [measured(40), few(60)]


def test_own_measurements_win() -> None:
    own = [measured(55, data="mine", own=True), few(50, data="mine", own=True, n=30)]
    assert chosen(*SHIPPED, *own) == ("zero_shot", 0, False)
    choice = Chooser([*SHIPPED, *own]).choose("qa", model="m", lang="en")
    assert choice.reason == (
        "zero-shot: your own measurement f1 55.0 on 200 examples (en), "
        "against few-shot (4 fixed) 50.0"
    )


@pytest.mark.parametrize(
    "own",
    [
        [measured(99, data="mine", own=True)],
        [few(99, 2, data="mine", own=True)],  # a way that does not ship
        [measured(99, data="mine", own=True), few(10, 2, data="other", own=True)],
        [measured(99, lang="", own=True), few(10, lang="", own=True)],  # no nearer than the shipped
    ],
)
def test_own_measurements_that_compare_nothing_leave_the_choice_as_it_was(
    own: list[Measurement],
) -> None:
    assert Chooser([*SHIPPED, *own]).choose("qa", model="m", lang="en") == Chooser(SHIPPED).choose(
        "qa", model="m", lang="en"
    )


def test_one_way_measured_in_a_nearer_language_leaves_the_choice_as_it_was() -> None:
    own = measured(99, lang="zh", data="mine", own=True)
    assert chosen(*SHIPPED, own, lang="zh") == ("few_shot", 4, False)


def test_of_two_own_measurements_of_a_way_the_newer_counts() -> None:
    own = [few(90, own=True), measured(50, own=True), few(20, own=True)]
    assert chosen(*own) == ("zero_shot", 0, False)


# -- evaluations as measurements, and their file ---------------------------------------------------

REPORT: dict[str, Any] = {
    "task": "qa",
    "strategy": "few_shot",
    "model": "m",
    "adapter": None,
    "n": 50,
    "scores": {"f1": 61.5, "exact_match": 40.0},
    "ci95": {"f1": [55.0, 68.0]},
    "timing": {"total_s": 100.0, "examples_per_s": 0.5},
    "setting": {
        "lang": "zh",
        "shots": 4,
        "nearest": True,
        "data_sha256": "0123456789abcdef",
        "limit": None,
        "seed": 0,
    },
}


def with_setting(**changes: Any) -> dict[str, Any]:
    return {**REPORT, "setting": {**REPORT["setting"], **changes}}


def test_an_evaluation_is_a_measurement_of_its_way() -> None:
    row = of_evaluation(REPORT, "f1")
    assert row == Measurement(
        *("m", "qa", "zh", "few_shot", "f1", 61.5, 55.0, 68.0, 50),
        shots=4,
        nearest=True,
        seconds=2.0,
        data="0123456789ab",
        own=True,
    )
    assert row is not None
    assert row.way == "few-shot (4 nearest)"


def test_another_draw_from_a_file_is_other_data() -> None:
    names = []
    for setting in ({}, {"limit": 50}, {"limit": 50, "seed": 1}, {"limit": 60}):
        row = of_evaluation(with_setting(**setting), "f1")
        assert row is not None
        names.append(row.data)
    assert len(set(names)) == 3
    assert names[0] == names[3]  # a limit that the file did not reach


@pytest.mark.parametrize(
    "report",
    [
        {**REPORT, "strategy": "auto"},  # whatever was chosen for each turn: no way of its own
        {**REPORT, "setting": {}},  # from before settings were kept
        {name: value for name, value in REPORT.items() if name != "setting"},
        {**REPORT, "scores": {"exact_match": 40.0}},
        with_setting(personal=True),
    ],
)
def test_what_is_no_measurement(report: dict[str, Any]) -> None:
    assert of_evaluation(report, "f1") is None


def test_the_time_of_answers_taken_over_is_not_known() -> None:
    row = of_evaluation({**REPORT, "timing": {"total_s": 0.0, "examples_per_s": 0.0}}, "f1")
    assert row is not None
    assert row.seconds == 0


def test_measurements_are_written_one_a_line_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    assert read_measurements(path) == []
    rows = [measured(40, lang="中文"), few(60, nearest=True, adapter="a", seconds=1.5, own=True)]
    write_measurements(path, rows)
    assert read_measurements(path) == rows
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(rows) + 2
    write_measurements(path, [])
    assert read_measurements(path) == []


def test_a_score_that_is_no_number_is_no_measurement() -> None:
    assert of_evaluation({**REPORT, "scores": {"f1": float("nan")}}, "f1") is None


def test_rows_given_by_a_function_are_those_of_now() -> None:
    rows = [measured(50)]
    chooser = Chooser(lambda: rows)
    assert chooser.choose("qa", model="m", lang="en").strategy == "zero_shot"
    rows.append(few(70))
    assert chooser.rows == tuple(rows)
    assert chooser.choose("qa", model="m", lang="en").strategy == "few_shot"
