"""Tables: what is read from CSV, TSV and JSON lines, how rows are written, and files that appear whole."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from assistant.errors import AssistantError, UsageError
from assistant.tables import Lines, Table, free_names, new_file, read_table


def made(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path, column: str = "text") -> str:
    with pytest.raises(UsageError) as caught:
        read_table(path, column)
    return str(caught.value)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [",", ";", "\t", "|"])
def test_what_stands_between_cells_is_found(tmp_path: Path, between: str) -> None:
    rows = [["id", "text", "n"], ["1", "one, two; three", "9"], ["2", 'He said "hi"\nand left', ""]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=between).writerows(rows)
    table = read_table(made(tmp_path, text.getvalue()), "text")
    assert table == Table(("id", "text", "n"), (tuple(rows[1]), tuple(rows[2])))


@pytest.mark.parametrize(
    "text",
    [
        "id;text\n1;a, b, c\n2;d, e, f\n3;g, h, i\n",  # each row has more commas than semicolons
        "id;text\n1;'a'\n2;'b', 'c'\n",
        'id;text\n1;"a;b"\n',
        "id;text\n",
    ],
)
def test_the_column_tells_where_statistics_are_wrong(tmp_path: Path, text: str) -> None:
    assert read_table(made(tmp_path, text), "text").columns == ("id", "text")


def test_a_single_column_needs_no_delimiter(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, 'text\nHello\n"Well, well"\n\nBye; now\n'), "text")
    assert table.texts("text") == ["Hello", "Well, well", "Bye; now"]


def test_a_byte_order_mark_and_windows_line_ends_are_passed_over(tmp_path: Path) -> None:
    path = made(tmp_path, b'\xef\xbb\xbftext,id\r\n"a\r\nb",1\r\n\xe5\xa5\xbd,2\r\n')
    assert read_table(path, "text").texts("text") == ["a\r\nb", "好"]


def test_tabs_are_usual_in_tsv(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, "text\tn\na, b\t1\n", "T.TSV"), "text")
    assert table.texts("text") == ["a, b"]


def test_spaces_after_each_delimiter_are_no_part_of_a_cell(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, 'id, text \n1, "a, b"\n'), "text")
    assert table == Table(("id", "text"), (("1", "a, b"),))


def test_short_rows_are_filled_and_same_names_told_apart(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, "text,x,x,\na\nb,1,2,3\n"), "text")
    assert table.columns == ("text", "x", "x_2", "")
    assert table.rows == (("a", "", "", ""), ("b", "1", "2", "3"))


def test_a_cell_may_be_longer_than_the_modules_own_limit(tmp_path: Path) -> None:
    assert read_table(made(tmp_path, f"text\n{'x' * 200_000}\n"), "text").texts("text") == [
        "x" * 200_000
    ]


def test_json_lines_keep_their_values(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        '{"text": "a\\nb", "n": [1]}\n\n{"n": null, "more": 2, "text": 7}\n{"text": null}\n',
        "t.jsonl",
    )
    table = read_table(path, "text")
    assert table.columns == ("text", "n", "more")
    assert table.rows == (("a\nb", [1], None), (7, None, 2), (None, None, None))
    assert table.texts("text") == ["a\nb", "7", ""]


def test_half_a_surrogate_pair_is_replaced_in_a_text(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, '{"text": "a\\ud83d"}', "t.jsonl"), "text")
    assert table.texts("text") == ["a?"]


@pytest.mark.parametrize(
    ("name", "text"), [("t.csv", "id,review\n1,a\n"), ("t.jsonl", '{"id": 1, "review": "a"}')]
)
def test_a_missing_column_tells_those_there_are(tmp_path: Path, name: str, text: str) -> None:
    said = refused(made(tmp_path, text, name))
    assert "no column 'text'" in said
    assert "It has: id, review." in said


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.csv", b"text\ncaf\xe9\n", "not UTF-8 text (byte 8)"),
        ("t.csv", "text\n".encode("utf-16"), "not UTF-8"),
        ("t.csv", "", "is empty"),
        ("t.csv", "text,n\na,1\nb,c,2\n", "line 3: 3 cells, the header has 2"),
        ("t.csv", 'text,n\n"a,1\n', "line 2"),
        ("t.csv", 'text,n\n"a"b,1\n', "line 2"),
        ("t.xlsx", "text\n", "no table by its name"),
        ("t.jsonl", "\n", "is empty"),
        ("t.jsonl", '{"text": "a"}\n{"text"\n', "line 2 is not JSON"),
        ("t.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("t.jsonl", "[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, text: str | bytes, reason: str
) -> None:
    path = made(tmp_path, text, name)
    said = refused(path)
    assert str(path) in said
    assert reason in said


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "t.csv")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(50_000_001)
    assert "larger than 50 MB" in refused(tmp_path / "large.csv")


def test_a_list_is_no_text(tmp_path: Path) -> None:
    table = read_table(made(tmp_path, '{"text": "a"}\n{"text": ["b"]}', "t.jsonl"), "text")
    with pytest.raises(UsageError, match="Row 2: 'text'"):
        table.texts("text")


# -- writing ---------------------------------------------------------------------------------------


def test_names_that_are_taken_get_a_number() -> None:
    assert free_names(("answer", "answer_2"), ("answer", "x", "x")) == ("answer_3", "x", "x_2")
    assert free_names((), ("a", "b")) == ("a", "b")


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_written_cells_are_read_back(tmp_path: Path, kind: str) -> None:
    cells = ('a,"b"', "c\nd", "e\rf", "g\r\nh", "i\tj", "", " k ", "=1")
    columns = tuple("abcdefgh")
    lines = Lines("csv" if kind == "csv" else "tsv", columns)
    path = made(tmp_path, lines.header() + lines.line(cells) + lines.line(cells), f"t.{kind}")
    assert read_table(path, "a") == Table(columns, (cells, cells))


def test_values_that_are_no_text_are_written_as_json() -> None:
    line = Lines("csv", "abcde").line((None, 1.5, True, ["x"], "é"))
    assert line == ',1.5,true,"[""x""]",é\n'


@pytest.mark.parametrize("answer", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_an_answer_is_no_formula_in_a_spreadsheet(answer: str) -> None:
    for kind in ("csv", "tsv"):
        lines = Lines("csv" if kind == "csv" else "tsv", ("own", "answer"), answers=1)
        line = lines.line((answer, answer))
        row = next(csv.reader([line], delimiter="," if kind == "csv" else "\t"))
        assert row == [answer, f"'{answer}"]
    assert json.loads(Lines("jsonl", ("answer",), answers=1).line((answer,))) == {"answer": answer}


@pytest.mark.parametrize("answer", ["a=b", " =1", "'=1", "", "1-2"])
def test_other_answers_stay_as_they_are(answer: str) -> None:
    assert next(csv.reader([Lines("csv", ("x", "a"), 1).line(("", answer))]))[1] == answer


def test_json_lines_have_no_header_and_keep_values() -> None:
    lines = Lines("jsonl", ("a", "b"))
    assert lines.header() == ""
    assert lines.line(("好\n", [1, None])) == '{"a": "好\\n", "b": [1, null]}\n'


# -- files -----------------------------------------------------------------------------------------


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with new_file(path) as add:
        add("a\n")
        assert not path.exists()
        add("好\ud83d\n")
    assert path.read_bytes() == "a\n好?\n".encode()
    assert names(tmp_path) == ["out.csv"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_without_any_text_there_is_an_empty_file(tmp_path: Path) -> None:
    with new_file(tmp_path / "out.jsonl"):
        pass
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_an_error_keeps_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with suppress(KeyboardInterrupt), new_file(path) as add:
        add("a\n")
        raise KeyboardInterrupt
    assert path.read_text() == "a\n"
    assert names(tmp_path) == ["out.csv"]


def test_an_error_before_the_first_text_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = made(tmp_path, "old", "out.csv")
    with pytest.raises(ZeroDivisionError), new_file(path, force=True):
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.csv"]


def test_a_file_is_replaced_only_when_that_is_wanted(tmp_path: Path) -> None:
    path = made(tmp_path, "old", "out.csv")
    with pytest.raises(UsageError, match="exists already"), new_file(path):
        pass
    assert path.read_text() == "old"
    with new_file(path, force=True) as add:
        add("new")
    assert path.read_text() == "new"


def test_a_file_that_came_meanwhile_is_not_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    opened = new_file(path)
    add = opened.__enter__()
    add("mine")
    path.write_text("other")
    with pytest.raises(AssistantError, match="meanwhile"):
        opened.__exit__(None, None, None)
    assert path.read_text() == "other"
    (part,) = (tmp_path / name for name in names(tmp_path) if name != "out.csv")
    assert part.read_text() == "mine"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = made(tmp_path, "old", "real.csv")
    (tmp_path / "out.csv").symlink_to(real)
    with new_file(tmp_path / "out.csv", force=True) as add:
        add("new")
    assert (tmp_path / "out.csv").is_symlink()
    assert real.read_text() == "new"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(UsageError, match="no plain file"), new_file(path, force=True):
            pass


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"), new_file(tmp_path / "no" / "out.csv"):
        pass


def test_a_name_the_disk_does_not_take_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssistantError, match="cannot be written"), new_file(tmp_path / ("x" * 252)):
        pass
