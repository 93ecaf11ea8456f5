"""Metrics against values worked out by hand or by their libraries; intervals; the reader of examples."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import f1_score

from assistant import config
from assistant.answering import AskOptions, Planner
from assistant.calibration import reliability
from assistant.engine.base import CandidateScore
from assistant.errors import UsageError
from assistant.evaluation import report
from assistant.evaluation.answers import ExactMatch, TokenF1
from assistant.evaluation.bootstrap import compare, interval
from assistant.evaluation.classes import Accuracy, CalibrationError, MacroF1
from assistant.evaluation.examples import Example, read_examples, sample
from assistant.evaluation.measures import metrics_for
from assistant.evaluation.metric import Metric, Prediction, Rows
from assistant.evaluation.overlap import Bleu, ChrF, Rouge
from assistant.evaluation.perplexity import Perplexity
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.strategy import Chooser
from assistant.testing import FakeEngine
from assistant.types import Message


def example(target: str, *more: str, task: str = "qa", number: int = 1, **fields: str) -> Example:
    return Example(str(number), task, "Question?", target, (target, *more), **fields)  # type: ignore[arg-type]


def rows(metric: Metric, examples: Sequence[Example], texts: Sequence[str]) -> Rows:
    said = [Prediction(one.id, text) for one, text in zip(examples, texts, strict=True)]
    return metric.rows(examples, said)


def score(metric: Metric, examples: Sequence[Example], texts: Sequence[str]) -> float:
    return metric.score(rows(metric, examples, texts))


# -- short answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "right", "exact", "f1"),
    [
        ("The Eiffel Tower!", ("eiffel  tower",), 100, 100),  # article, mark, case, spaces
        ("U.S.", ("US",), 100, 100),
        ("a big red house", ("the red house",), 0, 80),  # 2 of 3 words said, both of 2 wanted
        ("house red", ("red house",), 0, 100),  # words in any order
        ("red red", ("red",), 0, 100 * 2 / 3),  # a word counts as often as it is wanted
        ("theatre", ("tre",), 0, 0),  # no article within a word
        ("blue", ("red", "blue sky", "blue"), 100, 100),  # the best of all answers
        ("blue", ("red", "blue sky"), 0, 100 * 2 / 3),
        ("John’s", ("John's",), 0, 0),  # SQuAD drops ASCII marks alone
        ("", ("red",), 0, 0),
        ("1998", ("1998年",), 0, 100 * 2 / 3),  # one of two tokens: the year is one
    ],
)
def test_answers_as_squad_scores_them(
    said: str, right: tuple[str, ...], exact: float, f1: float
) -> None:
    one = [example(*right)]
    assert score(ExactMatch(), one, [said]) == exact
    assert score(TokenF1(), one, [said]) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("said", "right", "exact", "f1"),
    [
        ("《红楼梦》。", ("红楼梦",), 100, 100),
        ("北京大学位于北京", ("北京大学",), 0, 100 * 2 / 3),  # a run of 4, of 8 and of 4
        (
            "张三和李四",
            ("李四和张三",),
            0,
            40,
        ),  # the longest run has 2 of 5, whatever else is there
        ("维生素 a", ("维生素A",), 100, 100),  # no article in Chinese
        ("二十一", ("三十", "二十一世纪"), 0, 75),
        ("上海", ("北京",), 0, 0),
    ],
)
def test_answers_as_cmrc_scores_them(
    said: str, right: tuple[str, ...], exact: float, f1: float
) -> None:
    one = [example(*right, lang="zh")]
    assert score(ExactMatch(), one, [said]) == exact
    assert score(TokenF1(), one, [said]) == pytest.approx(f1)


def test_a_score_of_answers_is_their_mean() -> None:
    two = [example("red"), example("big house", number=2)]
    assert score(ExactMatch(), two, ["red", "house"]) == 50
    assert score(TokenF1(), two, ["red", "house"]) == pytest.approx((100 + 200 / 3) / 2)


# -- translations ----------------------------------------------------------------------------------

ENGLISH = [
    ("The dog bit the man.", ["The dog bit the man.", "The dog had bitten the man."]),
    ("It wasn't surprising at all.", ["It was not unexpected."]),
    (
        "The man bit him first.",
        ["The man bit him first.", "The man had bitten the dog.", "He bit."],
    ),
]
CHINESE = [
    ("今天的天气非常好。", ["今天天气很好。", "今日天气不错。"]),
    ("他去 Berlin 工作了。", ["他到 Berlin 工作去了。"]),
]


def streams(corpus: Sequence[tuple[str, list[str]]]) -> list[list[str | None]]:
    """Return references as sacrebleu documents them: a list a rank, ``None`` where there is none."""
    width = max(len(references) for _, references in corpus)
    return [
        [references[i] if i < len(references) else None for _, references in corpus]
        for i in range(width)
    ]


def translated(corpus: Sequence[tuple[str, list[str]]], lang: str = "") -> list[Example]:
    return [
        example(*references, task="translation", number=i, lang=lang)
        for i, (_, references) in enumerate(corpus)
    ]


@pytest.mark.parametrize(
    ("corpus", "lang", "tokenizer"),
    [
        (ENGLISH, "en", "13a"),
        (ENGLISH[1:2], "en", "13a"),
        (CHINESE, "zh", "zh"),
        (CHINESE, "zh-TW", "zh"),
        (CHINESE, "ja", "char"),
    ],
)
def test_bleu_is_that_of_sacrebleu(
    corpus: list[tuple[str, list[str]]], lang: str, tokenizer: str
) -> None:
    said = [text for text, _ in corpus]
    wanted = sacrebleu.corpus_bleu(said, streams(corpus), tokenize=tokenizer).score
    metric = Bleu(lang)
    assert score(metric, translated(corpus), said) == pytest.approx(wanted)
    assert wanted > 0
    assert f"tok:{tokenizer}|" in metric.signature
    assert f"version:{sacrebleu.__version__}" in metric.signature


@pytest.mark.parametrize("corpus", [ENGLISH, CHINESE, ENGLISH[:1]])
def test_chrf_is_that_of_sacrebleu(corpus: list[tuple[str, list[str]]]) -> None:
    said = [text for text, _ in corpus]
    wanted = sacrebleu.corpus_chrf(said, streams(corpus)).score
    metric = ChrF()
    assert score(metric, translated(corpus), said) == pytest.approx(wanted)
    assert "nc:6|nw:0" in metric.signature


def test_a_choice_of_rows_scores_as_its_own_corpus() -> None:
    said = [text for text, _ in ENGLISH]
    chosen = [ENGLISH[i] for i in (2, 0, 2)]
    for metric, score_of in ((Bleu("en"), sacrebleu.corpus_bleu), (ChrF(), sacrebleu.corpus_chrf)):
        found = rows(metric, translated(ENGLISH), said)[[2, 0, 2]]
        wanted = score_of([text for text, _ in chosen], streams(chosen)).score
        assert metric.score(found) == pytest.approx(wanted)


def test_an_empty_answer_scores_nothing() -> None:
    for metric in (Bleu("en"), ChrF(), Rouge("rouge1"), Rouge("rougeL")):
        assert score(metric, [example("A word.")], [""]) == 0


# -- summaries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "right", "wanted"),
    [
        # 5 of 6 words, 3 of 5 pairs, a subsequence of 5
        ("The cat sat on the mat.", ["The cat is on the mat"], (500 / 6, 60, 500 / 6)),
        # the order counts for the subsequence (2 of 3) and the pairs (1 of 2)
        ("c a b", ["a b c"], (100, 50, 200 / 3)),
        # 4 of 6 characters, 3 of 5 pairs
        ("今天天气很好", ["今天天气不错！"], (400 / 6, 60, 400 / 6)),
        # a word of Latin letters is one token amid Chinese: 3 of 3, and 3 of 4
        ("用 Python 写", ["用Python写的"], (600 / 7, 80, 600 / 7)),
        # each metric takes its own best reference
        ("a b", ["x y", "b a"], (100, 0, 50)),
    ],
)
def test_rouge_worked_out_by_hand(
    said: str, right: list[str], wanted: tuple[float, float, float]
) -> None:
    one = [example(*right, task="summarization")]
    found = [score(metric, one, [said]) for metric in metrics_for("summarization")]
    assert found == pytest.approx(wanted)


def test_rouge_of_english_is_that_of_the_library() -> None:
    said = "Prices don't fall: the 3 largest shops_online said so on Monday."
    right = "The three largest shops said on Monday that prices don't fall."
    names = ["rouge1", "rouge2", "rougeL"]
    wanted = RougeScorer(names, use_stemmer=False).score(right, said)
    found = [score(m, [example(right)], [said]) for m in metrics_for("summarization")]
    assert found == pytest.approx([100 * wanted[name].fmeasure for name in names])


# -- classes ---------------------------------------------------------------------------------------


def labelled(*targets: str) -> list[Example]:
    return [
        Example(str(i), "classification", "text", target, (target,), labels=("good", "bad", "dull"))
        for i, target in enumerate(targets)
    ]


def test_a_label_counts_as_spelt_case_spaces_and_marks_at_its_ends_aside() -> None:
    said = ["Good.", " very  BAD", "“bad”", "so bad"]
    four = labelled("good", "very bad", "bad", "bad")
    assert rows(Accuracy(), four, said)[:, 0].tolist() == [100, 100, 100, 0]
    assert score(Accuracy(), four, said) == 75


def test_macro_f1_by_hand() -> None:
    # good: 2 hits, 2 wanted, 3 said: 4/5; bad: none of 1; dull: 1, 2 wanted, 1 said: 2/3
    targets = labelled("good", "good", "bad", "dull", "dull")
    found = score(MacroF1(), targets, ["good", "good", "good", "dull", "no idea"])
    assert found == pytest.approx(100 * (4 / 5 + 0 + 2 / 3) / 3)


def test_macro_f1_is_that_of_scikit_learn_over_the_labels_that_occur() -> None:
    draw = random.Random(3)
    targets = [draw.choice(["good", "bad"]) for _ in range(60)]
    said = [draw.choice(["good", "bad", "dull", "what?"]) for _ in targets]
    wanted = f1_score(targets, said, average="macro", labels=sorted(set(targets)))
    assert score(MacroF1(), labelled(*targets), said) == pytest.approx(100 * wanted)


def test_another_right_answer_counts_as_the_target() -> None:
    one = [Example("1", "classification", "t", "joy", ("joy", "delight"), labels=("joy", "anger"))]
    assert score(Accuracy(), one, ["Delight"]) == 100
    assert score(MacroF1(), one, ["Delight"]) == 100


def test_calibration_error_by_hand() -> None:
    four = labelled("good", "good", "good", "good")
    said = [
        Prediction("0", "good", {"good": 0.95, "bad": 0.05}),
        Prediction("1", "bad", {"good": 0.05, "bad": 0.95}),
        Prediction("2", "good", {"good": 0.55, "bad": 0.45}),
        Prediction("3", "good", {"good": 0.65, "bad": 0.35}),
    ]
    metric = CalibrationError()
    found = metric.rows(four, said)
    # half of the two at 95 % is right; both others are right, at 55 % and at 65 %
    assert metric.score(found) == pytest.approx((2 * 0.45 + 0.45 + 0.35) / 4)
    assert np.allclose(
        reliability(found[:, 0], found[:, 1]), [(0.55, 1, 1), (0.65, 1, 1), (0.95, 0.5, 2)]
    )


def test_a_certain_right_answer_has_no_calibration_error() -> None:
    said = [Prediction("0", "good", {"good": 1.0, "bad": 0.0})]
    assert CalibrationError().score(CalibrationError().rows(labelled("good"), said)) == 0


# -- perplexity ------------------------------------------------------------------------------------


class Surprised(FakeEngine):
    """Finds "easy" likely and everything else not; has read what it was given."""

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        self.calls.append(tuple(messages))
        return [
            CandidateScore(-1.0, 4) if c == "easy" else CandidateScore(-5.0, 2) for c in candidates
        ]


def test_perplexity_is_that_of_all_tokens_together() -> None:
    engine = Surprised()
    planner = Planner(Prompts.load(shipped("prompts")), config.load(), Chooser())
    metric = Perplexity(planner, engine, AskOptions(strategy="zero_shot"))
    found = metric.measure([example("easy"), example("hard", number=2)])
    assert found.tolist() == [[1, 4], [5, 2]]
    assert metric.score(found) == pytest.approx(math.e)  # 6 nats over 6 tokens
    assert [call[-1].content for call in engine.calls] == ["Question?", "Question?"]


# -- the report ------------------------------------------------------------------------------------


def test_a_report_holds_every_score_within_its_interval() -> None:
    draw = random.Random(5)
    examples = labelled(*(draw.choice(["good", "bad"]) for _ in range(40)))
    said = [
        Prediction(one.id, one.target, {one.target: 0.99, "dull": 0.01}) for one in examples[:-1]
    ] + [Prediction(examples[-1].id, "dull", {"dull": 0.6, "good": 0.4})]
    found = report.score(examples, said)
    assert list(found.values) == list(found.ci95) == list(found.signature)
    assert list(found.values) == ["accuracy", "macro_f1", "ece"]
    for name, (low, high) in found.ci95.items():
        assert low <= found.values[name] <= high
    assert found.values["accuracy"] == 97.5


def test_no_calibration_without_probabilities() -> None:
    found = report.score(labelled("good"), [Prediction("0", "good")])
    assert list(found.values) == ["accuracy", "macro_f1"]


def test_translations_are_broken_down_by_direction_each_with_its_tokenizer() -> None:
    english = [replace(one, id=f"e{one.id}") for one in translated(ENGLISH, "zh-en")]
    chinese = translated(CHINESE, "en-zh")
    corpus = [*ENGLISH, *CHINESE]
    said = [
        Prediction(one.id, text)
        for one, (text, _) in zip([*english, *chinese], corpus, strict=True)
    ]
    found = report.score([*english, *chinese], said)
    assert set(found.pairs) == {"en-zh", "zh-en"}
    for pair, part, tokenizer in (("zh-en", ENGLISH, "13a"), ("en-zh", CHINESE, "zh")):
        texts = [text for text, _ in part]
        bleu = sacrebleu.corpus_bleu(texts, streams(part), tokenize=tokenizer).score
        chrf = sacrebleu.corpus_chrf(texts, streams(part)).score
        assert found.pairs[pair] == pytest.approx({"chrf": chrf, "bleu": bleu}, abs=0.006)
    # Chinese would be one long word to the tokenizer for English, so the total takes that for Chinese.
    texts = [text for text, _ in corpus]
    whole = sacrebleu.corpus_bleu(texts, streams(corpus), tokenize="zh").score
    assert found.values["bleu"] == pytest.approx(whole, abs=0.006)
    assert "tok:zh" in found.signature["bleu"]


def test_one_direction_has_no_breakdown() -> None:
    said = [Prediction(str(i), text) for i, (text, _) in enumerate(CHINESE)]
    found = report.score(translated(CHINESE, "en-zh"), said)
    assert found.pairs == {}
    assert "tok:zh" in found.signature["bleu"]


def test_the_direction_is_found_where_the_row_does_not_say_it() -> None:
    one = Example("1", "translation", "Translate to Chinese: Good morning", "早上好", ("早上好",))
    assert report.direction(one) == "en-zh"
    assert report.answer_language([one]) == "zh"


# -- intervals and tests ---------------------------------------------------------------------------


def drawn(n: int, share: float, seed: int = 1) -> Rows:
    """Return right (100) and wrong (0) answers, ``share`` of them right."""
    right = np.random.default_rng(seed).random(n) < share
    return np.where(right, np.float64(100), np.float64(0))[:, None]


def test_an_interval_holds_the_score_and_narrows_with_more_examples() -> None:
    metric = Accuracy()
    widths = []
    for n in (25, 100, 400, 1600):
        found = drawn(n, 0.7)
        low, high = interval(metric, found)
        assert low <= metric.score(found) <= high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    # four times the examples, half the width: 1.96 standard errors to either side
    p = float(drawn(1600, 0.7).mean()) / 100
    assert widths[-1] == pytest.approx(2 * 196 * math.sqrt(p * (1 - p) / 1600), rel=0.15)


def test_the_interval_of_a_well_calibrated_run_holds_its_error() -> None:
    # Of 20 texts at 15 % three are right, and so on: no error at all, but each resample has some.
    shares = (3, 7, 11, 15, 19)
    found = np.asarray([[k / 20, i < k] for k in shares for i in range(20)], dtype=np.float64)
    metric = CalibrationError()
    low, high = interval(metric, found)
    assert metric.score(found) == pytest.approx(0)
    assert low <= metric.score(found) < high


def test_an_interval_is_the_same_each_time_and_that_of_one_row_is_a_point() -> None:
    found = drawn(50, 0.5)
    assert interval(Accuracy(), found) == interval(Accuracy(), found)
    assert interval(Accuracy(), found[:1]) == (found[0, 0], found[0, 0])


def test_runs_that_are_alike_do_not_differ() -> None:
    found = drawn(80, 0.6)
    same = compare(Accuracy(), found, found)
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_clearly_better_run_is_significant_either_way() -> None:
    worse, better = drawn(300, 0.5), drawn(300, 0.8, seed=2)
    up, down = compare(Accuracy(), worse, better), compare(Accuracy(), better, worse)
    assert up.p == down.p < 0.05
    assert 0 < up.low < up.difference < up.high
    assert down.difference == -up.difference
    assert down.high < 0
    assert compare(Accuracy(), worse, better) == up


def test_one_answer_more_of_many_is_no_difference() -> None:
    a = drawn(100, 0.5)
    b = a.copy()
    b[int(np.argmin(a))] = 100
    found = compare(Accuracy(), a, b)
    assert found.difference == pytest.approx(1)
    assert found.p > 0.05


def test_runs_of_different_length_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="2 and 3"):
        compare(Accuracy(), np.zeros((2, 1)), np.zeros((3, 1)))


# -- reading examples ------------------------------------------------------------------------------

GOOD = {"id": "a", "task": "qa", "input": "Who?", "target": "Ann"}


def written(folder: Path, *lines: object, name: str = "data.jsonl") -> Path:
    path = folder / name
    texts = [
        line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines
    ]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_every_field_is_read(tmp_path: Path) -> None:
    row = {
        **GOOD,
        "answers": ["Ann Lee", "Ann", "安"],
        "context": "User: Hi\nAssistant: Hello",
        "labels": ["x", "y"],
        "lang": "zh",
        "source": "own",
        "license": "CC0",
    }
    path = written(tmp_path, row)
    found = read_examples(path)
    assert found.rows == (
        Example(
            *("a", "qa", "Who?", "Ann", ("Ann", "Ann Lee", "安")),
            *("User: Hi\nAssistant: Hello", ("x", "y"), "zh", "own"),
        ),
    )
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.path == str(path)


def test_what_may_be_missing(tmp_path: Path) -> None:
    path = written(tmp_path, "", {"input": "Who?", "target": "Ann", "task": None, "id": None})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    (one,) = read_examples(path, "qa").rows
    assert (one.id, one.task, one.references, one.context) == ("2", "qa", ("Ann",), None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is not a JSON object"),
        ({"input": "Who?", "target": "Ann"}, "has no 'task'"),
        ({**GOOD, "task": 3}, "'task' is to be a text"),
        ({"task": "qa", "target": "Ann"}, "needs a text in 'input'"),
        ({**GOOD, "input": " "}, "needs a text in 'input'"),
        ({**GOOD, "target": None}, "needs a text in 'target'"),
        ({**GOOD, "target": ["Ann"]}, "needs a text in 'target'"),
        ({**GOOD, "answers": "Ann"}, "'answers' is to be a list of texts"),
        ({**GOOD, "answers": ["Ann", " "]}, "'answers' is to be a list of texts"),
        ({**GOOD, "labels": ["x", 3]}, "'labels' is to be a list of texts"),
        ({**GOOD, "lang": 3}, "'lang' is to be a text"),
        ({**GOOD, "context": {}}, "'context' is to be a text"),
        ({**GOOD, "id": ["a"]}, "'id' is to be a text or a number"),
        ({**GOOD, "id": "first"}, "has the id 'first' of line 1 again"),
        ('{"task": "qa", "input": "\\ud83d", "target": "x"}', "has half a character"),
    ],
)
def test_a_wrong_line_is_named_with_its_file(tmp_path: Path, line: object, said: str) -> None:
    path = written(tmp_path, {**GOOD, "id": "first"}, "", line)
    with pytest.raises(UsageError) as caught:
        read_examples(path)
    assert caught.value.message.startswith(f"{path}, line 3")
    assert said in caught.value.message


def test_a_row_of_another_task_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, {**GOOD, "id": "b", "task": "chat"})
    with pytest.raises(UsageError, match=r"line 2 is for chat, not qa\.\nUse --task chat"):
        read_examples(path, "qa")


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + json.dumps(GOOD).encode() + b"\n" + b'{"input": "caf\xe9"}\n')
        with pytest.raises(UsageError, match=r"latin\.jsonl, line 2 is not UTF-8"):
            read_examples(path)


def test_a_file_that_is_not_there_empty_or_a_folder(tmp_path: Path) -> None:
    empty = written(tmp_path, "", "  ")
    for path, said in (
        (tmp_path / "none.jsonl", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (empty, "has no examples"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            read_examples(path)
        assert str(path) in caught.value.message
        assert caught.value.hint


def test_a_sample_is_the_same_for_a_seed_and_in_the_order_of_the_file() -> None:
    everything = [example("x", number=i) for i in range(100)]
    some = sample(everything, 20, seed=7)
    assert some == sample(everything, 20, seed=7)
    assert some != sample(everything, 20, seed=8)
    numbers = [int(one.id) for one in some]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 20
    assert sample(everything, 100, 7) == sample(everything, None, 7) == tuple(everything)
