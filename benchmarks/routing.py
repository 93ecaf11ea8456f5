"""Measures the router: approaches side by side, calibration, questions asked, corrections, own tasks, cost.

Run ``python benchmarks/routing.py`` (some minutes with the shipped sets; ``--compare`` trains the other
approaches as well and takes half an hour). ``--turns FILE`` adds labelled turns of yours as one more set, JSONL of
``{"input", "target", "context"?, "source"?, "lang"?}``; each source in it is reported by itself. Nothing it
reports on is trained on, except the approaches' own training set, ``assistant/router/turns.jsonl``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.router.guard import CHECK_TURNS

TEXTS = Path(__file__).resolve().parent / "texts"
RESULTS = Path(__file__).resolve().parent / "results"
Row = dict[str, Any]
Scores = Sequence[dict[str, float]]
Approach = Callable[[Sequence[Row]], Scores]


def main() -> int:
    """Run what the arguments ask for and write one JSON file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--turns", type=Path, action="append", default=[], help="more labelled turns"
    )
    parser.add_argument("--compare", action="store_true", help="train the other approaches as well")
    parser.add_argument(
        "--train-on", type=int, default=10_000, help="most turns the others are trained on"
    )
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2, with --compare")
    parser.add_argument("-m", "--model", help="the model (default: the settings')")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    given = parser.parse_args()

    from assistant.cli.common import user_settings
    from assistant.paths import user_paths
    from assistant.wiring import make_loader

    settings = user_settings(model=given.model)
    loaded = make_loader(settings, user_paths()).get()
    engine = Remembering(loaded)
    sets = {
        "check set": read(CHECK_TURNS),
        "first check set": read(TEXTS / "routing_check_first.jsonl"),
    }
    for file in given.turns:
        sets |= by_source(read(file))
    approaches = shipped(engine)
    if given.compare:
        approaches |= compared(engine, given.minilm, given.train_on)
    found: dict[str, Any] = {
        "others trained on": given.train_on,
        "model": engine.info.model,
        "date": datetime.date.today().isoformat(),
    }
    found["approaches"] = {
        name: {title: measured(rows, approach(rows)) for title, rows in sets.items()}
        for name, approach in approaches.items()
    }
    found["habits"] = learning_curve(engine, sets["check set"])
    found["own tasks"] = own_tasks(engine, sets["check set"])
    found["latency"] = latency(loaded)
    file = given.results / f"routing-{found['date']}-{engine.info.model}.json"
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    show(found)
    return 0


class Remembering:
    """An engine that reads no text twice: the same sets are routed again and again here."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._known: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def hidden_states(self, texts: Sequence[str], reading: Any, *, progress: Any = None) -> Any:
        """Return what the engine returns."""
        missing = [text for text in dict.fromkeys(texts) if (text, reading) not in self._known]
        if missing:
            states = self._engine.hidden_states(missing, reading, progress=progress)
            self._known |= {(text, reading): row for text, row in zip(missing, states, strict=True)}
        return np.stack([self._known[text, reading] for text in texts])


def read(file: Path) -> list[Row]:
    """Return the rows of a JSONL file."""
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def by_source(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by their source."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.get("source", "more turns")].append(row)
    return dict(sorted(found.items()))


# -- approaches ------------------------------------------------------------------------------------


def shipped(engine: Any) -> dict[str, Approach]:
    """Return the router as it ships, with the model and without."""
    from assistant.router import Router

    router = Router()

    def with_engine(rows: Sequence[Row]) -> Scores:
        return [r.scores for r in router.route_all(turns_of(rows), engine)]

    def light(rows: Sequence[Row]) -> Scores:
        return [r.scores for r in router.route_all(turns_of(rows), None)]

    return {"router": with_engine, "light stage": light}


def turns_of(rows: Sequence[Row]) -> list[tuple[str, str | None]]:
    """Return what a router is given of each row."""
    return [(row["input"], row.get("context")) for row in rows]


def compared(engine: Any, minilm: Path | None, most: int) -> dict[str, Approach]:
    """Return other approaches, trained on the turns that ship."""
    from assistant.router.router import read_turns
    from assistant.training.router_head import SHIPPED_TURNS, reading_for

    train = read(SHIPPED_TURNS)
    random.Random(0).shuffle(train)
    train = train[:most]
    reading = reading_for(engine.info.layers)
    found: dict[str, Approach] = {
        "keyword rules": keywords,
        "hidden states, nothing trained but the classifier": fitted(
            train, lambda rows: read_turns(engine, reading, turns_of(rows)), 0.01
        ),
        "mean of token embeddings": fitted(train, lambda rows: embeddings(engine, rows), 0.1),
    }
    if minilm is not None:
        found["MiniLM sentence embeddings"] = fitted(
            train, lambda rows: sentence_vectors(minilm, rows), 0.1
        )
    return found


def fitted(
    train: Sequence[Row], features: Callable[[Sequence[Row]], Any], penalty: float
) -> Approach:
    """Return logistic regression on standardized features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=500))
    model.fit(features(train), [row["target"] for row in train])

    def approach(rows: Sequence[Row]) -> Scores:
        chances = model.predict_proba(features(rows))
        return [dict(zip(model.classes_, map(float, row), strict=True)) for row in chances]

    return approach


def embeddings(engine: Any, rows: Sequence[Row]) -> Any:
    """Return the mean over each turn's tokens after the first layer: words with hardly any context."""
    from assistant.engine.base import Reading
    from assistant.router.reading import turn_text

    reading = Reading(layer=2, suffix="\n", max_tokens=192, mean_layer=1)
    states = engine.hidden_states([turn_text(*turn) for turn in turns_of(rows)], reading)
    return states[:, engine.info.hidden_size :]


def sentence_vectors(folder: Path, rows: Sequence[Row]) -> Any:
    """Return mean-pooled, normalized vectors as sentence-transformers computes them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from assistant.router.reading import turn_text

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModel.from_pretrained(str(folder)).eval()
    texts = [turn_text(*turn) for turn in turns_of(rows)]
    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            mask = batch["attention_mask"][..., None].float()
            states = model(**batch).last_hidden_state
            found.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)))
    return torch.cat(found).numpy()


_KEYWORDS = {
    "translation": r"translat|übersetz|tradu|翻译|译成|翻成|訳し|how do (you|i) say|in (french|german|spanish|chinese|japanese|english)\b|用(英|中|法|日|德)[语文]",
    "summarization": r"summar|tl;?dr|gist|main points?|zusammenfass|résum|resum|总结|概括|摘要|要約|shorten|in (one|two|three) sentences?",
    "classification": r"classif|categor|sentiment|positive or negative|spam|label|分类|情感|正面|负面|klassifiz|分類|which of (these|the following)",
    "qa": r"^(what|who|when|where|why|how|which|is|are|does|do|did|can)\b|\?\s*$|？\s*$|什么|为什么|怎么|多少|哪",
}


def keywords(rows: Sequence[Row]) -> Scores:
    """Return what a short list of trigger words says, the first that matches."""
    found = []
    for row in rows:
        text = row["input"].lower()
        task = next((task for task, rule in _KEYWORDS.items() if re.search(rule, text)), "chat")
        found.append({name: float(name == task) for name in (*_KEYWORDS, "chat")})
    return found


# -- figures ---------------------------------------------------------------------------------------


def measured(rows: Sequence[Row], scores: Scores) -> Row:
    """Return accuracy (with its 95 % interval), macro-F1, by language, confusions and calibration."""
    from sklearn.metrics import f1_score

    wanted = [row["target"] for row in rows]
    said = [max(each, key=lambda task: each[task]) for each in scores]
    right = np.array([a == b for a, b in zip(wanted, said, strict=True)])
    sure = np.array([max(each.values()) for each in scores])
    rng = np.random.default_rng(0)
    means = right[rng.integers(0, len(right), (2000, len(right)))].mean(axis=1)
    languages = np.array([row.get("lang", "?") for row in rows])
    pairs = Counter((a, b) for a, b in zip(wanted, said, strict=True) if a != b)
    return {
        "n": len(rows),
        "accuracy": 100 * float(right.mean()),
        "ci95": [100 * float(q) for q in np.quantile(means, [0.025, 0.975])],
        "macro_f1": 100 * float(f1_score(wanted, said, average="macro")),
        "ece": calibration_error(sure, right),
        "by_language": {
            str(code): [
                100 * float(right[languages == code].mean()),
                int((languages == code).sum()),
            ]
            for code in sorted(set(languages))
        },
        "confusions": [[a, b, count] for (a, b), count in pairs.most_common()],
    }


def calibration_error(sure: Any, right: Any, bins: int = 15) -> float:
    """Return the expected calibration error with bins of equal width (Naeini et al. 2015)."""
    at = np.minimum((sure * bins).astype(int), bins - 1)
    return float(
        sum(
            (at == n).mean() * abs(sure[at == n].mean() - right[at == n].mean())
            for n in range(bins)
            if (at == n).any()
        )
    )


def learning_curve(engine: Any, check: Sequence[Row], draws: int = 4) -> dict[str, Any]:
    """Teach one habit at a time: how often its next turns go right, and what the check set loses."""
    from assistant.router import Router

    habits: dict[str, list[Row]] = defaultdict(list)
    for row in read(TEXTS / "routing_habits.jsonl"):
        habits[row["habit"]].append(row)
    router = Router()
    before = routed(router, check, engine)
    curve: dict[str, Any] = {}
    for taught in (0, 1, 5, 20):
        right, lost = [], []
        for name, rows in habits.items():
            for draw in range(draws if taught else 1):
                order = list(rows)
                random.Random(f"{name}{draw}").shuffle(order)
                for row in order[:taught]:
                    router.learn(row["input"], None, row["target"])
                rest = order[20:]
                right.append(
                    np.mean(
                        [
                            r.task == row["target"]
                            for r, row in zip(
                                router.route_all(turns_of(rest), engine), rest, strict=True
                            )
                        ]
                    )
                )
                if taught:
                    lost.append(before - routed(router, check, engine))
                for row in order[:taught]:
                    router.forget(row["input"])
        curve[str(taught)] = {
            "right": 100 * float(np.mean(right)),
            "lost": 100 * float(np.mean(lost)) if lost else 0.0,
            "most lost": 100 * float(np.max(lost)) if lost else 0.0,
        }
    return curve


def routed(router: Any, rows: Sequence[Row], engine: Any) -> float:
    """Return the share of rows that go right."""
    routes = router.route_all(turns_of(rows), engine)
    return float(np.mean([r.task == row["target"] for r, row in zip(routes, rows, strict=True)]))


def own_tasks(engine: Any, check: Sequence[Row]) -> dict[str, Any]:
    """Add one task of a user's at a time, by its description and ten examples."""
    from assistant.router import Router
    from assistant.router.memory import EXAMPLE_STRENGTH, Lesson

    before = routed(Router(), check, engine)
    found = {}
    for task in read(TEXTS / "routing_own_tasks.jsonl"):
        texts = [task["description"], *task["examples"]]
        lessons = [Lesson(text, None, task["task"], EXAMPLE_STRENGTH) for text in texts]
        router = Router(examples=lambda given=lessons: given)  # type: ignore[misc]
        tests = [{"input": text, "target": task["task"]} for text in task["tests"]]
        found[task["task"]] = {
            "right": 100 * routed(router, tests, engine),
            "near turns of other tasks right": 100 * routed(router, task["near"], engine),
            "check set lost": 100 * (before - routed(router, check, engine)),
        }
    return found


def latency(engine: Any, runs: int = 20) -> dict[str, Any]:
    """Return milliseconds (median, 95th percentile) for a turn of about 60 tokens, one at a time."""
    from assistant.router import Router

    text = (
        "Could you have a look at this message from our supplier and tell me what they want us to do, "
        * 3
    )
    router = Router()
    found = {}
    for name, given in (("light stage", None), ("router", engine)):
        taken = []
        for run in range(runs + 2):
            turn = f"{run} {text}"[:270]
            start = time.perf_counter()
            router.route(turn, None, given)
            taken.append(1000 * (time.perf_counter() - start))
        found[name] = {
            "p50": float(np.median(taken[2:])),
            "p95": float(np.quantile(taken[2:], 0.95)),
        }
    found["tokens"] = engine.count_text_tokens(f"10 {text}"[:270])
    return found


def show(found: dict[str, Any]) -> None:
    """Print the figures as tables in Markdown."""
    out = sys.stdout.write
    titles = list(next(iter(found["approaches"].values())))
    out("| approach | " + " | ".join(titles) + " |\n|---|" + "---:|" * len(titles) + "\n")
    for name, sets in found["approaches"].items():
        out(f"| {name} | " + " | ".join(f"{sets[t]['accuracy']:.1f}" for t in titles) + " |\n")
    for key in ("habits", "own tasks", "latency"):
        out(f"\n{key}\n")
        for name, row in found[key].items():
            out(f"  {name}: {json.dumps(row)}\n")
    check = found["approaches"]["router"]["check set"]
    out(f"\ncheck set: {json.dumps(check, ensure_ascii=False)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
