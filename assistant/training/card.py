"""The model card of an adapter: what it is for, what it was trained on, what it is worth."""

from __future__ import annotations

from assistant.adapters.run_record import RunRecord, Score

_WAYS = (("zero_shot", "zero-shot"), ("few_shot", "few-shot"), ("adapter", "adapter"))


def card_text(record: RunRecord, version: str) -> str:
    """Return the card in Markdown."""
    settings = record.settings
    lines = [
        "---",
        f"base_model: {record.base_model.name}",
        "library_name: peft",
        f"tags: [{record.task}, {record.technique}]",
        "---",
        "",
        f"# {record.task} {version} for {record.base_model.name}",
        "",
        f"An adapter for {record.task}, trained on {record.created[:10]} with `assistant train` "
        f"(version {record.program}). The weights of the base model are unchanged.",
        "",
        "## Training",
        "",
        f"- technique: {record.technique}, rank {record.rank}, method {settings.get('method', 'sft')}",
        f"- seed {record.seed}, {settings.get('steps', '?')} steps of "
        f"{settings.get('batch', '?')} examples, peak rate {settings.get('rate', '?')}",
        f"- base model sha256: `{record.base_model.sha256}`",
        f"- weights sha256: `{record.sha256}`, {record.size:,} bytes",
    ]
    if record.parent:
        lines.append(f"- trained on from: {record.parent}")
    lines += ["", "## Data", "", "| file | rows | sources | licences |", "|---|---|---|---|"]
    lines += [
        f"| {_cell(one.file)} | {one.rows} | {_list(one.sources)} | {_list(one.licences)} |"
        for one in record.data
    ]
    lines += ["", "## Scores", ""]
    lines += _scores(record) or ["It was not evaluated."]
    lines += [
        "",
        "## Use",
        "",
        "PEFT loads the folder as it is: `PeftModel.from_pretrained(base_model, folder)`. "
        "Prompts have to be those of the program: the instruction of the task without examples.",
    ]
    return "\n".join(lines) + "\n"


def _scores(record: RunRecord) -> list[str]:
    if not record.scores:
        return []
    lines = [
        "On examples that were not trained on; 95 % bootstrap intervals.",
        "",
        "| data | n | metric | zero-shot | few-shot | adapter |",
        "|---|---|---|---|---|---|",
    ]
    for name, score in record.scores.items():
        ways = " | ".join(_value(score, way) for way, _ in _WAYS)
        lines.append(f"| {_cell(name)} | {score.n} | {score.metric} | {ways} |")
    return lines


def _value(score: Score, way: str) -> str:
    value = getattr(score, way)
    if value is None:
        return ""
    both = score.ci95.get(way)
    return f"{value:.1f}" + (f" [{both[0]:.1f}, {both[1]:.1f}]" if both else "")


def _list(values: tuple[str, ...]) -> str:
    return _cell("; ".join(values)) if values else "not stated"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
