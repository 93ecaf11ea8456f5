"""Splits turns written as a form: lines such as ``Passage: …`` and ``Question: …``."""

from __future__ import annotations

import re

from assistant.understand.cues import is_request

_FIELD = re.compile(
    r"^\s*(?:#+\s*|\*\*)?(?P<name>passage|context|text|article|document|paragraph|source|email|"
    r"e-mail|message|review|dialogue|dialog|conversation|transcript|notes|sentence|input|content|"
    r"tweet|comment|question|q|task|summary|translation|label|sentiment|topic|category|headline|"
    r"title|class|instructions?|options|labels|categories|choices|answer|a|target|target language|satz|zielsprache|langue cible|idioma de destino|"
    r"texte|contexte|frage|kontext|pregunta|texto|contexto|artículo|"
    r"文章|原文|文本|段落|材料|内容|短文|对话|评论|邮件|短信|背景|上下文|句子|问题|问|要求|任务|"
    r"指令|选项|标签|类别|摘要|总结|标题|情感|译文|答案|答|質問|文|本文|目标语言)(?:\*\*)?\s*[:：](?:\*\*)?[ \t]*",
    re.IGNORECASE,
)
_ASKING_FIELDS = frozenset(
    [
        "question",
        "q",
        "task",
        "instruction",
        "instructions",
        "options",
        "option",
        "labels",
        "categories",
        "choices",
        "answer",
        "a",
        "summary",
        "translation",
        "label",
        "sentiment",
        "topic",
        "category",
        "headline",
        "title",
        "class",
        "target",
        "target language",
        "zielsprache",
        "langue cible",
        "idioma de destino",
        "frage",
        "pregunta",
        "问题",
        "问",
        "要求",
        "任务",
        "指令",
        "选项",
        "标签",
        "类别",
        "摘要",
        "总结",
        "标题",
        "情感",
        "译文",
        "答案",
        "答",
        "質問",
        "目标语言",
    ]
)
_FIELD_AHEAD = re.compile(
    r"(?<=[.!?。！？])[ \t]*(?=(?:question|q|text|passage|context|article|review|message|options|"
    r"target|target language|zielsprache|idioma de destino|labels|问题|文本|原文|短文|句子|选项|标签)[:：])",
    re.IGNORECASE,
)
QUESTION_AFTER = re.compile(
    r"(?<=[.!?。！？])\s*(?=(?:question|q|options|labels|问题|选项|标签)[:：])", re.IGNORECASE
)


def by_fields(turn: str) -> tuple[str, str] | None:
    """Split at lines such as ``Passage: …`` and ``Question: …``."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in _FIELD_AHEAD.sub("\n", turn).split("\n"):
        field = _FIELD.match(line)
        if field:
            name = field["name"].lower()
            # A request keeps its name: `Options: …` tells that these are labels.
            parts.append((name, [line if name in _ASKING_FIELDS else line[field.end() :]]))
        else:
            parts[-1][1].append(line)
    named = [(name, "\n".join(lines).strip()) for name, lines in parts]
    passages = [text for name, text in named if name and name not in _ASKING_FIELDS and text]
    requests = [text for name, text in named if name in _ASKING_FIELDS | {""} and text]
    if len(passages) != 1 or not (requests or "\n" in passages[0]):
        return None
    # `Text: …` and then a blank line and the bare question: the question is not the text's.
    passage, blank, rest = passages[0].rpartition("\n\n")
    if blank and not any(n in _ASKING_FIELDS for n, _ in named) and is_request(rest):
        return "\n".join([*requests, rest]), passage
    passage, _, rest = passages[0].rpartition("\n")
    if passage and not any(map(is_request, requests)) and is_request(rest):
        return "\n".join([*requests, rest]), passage  # `Comment: …` and what is asked about it
    return ("\n".join(requests), passages[0]) if requests else None
