"""The simulated user of ``benchmarks/feedback.py``: its oracles, its texts, and one cell of each kind."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant import understand
from assistant.cli import main as assistant
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.testing import tiny_model
from assistant.training import gating, refining
from assistant.training.examples import collect
from assistant.training.material import material

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LEAST = {"house": 120, "desks": 230, "bullets": 60, "poison": 40}


@pytest.fixture(scope="module")
def sim() -> Iterator[Any]:
    """Return a function that imports what lies below ``benchmarks/``."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(BENCHMARKS))


def preference(sim: Any, name: str) -> Any:
    return getattr(sim(f"feedback_sim.{name}"), name)()


def every(wanted: Any) -> list[Any]:
    return [*wanted.taught, *wanted.held_out]


@pytest.mark.parametrize("name", LEAST)
def test_the_oracle_follows_its_own_preference_and_the_usual_answer_does_not(
    sim: Any, name: str
) -> None:
    wanted = preference(sim, name)
    assert all(wanted.follows(case, case.wanted) for case in every(wanted))
    assert not any(wanted.follows(case, case.usual) for case in every(wanted))
    assert not any(wanted.follows(case, "") for case in every(wanted))


@pytest.mark.parametrize("name", LEAST)
def test_no_input_is_there_twice_and_what_is_measured_is_never_taught(sim: Any, name: str) -> None:
    wanted = preference(sim, name)
    cases = every(wanted)
    assert len(cases) >= LEAST[name]
    plain = ["".join(case.about.casefold().split()) for case in cases]
    assert [text for text, times in Counter(plain).items() if times > 1] == []
    assert len({case.id for case in cases}) == len({case.text for case in cases}) == len(cases)


@pytest.mark.parametrize("name", LEAST)
def test_nothing_is_in_a_shipped_check(sim: Any, name: str) -> None:
    files = sorted((BENCHMARKS / "texts").glob("*_check.jsonl"))
    checks = [
        json.loads(line)["input"] for file in files for line in file.read_text("utf-8").splitlines()
    ]
    assert len(checks) > 700
    whole = "\n".join("".join(text.casefold().split()) for text in checks)
    plain = {
        case.id: "".join(case.about.casefold().split()) for case in every(preference(sim, name))
    }
    assert [key for key, text in plain.items() if text in whole] == []


@pytest.mark.parametrize("name", ["desks", "poison"])
def test_the_program_reads_the_labels_and_finds_no_other_meaning_in_them(
    sim: Any, name: str
) -> None:
    wanted = preference(sim, name)
    for case in every(wanted):
        assert set(understand.labels_in(case.text)) == set(case.labels), case.text
        assert not any(label in case.about for label in case.labels)
    counts = Counter(case.wanted for case in wanted.taught)
    assert max(counts.values()) < 2 * min(counts.values())
    assert {case.wanted for case in wanted.held_out} == set(counts)


def test_the_program_reads_the_direction_of_every_translation(sim: Any) -> None:
    for case in every(preference(sim, "house")):
        assert understand.translation_direction(case.text) == ("en", "zh"), case.text


def test_a_house_has_its_words_and_form_of_address(sim: Any) -> None:
    house = sim("feedback_sim.house")
    assert house.in_house("你的订单和你们的发票") == "您的配单和各位的结算单"
    (case, *_) = [one for one in house.house().taught if "客户" in one.usual]
    assert not house.follows(case, case.wanted.replace("会员", "客户"))
    assert not house.follows(case, case.wanted.replace("会员", ""))
    words = Counter(word for one in house.house().held_out for word in house.house_words(one))
    assert set(words) >= set(house.GLOSSARY.values())


def test_three_bullets_are_exactly_three(sim: Any) -> None:
    bullets = sim("feedback_sim.bullets")
    case = bullets.bullets().taught[0]
    assert bullets.follows(case, "- one\n\n* two\n• three\n")
    assert not bullets.follows(case, "- one\n- two")
    assert not bullets.follows(case, "Here it is:\n- one\n- two\n- three")
    assert not bullets.follows(case, "1. one\n2. two\n3. three")
    assert bullets.three("One sentence says it all here.") is None
    text = (
        "It is late. The train to Porto leaves at 9:40. Nobody knows why. Anna carries 3 bags home."
    )
    assert bullets.three(text) == (
        "- The train to Porto leaves at 9:40\n- Nobody knows why\n- Anna carries 3 bags home"
    )


def test_more_corrections_hold_the_fewer_and_enough_of_them_can_be_refined_on(
    sim: Any, tmp_path: Path
) -> None:
    teaching = sim("feedback_sim.teaching")
    for name in LEAST:
        wanted = preference(sim, name)
        few, many = wanted.drawn(10, 1), wanted.drawn(25, 1)
        assert many[:10] == few
        assert wanted.drawn(10, 2) != few
        with Store(tmp_path / f"{name}.db") as store:
            teaching.correct(store, wanted.task, many, "tiny")
            found = material(wanted.task, collect(store.feedback(), store.preferences()))
            assert found.method == "sft"
            assert len(found.trained) + len(found.held_out) >= 23
            assert {one.target for one in found.held_out} <= {case.wanted for case in many}
            assert len(store.wanted_answers()) == 25


def test_habits_are_parted_for_good(sim: Any) -> None:
    habits = sim("feedback_sim.habits")
    taught, held = habits.habits(0)
    other, same = habits.habits(1)
    assert len(taught) >= 200
    assert held == same
    assert taught != other
    assert not {row["input"] for row in taught} & {row["input"] for row in held}
    assert len({row["habit"] for row in taught[:14]}) == 14


def test_a_home_is_fresh_and_gone_afterwards(
    sim: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaching = sim("feedback_sim.teaching")
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "user"))
    (tmp_path / "user" / "models").mkdir(parents=True)
    (tmp_path / "user" / "models" / "a.gguf").write_text("weights")
    with teaching.fresh_home() as home:
        assert (user_paths().models / "a.gguf").read_text() == "weights"
        assert not user_paths().database.exists()
    assert not home.exists()
    assert (tmp_path / "user" / "models" / "a.gguf").is_file()
    assert user_paths().models == tmp_path / "user" / "models"


def test_cells_are_kept_at_once_and_of_one_model(sim: Any, tmp_path: Path) -> None:
    cells = sim("feedback_sim.cells")
    file = tmp_path / "results" / "out.json"
    key = cells.Key("desks", "shots", 10, 0)
    cells.Cells(file, "tiny").add(key, {"follows": 50.0})
    again = cells.Cells(file, "tiny")
    assert again.get(key)["follows"] == 50.0
    assert again.get(cells.Key("desks", "shots", 25, 0)) is None
    with pytest.raises(ValueError, match="of the model tiny, not other"):
        cells.Cells(file, "other")
    assert cells.share([True] * 8) == (100.0, [100.0, 100.0])
    value, (low, high) = cells.share([True, False] * 10)
    assert low < value == 50.0 < high


def _in_process(wish: Any) -> dict[str, Any]:
    """Refine as the command does, in this process, where the gate's check is cut short."""
    from feedback_sim.measuring import arguments

    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as end:
        assistant(["refine", *arguments(wish)])
    assert end.value.code in (None, 0, 3)
    return dict(json.loads(said.getvalue())[0])


def test_one_cell_of_each_way_with_the_tiny_model(
    sim: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("ASSISTANT_THREADS", "1")
    monkeypatch.setattr(refining, "EPOCHS", 0.5)
    monkeypatch.setattr(refining, "_REPLAY_LEAST", 4)
    monkeypatch.setattr(refining, "REPLAYED", 0)
    monkeypatch.setattr(gating, "_GUARDED", {"classification": 6})
    tiny = tiny_model(tmp_path / "tiny")
    feedback = sim("feedback")
    line = ["--only", "desks", "--counts", "25", "900", "--limit", "4", "-m", str(tiny)]
    line += ["--output", str(tmp_path / "out.json")]
    assert feedback.main(line, refine=_in_process) == 0
    said = capsys.readouterr()
    assert "turns to correct, not 900" in said.err
    assert said.out.count("| desks |") == 3
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))["cells"]
    assert [(one["way"], one["count"]) for one in found] == [
        ("without", 0),
        ("shots", 25),
        ("refined", 25),
    ]
    for cell in found:
        assert cell["n"] == len(cell["followed"]) == len(cell["answers"]) == 4
        assert set(cell["answers"]) <= {"A1", "B2", "C3", "D4"}
        assert cell["follows"] == pytest.approx(cell["score"], abs=0.01)
    refined = found[-1]
    assert refined["decision"] in ("promoted", "refused")
    assert refined["trained"] + refined["held_out_of_feedback"] >= 23
    assert refined["table"][0]["kind"] == "own"

    def never(wish: Any) -> dict[str, Any]:
        raise AssertionError("it was refined again")

    assert feedback.main([*line, "--json"], refine=never) == 0
    again = capsys.readouterr().out
    assert json.loads(again)["cells"] == found
    assert not (tmp_path / "user" / "data").exists()


def test_the_poisoned_user_is_kept_on_record_and_a_failure_is_said(
    sim: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "user"))
    tiny = tiny_model(tmp_path / "tiny")
    feedback = sim("feedback")
    line = ["--only", "poison", "-m", str(tiny), "--output", str(tmp_path / "out.json")]

    def broken(wish: Any) -> dict[str, Any]:
        raise RuntimeError("no memory left")

    assert feedback.main(line, refine=broken) == 1
    assert "poison: no memory left" in capsys.readouterr().err

    def refused(wish: Any) -> dict[str, Any]:
        with Store(user_paths().database) as store:
            found = material("classification", collect(store.feedback(), store.preferences()))
        assert not found.lacks
        values = {"trained": len(found.trained), "held_out": len(found.held_out)}
        return {"decision": "refused", **values, "reasons": ["It got worse."]}

    assert feedback.main(line, refine=refused) == 0
    (cell,) = json.loads((tmp_path / "out.json").read_text("utf-8"))["cells"]
    assert (cell["decision"], cell["reasons"]) == ("refused", ["It got worse."])


def test_curves_pool_the_answers_of_all_seeds(sim: Any, tmp_path: Path) -> None:
    plot = sim("feedback_sim.plot")
    cells = [
        {"preference": "desks", "way": way, "count": count, "seed": seed, "followed": followed}
        for way, count, seed, followed in (
            ("without", 0, 0, [False, True]),
            ("shots", 10, 0, [True, True]),
            ("shots", 10, 1, [True, False]),
        )
    ]
    ((count, value, low, high),) = plot.curve(cells, "desks", "shots")
    assert (count, value) == (10, 75.0)
    assert low <= value <= high
    pytest.importorskip("matplotlib")
    plot.draw(cells, tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text("utf-8")
