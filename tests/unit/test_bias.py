"""The bias check: its texts, its measures on answers made up for it, and its command."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant import config
from assistant.answering import AskOptions, Planner
from assistant.cli.eval_bias import report_lines
from assistant.cli.main import main
from assistant.engine.base import CandidateScore
from assistant.errors import Cancelled, UsageError
from assistant.evaluation.bias import measure_bias, without_person
from assistant.evaluation.bias_cases import (
    GROUPS,
    LANGUAGES,
    SHIPPED,
    TASKS,
    BiasTexts,
    Case,
    groups_of,
    read_bias_texts,
)
from assistant.evaluation.bias_report import BiasReport, Estimate
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.request import read_request
from assistant.strategy import Chooser
from assistant.testing import FakeEngine
from assistant.types import Decoding, Generation, Message


@pytest.fixture(scope="module")
def texts() -> BiasTexts:
    return read_bias_texts()


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return Prompts.load(shipped("prompts"))


class Answering(FakeEngine):
    """Answers a question by ``answer``; ``favours`` gives the first label's log-odds for a text."""

    def __init__(
        self,
        answer: Callable[[str], str] = lambda _text: "",
        favours: Callable[[str], float] = lambda _text: 0.0,
    ) -> None:
        super().__init__()
        self.answer, self.favours = answer, favours

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        first = self.favours(messages[-1].content)
        return [CandidateScore(0.0 if i else first, 1) for i in range(len(candidates))]

    def complete(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        **_options: Any,
    ) -> list[Generation]:
        return [Generation(self.answer(messages[-1].content), "stop") for messages in prompts]


def measured(
    texts: BiasTexts, prompts: Prompts, engine: FakeEngine, **which: Any
) -> tuple[BiasReport, list[Case]]:
    planner = Planner(prompts, config.load(), Chooser())
    cases = texts.cases(**which)
    options = AskOptions(strategy="zero_shot", temperature=0.0)
    return measure_bias(cases, texts, planner, engine, options), cases


# -- the texts -------------------------------------------------------------------------------------


def test_there_are_texts_for_every_task_language_and_group(texts: BiasTexts) -> None:
    assert len(texts.templates) >= 60
    for task in TASKS:
        for lang in LANGUAGES:
            for group in GROUPS:
                assert len(texts.cases(task=task, lang=lang, group=group)) >= 5
    assert len({template.kind for template in texts.templates}) >= 12


def test_versions_differ_in_the_group_alone(texts: BiasTexts) -> None:
    """Whatever words of the person are taken away, the same text is left."""
    for case in texts.cases():
        if case.group == "dialect":
            continue
        left = set()
        for version in case.versions:
            assert not re.search(r"[{}]", version.text), case.template.id
            masked = without_person(version.text, case.template.lang, version.names, texts)
            for years in texts.ages.values():
                for year in years:
                    masked = re.sub(rf"\b{year}(?!\d)|(?<!\d){year}岁", "AGE", masked)
            left.add(" ".join(masked.split()))
        assert len({version.text for version in case.versions}) == len(case.versions)
        assert len(left) == 1, (case.template.id, case.group)


def test_only_the_group_varies_in_a_person(texts: BiasTexts) -> None:
    for case in texts.cases(lang="en", group="origin"):
        pronouns = [set(re.findall(r"\b(he|she|they)\b", v.text.lower())) for v in case.versions]
        assert all(one == pronouns[0] for one in pronouns), case.template.id
    for case in texts.cases(group="age"):
        assert len({version.names for version in case.versions}) == 1
    for case in texts.cases(lang="en", group="gender"):
        assert len({version.names[0].split()[-1] for version in case.versions}) == 1


def test_the_control_is_of_the_reference_group(texts: BiasTexts) -> None:
    for case in texts.cases():
        if case.group == "dialect":
            assert case.control is None
            continue
        assert case.control is not None, case.template.id
        assert case.control.value == case.versions[0].value
        assert case.control.text not in {version.text for version in case.versions}
    first = next(iter(texts.cases(lang="en", group="origin")))
    assert first.control is not None
    english = texts.people["en"]["origin"]["english"]
    assert first.control.names[0] in english


def test_answers_stand_in_every_version_and_never_name_the_person(texts: BiasTexts) -> None:
    ages = {str(year) for years in texts.ages.values() for year in years}
    for case in texts.cases(task="qa"):
        for version in case.versions:
            answer = case.template.references[0].lower()
            assert answer in version.text.lower(), (case.template.id, version.value)
            for reference in case.template.references:
                assert not any(name in reference for name in version.names)
                assert not ages & set(re.findall(r"\d+", reference))


def test_the_app_reads_the_texts_as_meant(texts: BiasTexts, prompts: Prompts) -> None:
    """In their language, and a question together with its passage."""
    for case in texts.cases():
        template = case.template
        for version in case.versions:
            request = read_request(
                version.text,
                task=template.task,
                prompt=prompts.get(template.task),
                labels=template.labels,
            )
            assert request.lang == template.lang, (template.id, version.value)
            if template.task == "qa":
                assert request.tags == ("passage",), (template.id, version.value)


def test_labels_stand_in_the_text_that_asks_for_them(texts: BiasTexts) -> None:
    for template in texts.templates:
        for label in template.labels:
            assert label in template.text.lower(), (template.id, label)


def test_limit_draws_the_same_templates_for_each_group(texts: BiasTexts) -> None:
    some = texts.cases(limit=2)
    assert len(some) == 2 * len(TASKS) * len(LANGUAGES) * len(GROUPS)
    assert some == texts.cases(limit=2)
    number = {template.id: i for i, template in enumerate(texts.templates)}
    places = [number[case.template.id] for case in texts.cases(task="qa", lang="en", limit=3)]
    assert places[:3] == sorted(places[:3])


def test_groups_follow_from_the_slots(texts: BiasTexts) -> None:
    by_id = {template.id: template for template in texts.templates}
    assert groups_of(by_id["bookkeeper"]) == ("gender", "origin", "age")
    assert groups_of(by_id["novel"]) == ("gender", "origin")
    assert groups_of(by_id["cafe"]) == ("dialect",)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{task: summarization, lang: en, text: 'x {name}'}", "task is one of"),
        ("{task: qa, lang: en, text: 'x {nmae}', answer: y}", "slots, of these"),
        ("{task: qa, lang: en, text: 'nobody', answer: y}", "slots, of these"),
        ("{task: qa, lang: en, text: 'x {name}'}", "an answer"),
        (
            "{task: classification, lang: en, text: 'x {name}', labels: [a, b], favourable: c}",
            "one of",
        ),
        (
            "{task: qa, lang: en, text: '{message}', answer: y, versions: {a: y}}",
            "cannot be compared",
        ),
    ],
)
def test_a_wrong_template_is_named(tmp_path: Path, row: str, said: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        f"people: {{}}\nages: {{}}\ntemplates:\n  - {row[:1]}id: mine, {row[1:]}\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=f"'mine'.*{said}"):
        read_bias_texts(file)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_bias_texts(tmp_path / "none.yaml")
    double = tmp_path / "double.yaml"
    row = "  - {id: a, task: qa, lang: en, text: 'x {name}', answer: x}\n"
    double.write_text(f"people: {{}}\nages: {{}}\ntemplates:\n{row}{row}", encoding="utf-8")
    with pytest.raises(UsageError, match="twice"):
        read_bias_texts(double)
    double.write_text("- a\n", encoding="utf-8")
    with pytest.raises(UsageError, match="needs"):
        read_bias_texts(double)
    assert SHIPPED.is_file()


# -- the measures ----------------------------------------------------------------------------------


def test_a_fair_classifier_shows_nothing(texts: BiasTexts, prompts: Prompts) -> None:
    engine = Answering(favours=lambda _text: 0.5)
    report, cases = measured(texts, prompts, engine, task="classification", limit=4)
    assert sum(result.templates for result in report.results) == len(cases)
    for result in report.results:
        assert result.scores["flip_rate"] == Estimate(0.0, 0.0, 0.0)
        assert result.scores["abs_shift"] == Estimate(0.0, 0.0, 0.0)
        assert not result.flips
        assert not any(pair.scores["shift"].is_clear for pair in result.between)


def test_a_partial_classifier_is_caught(texts: BiasTexts, prompts: Prompts) -> None:
    """It prefers the first label for women; elsewhere it is undecided by a hair."""
    women = {*texts.people["en"]["gender"]["female"]}
    firsts = {name.split()[0] for name in women}

    def favours(text: str) -> float:
        return 2.0 if any(re.search(rf"\b{name}\b", text) for name in firsts) else -0.01

    def is_first(template: Any) -> bool:
        return bool(template.favourable == template.labels[0])

    report, cases = measured(
        texts, prompts, Answering(favours=favours), task="classification", lang="en", group="gender"
    )
    (result,) = report.results
    to_female = next(pair for pair in result.between if (pair.a, pair.b) == ("male", "female"))
    to_neutral = next(pair for pair in result.between if (pair.a, pair.b) == ("male", "neutral"))
    # One template has the title and the family name alone, which say nothing to this classifier.
    seen = sum(any(name in case.versions[1].text for name in firsts) for case in cases)
    assert seen == len(cases) - 1
    assert to_female.scores["flip_rate"].value == pytest.approx(100 * seen / len(cases))
    assert to_neutral.scores["flip_rate"].value == 0
    assert result.control["flip_rate"].value == 0
    assert result.scores["flip_rate"].value == pytest.approx(100 * 2 / 3 * seen / len(cases))
    assert {(flip.a, flip.b) for flip in result.flips} == {
        ("male", "female"),
        ("female", "neutral"),
    }
    # Where the favourable label is not the first one the same preference goes against women.
    most = sum(is_first(case.template) for case in cases)
    assert most > len(cases) / 2
    assert to_female.scores["shift"].value > 0
    estimate = result.scores["abs_shift"]
    assert estimate.low is not None
    assert estimate.low < estimate.value < (estimate.high or 0)


def test_the_sign_of_a_shift(texts: BiasTexts, prompts: Prompts) -> None:
    """A fall from even odds to a quarter of the odds, by the order of the labels."""
    engine = Answering(favours=lambda text: -1.3862944 if "71" in text else 0.0)
    report, cases = measured(texts, prompts, engine, task="classification", lang="en", group="age")
    (result,) = report.results
    old = next(pair for pair in result.between if (pair.a, pair.b) == ("middle", "old"))
    two = [c for c in cases if "71" in c.versions[2].text and len(c.template.labels) == 2]
    assert two
    expected = sum(30 if c.template.favourable != c.template.labels[0] else -30 for c in two)
    assert old.scores["shift"].value == pytest.approx(expected / len(cases), abs=1e-4)
    assert result.levels["middle"]["favourable"] - result.levels["old"][
        "favourable"
    ] == pytest.approx(-old.scores["shift"].value)


def test_right_answers_and_repeated_names_are_no_flips(texts: BiasTexts, prompts: Prompts) -> None:
    """An answer may name the person: "James was …", "They were …" are one answer."""
    right = {v.text: c.template.references[0] for c in texts.cases(task="qa") for v in c.versions}
    names = {v.text: v.names for c in texts.cases(task="qa") for v in c.versions}

    def answer(text: str) -> str:
        said = next((r for t, r in right.items() if t in text), "?")
        who = next((n[0] for t, n in names.items() if t in text and n), "")
        return f"{who}: {said}"

    report, _ = measured(texts, prompts, Answering(answer), task="qa", limit=5)
    for result in report.results:
        if result.group == "dialect":
            assert {level["exact_match"] for level in result.levels.values()} == {100.0}
        assert result.scores["flip_rate"].value == 0, result.group
        for pair in result.between:
            assert pair.scores["f1"].value == pytest.approx(0)


def test_wrong_answers_for_a_dialect(texts: BiasTexts, prompts: Prompts) -> None:
    right = {v.text: c.template.references[0] for c in texts.cases(task="qa") for v in c.versions}
    scots = {c.versions[2].text for c in texts.cases(task="qa", lang="en", group="dialect")}

    def answer(text: str) -> str:
        if any(one in text for one in scots):
            return "The passage does not say."
        return next(r for t, r in right.items() if t in text)

    report, cases = measured(
        texts, prompts, Answering(answer), task="qa", lang="en", group="dialect"
    )
    (result,) = report.results
    assert result.reference == "standard"
    assert result.levels["scots"]["exact_match"] == 0
    by_pair = {(pair.a, pair.b): pair for pair in result.between}
    missed = by_pair["standard", "scots"].scores["exact_match"]
    assert (missed.value, missed.low, missed.high) == (-100, -100, -100)
    assert missed.is_clear
    assert by_pair["standard", "indian"].scores["exact_match"].value == 0
    assert result.scores["flip_rate"].value == pytest.approx(50)
    assert len(result.flips) == 3 * len(cases)


def test_one_template_has_no_interval(texts: BiasTexts, prompts: Prompts) -> None:
    report, _ = measured(
        texts, prompts, Answering(), task="classification", lang="zh", group="age", limit=1
    )
    (result,) = report.results
    assert result.scores["flip_rate"].low is None
    value: Any = report.as_json()
    assert value["results"][0]["ci95"] == {}
    assert "(one template)" in "\n".join(report_lines(report))


def test_shared_texts_are_answered_once(texts: BiasTexts, prompts: Prompts) -> None:
    engine = Answering()
    asked: list[str] = []
    engine.favours = lambda text: asked.append(text) or 0.0  # type: ignore[func-returns-value]
    shown: list[tuple[int, int]] = []
    planner = Planner(prompts, config.load(), Chooser())
    cases = texts.cases(task="classification", lang="en", limit=3)
    measure_bias(
        cases,
        texts,
        planner,
        engine,
        AskOptions(strategy="zero_shot"),
        progress=lambda done, total: shown.append((done, total)),
    )
    assert len(asked) == len(set(asked))
    assert shown[0] == (0, len(asked))
    assert shown[-1] == (len(asked), len(asked))


def test_it_can_be_stopped(texts: BiasTexts, prompts: Prompts) -> None:
    stop = threading.Event()
    stop.set()
    planner = Planner(prompts, config.load(), Chooser())
    with pytest.raises(Cancelled):
        measure_bias(texts.cases(limit=1), texts, planner, Answering(), AskOptions(), stop=stop)


@pytest.mark.parametrize(
    ("lang", "names", "one", "other"),
    [
        ("en", ("James Clarke", "Clarke", "James"), "James was late.", "They were late."),
        ("en", ("James Clarke", "Clarke", "James"), "his bakery", "her bakery"),
        ("en", (), "Mr", "Mx"),
        ("zh", ("李强",), "李强去了", "她去了"),
        ("zh", (), "他的铺子", "她的铺子"),
    ],
)
def test_words_for_the_person_are_alike(
    texts: BiasTexts, lang: str, names: tuple[str, ...], one: str, other: str
) -> None:
    said = [" ".join(without_person(t, lang, names, texts).split()) for t in (one, other)]
    assert said[0] == said[1]
    assert "there" in without_person("there", "en", (), texts)


# -- the report and the command --------------------------------------------------------------------


def test_report_as_json_and_as_lines(texts: BiasTexts, prompts: Prompts) -> None:
    engine = Answering(favours=lambda text: 3.0 if "Omar Haddad" in text else -1.0)
    report, cases = measured(
        texts, prompts, engine, task="classification", lang="en", group="origin"
    )
    value: Any = json.loads(json.dumps(report.as_json()))
    (row,) = value["results"]
    assert (row["task"], row["lang"], row["group"]) == ("classification", "en", "origin")
    assert row["reference"] == "english"
    assert (row["n_templates"], row["n_pairs"]) == (len(cases), 15 * len(cases))
    assert len(row["between"]) == 15
    assert set(row["scores"]) == {"flip_rate", "abs_shift"} == set(row["control"]["scores"])
    assert row["scores"]["flip_rate"] > 0 == row["control"]["scores"]["flip_rate"]
    assert {flip["answer_a"] == flip["answer_b"] for flip in row["flips"]} == {False}
    assert any("no verdict" in limit for limit in value["limits"])
    lines = list(report_lines(report))
    assert sum(" - english" in line for line in lines) == 5
    assert "What this can and cannot show:" in lines
    assert any("control" in line and "flip rate" in line for line in lines)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("assistant.wiring._load", lambda *_given: Answering(lambda _text: "五个"))
    monkeypatch.setattr(
        "assistant.wiring.resolve", lambda *_given: None
    )  # as if the model were there

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["eval", "bias", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(caught.value.code or 0), out, err

    return call


def test_command(run: Any) -> None:
    code, out, err = run("--task", "qa", "--lang", "zh", "--limit", "2", "--json")
    assert code == 0, err
    value = json.loads(out)
    assert [row["group"] for row in value["results"]] == list(GROUPS)
    assert {row["n_templates"] for row in value["results"]} == {2}
    assert value["strategy"] == "auto"
    code, out, _ = run("--group", "age", "--limit", "2", "--strategy", "zero_shot")
    assert code == 0
    assert "classification, en, age: 2 templates, 6 texts, 6 pairs" in out
    assert "old - middle" in out
    assert "no verdict on text" in out


def test_command_refuses_what_there_is_not(run: Any) -> None:
    assert run("--task", "translation")[0] == 2
    assert run("--limit", "0")[0] == 2
