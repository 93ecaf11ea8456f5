"""Pages and sequences: who holds which page, what is shared, what is forgotten, and nothing lost."""

from __future__ import annotations

import random
from collections.abc import Sequence as Tokens
from typing import Any

import numpy as np
import pytest

from assistant.engine.lean.pages import TOKENS, Pages
from assistant.engine.lean.sequences import Key, Sequence, Sequences
from assistant.engine.lean.shape import Shape

BASE: Key = ()
ROWS = 6


def pool(tokens: int = 160, *, rows: int = ROWS, kept_tokens: int = 10_000) -> Sequences:
    """Sequences over a pool of ``tokens`` / 16 + ``rows`` pages, far more than a table's context."""
    shape = Shape(1, 16, 1, 1, 16, 32, 100, 4096, 1e-6, (1.0,) * 8)
    pages = Pages(shape, tokens=tokens, sequences=rows, wide=False)
    return Sequences(pages, kept_tokens=kept_tokens)


def slots(sequences: Sequences, page: int) -> Any:
    """Where the tests note which tokens a page holds, in place of keys and values."""
    return sequences.pages.bytes_of(page)[: 4 * TOKENS].view(np.int32)


def read(sequences: Sequences, sequence: Sequence, ids: Tokens[int]) -> None:
    """Extend and write, as a model does that reads tokens."""
    start = len(sequence.ids)
    sequences.extend(sequence, list(ids))
    for place, token in enumerate(ids, start=start):
        page = sequences.pages.tables[sequence.row, place // TOKENS]
        slots(sequences, page)[place % TOKENS] = token


def contents(sequences: Sequences, sequence: Sequence) -> list[int]:
    """Return the tokens that a sequence's pages hold."""
    found = [int(t) for page in sequence.pages for t in slots(sequences, page)]
    return found[: len(sequence.ids)]


def keep(sequences: Sequences, ids: Tokens[int], key: Key = BASE) -> Sequence:
    """Read a prompt and keep it."""
    made = sequences.begin(ids, key)
    read(sequences, made, ids[len(made.ids) :])
    sequences.keep(made)
    return made


def numbers(count: int, start: int = 0) -> list[int]:
    return list(range(start, start + count))


def check(sequences: Sequences, running: Tokens[Sequence]) -> None:
    """Check that pages are held as often as sequences have them, and hold what these say."""
    pages = sequences.pages
    live = [*running, *sequences.kept]
    held = [page for sequence in live for page in sequence.pages]
    assert [held.count(page) for page in range(pages.count)] == pages._owners
    assert pages.free + len(set(held)) == pages.count
    assert sorted(pages._free) == sorted(set(range(pages.count)) - set(held))
    for sequence in live:
        assert len(sequence.pages) == -(-len(sequence.ids) // TOKENS)
        assert contents(sequences, sequence) == sequence.ids
    for sequence in running:
        row = pages.tables[sequence.row, : len(sequence.pages)]
        assert row.tolist() == sequence.pages
    rows = [*sequences._rows, *(sequence.row for sequence in running)]
    assert sorted(rows) == list(range(len(pages.tables)))


# -- sharing ---------------------------------------------------------------------------------------


def test_full_pages_are_shared_and_the_last_one_is_copied() -> None:
    sequences = pool()
    first = keep(sequences, numbers(40))
    second = sequences.begin(numbers(60), BASE)
    assert second.ids == numbers(40)
    assert second.pages[:2] == first.pages[:2]
    assert second.pages[2] != first.pages[2]
    read(sequences, second, numbers(20, 40))
    assert contents(sequences, second) == numbers(60)
    assert contents(sequences, first) == numbers(40)
    check(sequences, [second])


def test_a_prefix_of_whole_pages_takes_no_page_of_its_own() -> None:
    sequences = pool()
    keep(sequences, numbers(48))
    before = sequences.pages.free
    sequences.begin(numbers(32), BASE)
    assert sequences.pages.free == before


def test_writing_after_a_shared_beginning_leaves_the_kept_one_as_it_is() -> None:
    sequences = pool()
    first = keep(sequences, numbers(40))
    second = sequences.begin([*numbers(36), 900, 901], BASE)
    assert second.ids == numbers(36)
    read(sequences, second, [900, 901])
    assert contents(sequences, second) == [*numbers(36), 900, 901]
    assert contents(sequences, first) == numbers(40)


@pytest.mark.parametrize("edited", [0, 1, 15, 16, 17, 31, 39])
def test_after_an_edit_what_stands_before_it_is_found(edited: int) -> None:
    sequences = pool()
    keep(sequences, numbers(40))
    changed = numbers(40)
    changed[edited] = 999
    assert sequences.known(changed, BASE) == edited
    assert sequences.begin(changed, BASE).ids == numbers(edited)


def test_of_several_kept_the_one_with_most_in_common_is_used() -> None:
    sequences = pool()
    keep(sequences, [*numbers(20), 7, 7])
    keep(sequences, [*numbers(30), 8, 8])
    keep(sequences, [*numbers(10), 9, 9])
    assert sequences.begin(numbers(50), BASE).ids == numbers(30)


def test_nothing_is_shared_between_different_keys() -> None:
    sequences = pool()
    keep(sequences, numbers(40), ("adapter", "1"))
    for key in (BASE, ("adapter", "2"), ("adapter",), ("other", "1")):
        assert sequences.known(numbers(40), key) == 0
        assert sequences.begin(numbers(40), key).ids == []
    assert sequences.known(numbers(40), ("adapter", "1")) == 40


def test_a_fork_goes_its_own_way() -> None:
    sequences = pool()
    parent = sequences.begin([], ("a", "1"))
    read(sequences, parent, numbers(20))
    forks = [sequences.fork(parent) for _ in range(3)]
    for number, fork in enumerate(forks):
        assert fork.key == parent.key
        read(sequences, fork, [500 + number] * 14)
    read(sequences, parent, [400])
    assert contents(sequences, parent) == [*numbers(20), 400]
    for number, fork in enumerate(forks):
        assert contents(sequences, fork) == [*numbers(20), *[500 + number] * 14]
    check(sequences, [parent, *forks])
    for fork in forks:
        sequences.drop(fork)
    check(sequences, [parent])


def test_a_cut_sequence_frees_its_last_pages_and_goes_on_from_there() -> None:
    sequences = pool()
    sequence = sequences.begin([], BASE)
    before = sequences.pages.free
    read(sequences, sequence, numbers(50))
    sequences.cut(sequence, 17)
    assert sequences.pages.free == before - 2
    read(sequences, sequence, [5, 6])
    assert contents(sequences, sequence) == [*numbers(17), 5, 6]
    check(sequences, [sequence])


# -- keeping and forgetting ------------------------------------------------------------------------


def test_the_longest_unused_is_forgotten_beyond_what_may_be_kept() -> None:
    sequences = pool(kept_tokens=64)
    for start in (100, 200, 300, 400):
        keep(sequences, numbers(16, start))
    sequences.drop(sequences.begin(numbers(16, 100), BASE))  # used again
    keep(sequences, numbers(16, 500))
    known = [start for start in (100, 200, 300, 400, 500) if sequences.known([start], BASE)]
    assert known == [100, 300, 400, 500]


def test_the_last_one_is_kept_however_long_it_is() -> None:
    sequences = pool(kept_tokens=32)
    keep(sequences, numbers(16, 100))
    keep(sequences, numbers(100))
    assert sequences.known(numbers(100), BASE) == 100
    assert sequences.known([100], BASE) == 0


def test_what_a_longer_one_begins_with_is_not_kept_twice() -> None:
    sequences = pool()
    keep(sequences, numbers(40))
    keep(sequences, numbers(60))
    assert [sequence.ids for sequence in sequences.kept] == [numbers(60)]
    keep(sequences, numbers(60), ("adapter", "1"))
    assert len(sequences.kept) == 2


def test_a_sequence_without_tokens_is_not_kept() -> None:
    sequences = pool()
    sequences.keep(sequences.begin([], BASE))
    assert sequences.kept == ()
    check(sequences, [])


def test_a_full_pool_makes_room_by_forgetting_the_longest_unused() -> None:
    sequences = pool(16 * 4, rows=2)  # six pages
    for start in (100, 200, 300):
        keep(sequences, numbers(32, start))
    assert sequences.pages.free == 0
    running = sequences.begin([], BASE)
    read(sequences, running, numbers(40))
    assert [s.ids[0] for s in sequences.kept] == [300]
    check(sequences, [running])


def test_what_a_new_prompt_shares_is_not_forgotten_to_make_room_for_it() -> None:
    sequences = pool(16 * 2, rows=2)  # four pages
    keep(sequences, numbers(16, 100))
    keep(sequences, numbers(40))
    sequences.drop(sequences.begin(numbers(16, 100), BASE))  # the other one is the longest unused
    running = sequences.begin(numbers(40), BASE)
    assert running.ids == numbers(40)
    assert contents(sequences, running) == numbers(40)
    assert sequences.known([100], BASE) == 0
    check(sequences, [running])


def test_more_than_the_pool_holds_is_an_error() -> None:
    sequences = pool(16 * 2, rows=2)
    running = sequences.begin([], BASE)
    with pytest.raises(MemoryError):
        sequences.extend(running, numbers(65))


def test_running_sequences_are_never_forgotten_to_make_room() -> None:
    sequences = pool(16 * 2, rows=2)
    first, second = sequences.begin([], BASE), sequences.begin([], BASE)
    read(sequences, first, numbers(48))
    with pytest.raises(MemoryError):
        sequences.extend(second, numbers(17))
    assert contents(sequences, first) == numbers(48)


def test_tokens_without_room_are_not_taken_for_known() -> None:
    sequences = pool(16 * 2, rows=2)
    running = sequences.begin([], BASE)
    read(sequences, running, numbers(20))
    with pytest.raises(MemoryError):
        sequences.extend(running, numbers(100, 20))
    assert running.ids == numbers(20)
    check(sequences, [running])
    sequences.keep(running)
    assert sequences.known(numbers(120), BASE) == 20


def test_a_fork_without_room_loses_no_page() -> None:
    sequences = pool(16 * 2, rows=2)
    parent = sequences.begin([], BASE)
    read(sequences, parent, numbers(60))
    with pytest.raises(MemoryError):
        sequences.fork(parent)
    check(sequences, [parent])
    sequences.drop(parent)
    assert sequences.pages.free == sequences.pages.count


def test_a_beginning_without_room_loses_no_page() -> None:
    sequences = pool(16 * 2, rows=2)
    keep(sequences, numbers(60))
    assert sequences.pages.free == 0
    try:
        running = [sequences.begin(numbers(60), BASE)]
    except MemoryError:
        running = []
    check(sequences, running)


def test_everything_is_free_again_when_all_is_dropped_and_forgotten() -> None:
    sequences = pool()
    keep(sequences, numbers(40))
    keep(sequences, [*numbers(30), 5])
    first = sequences.begin(numbers(35), BASE)
    second = sequences.fork(first)
    read(sequences, second, numbers(20))
    sequences.forget_all()
    assert sequences.kept == ()
    check(sequences, [first, second])
    sequences.drop(first)
    sequences.drop(second)
    assert sequences.pages.free == sequences.pages.count
    check(sequences, [])


def test_a_dropped_sequence_is_not_known() -> None:
    sequences = pool()
    running = sequences.begin([], BASE)
    read(sequences, running, numbers(20))
    sequences.drop(running)
    assert sequences.known(numbers(20), BASE) == 0


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_every_page_is_held_by_those_that_have_it(seed: int) -> None:
    """Random operations: prompts from a small alphabet, so that beginnings are often shared."""
    draw = random.Random(seed)
    sequences = pool(16 * draw.choice([10, 40]), kept_tokens=draw.choice([100, 10_000]))
    running: list[Sequence] = []
    own: dict[int, int] = {}  # how many tokens each began with: only what came after is cut
    past: list[list[int]] = [[]]
    for _ in range(150):
        choice = draw.choice("begin begin extend extend extend cut fork keep keep drop".split())
        if choice in ("begin", "fork") and len(running) == ROWS:
            choice = "keep"
        if choice == "begin":
            ids = draw.choice(past)[: draw.randrange(80)]
            ids = [*ids, *(draw.randrange(2) for _ in range(draw.randrange(20)))]
            key: Key = draw.choice([BASE, ("a", "1")])
            expected = sequences.known(ids, key)
            if sequences.pages.free < 2:
                sequences.forget_all()
                expected = 0
            if sequences.pages.free < 2:
                continue
            running.append(sequences.begin(ids, key))
            assert running[-1].ids == ids[:expected]
            own[id(running[-1])] = expected
        elif running:
            sequence = draw.choice(running)
            if choice == "extend":
                ids = [draw.randrange(2) for _ in range(draw.randrange(1, 40))]
                others = {page for each in running for page in each.pages}
                if (len(sequence.ids) + 40) // TOKENS + len(others) < sequences.pages.count:
                    read(sequences, sequence, ids)
            elif choice == "cut":
                sequences.cut(sequence, draw.randint(own[id(sequence)], len(sequence.ids)))
            elif choice == "fork" and sequences.pages.free > 1:
                running.append(sequences.fork(sequence))
                own[id(running[-1])] = len(sequence.ids)
                own[id(sequence)] = len(sequence.ids)
            else:
                running.remove(sequence)
                past.append(list(sequence.ids))
                (sequences.drop if choice == "drop" else sequences.keep)(sequence)
        check(sequences, running)
    sequences.forget_all()
    for sequence in running:
        sequences.drop(sequence)
    assert sequences.pages.free == sequences.pages.count
