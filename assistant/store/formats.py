"""What a person or another program reads: Markdown of a conversation, JSON lines, CSV. No SQL."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from assistant.types import Conversation, Turn

_SPEAKERS = (("user_text", "You"), ("answer", "Assistant"))

# JSON leaves these as they are, but a terminal obeys some and a line-wise reader splits at others.
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Return a conversation as Markdown; the messages are copied unchanged."""
    parts = [f"# {conversation.title}", f"*{conversation.created_at[:16].replace('T', ' ')} UTC*"]
    if conversation.system:
        parts.append(f"## System\n\n{conversation.system}")
    for turn in turns:
        for field, speaker in _SPEAKERS:
            if text := getattr(turn, field):
                parts.append(f"## {speaker}\n\n{text}")
        if turn.state != "done":
            parts.append(f"*({turn.state})*")
        if turn.correction:
            parts.append(f"### Corrected\n\n{turn.correction}")
    return "\n\n".join(parts) + "\n"


def json_text(value: object) -> str:
    """Return indented JSON that is safe to print."""
    return json.dumps(value, ensure_ascii=False, indent=2).translate(_ESCAPED) + "\n"


def json_lines(rows: Iterable[object]) -> str:
    """Return one line of JSON a row."""
    lines = (json.dumps(row, ensure_ascii=False).translate(_ESCAPED) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return a table with a header line."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
