"""``assistant eval --calibrate``: label probabilities that mean something, fitted to one's own labels."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note, open_store, print_json

if TYPE_CHECKING:
    from assistant.answering import AskOptions


def run(given: dict[str, Any], options: AskOptions, progress: Any, stop: Any) -> None:
    """Fit a correction for each label set in the data and keep it for all later turns."""
    from assistant import calibration
    from assistant.cli.common import user_settings
    from assistant.cli.eval import check_rows_file
    from assistant.evaluation.calibrate import calibrate
    from assistant.evaluation.examples import read_examples, sample
    from assistant.paths import user_paths
    from assistant.wiring import make_session, own_calibrations

    file = given["output"] or own_calibrations(user_paths())
    check_rows_file(file, calibration.read)
    data = read_examples(given["data"], given["task"] or "classification")
    rows = sample(data.rows, given["limit"], given["seed"])
    with open_store() as store:
        settings = user_settings(model=given["model"], strategy=given["strategy"])
        session = make_session(settings, store=store)
        found = calibrate(
            rows,
            session.planner,
            session.loader.get(stop),
            options,
            data=given["data"].name,
            progress=progress,
            stop=stop,
        )
    calibration.write(file, [*calibration.read(file), *found])
    if given["as_json"]:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        click.echo(
            f"{', '.join(one.labels)[:60]}  n={one.n}  accuracy {one.accuracy[0]:.1f} -> "
            f"{one.accuracy[1]:.1f}  ECE {one.ece[0]:.3f} -> {one.ece[1]:.3f}"
            + ("  (two prompts)" if one.needs_bare else "")
        )
    note(f"Kept in {file}. Figures are those of parts left out of the fit.")
