"""The cells of a sweep, run where they are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.complexity.cells import NETWORKS, Cell, Inputs, fit_cell, fit_cells_together
from conceptbind.core.errors import FileError
from conceptbind.core.files import content_hash, read_checked_json, write_checked_json
from conceptbind.core.version import __version__
from conceptbind.run.executors import run_tasks

if TYPE_CHECKING:
    from conceptbind.core.typing import Executor

CELLS = 2
"""Version of what a kept cell holds: raised where its rows change, so that none of an older kind is
taken."""


def run_cells(
    inputs: Inputs,
    cells: Sequence[Cell],
    keep: Path | None,
    executor: Executor,
    address: str | None,
    jobs: int | None,
    on_cell: Callable[[int], None],
) -> dict[Cell, list[dict[str, Any]]]:
    """The rows of every cell by cell, from the folder where they are there.

    Args:
        inputs: what all cells share.
        cells: the fits, the costly ones first.
        keep: a folder for finished cells; none is kept without.
        executor: `local`, `ray` or `dask`.
        address: of a running cluster.
        jobs: workers of a local one.
        on_cell: called with the number of cells done since the last call.

    Raises:
        ConceptBindError: an executor is missing, or its workers died.
    """
    key = ""
    if keep:
        heads = [(one.name, fold) for one in inputs.readouts for fold, _ in one.folds]
        weights = (
            part.weight.tobytes() for _, fold in heads for part in (*fold.concepts, fold.objects)
        )
        facts = repr((CELLS, inputs.most_scenes, inputs.starts, [name for name, _ in heads]))
        key = content_hash(
            __version__, inputs.scenes.content_hash, facts, inputs.values.tobytes(), *weights
        )
    found = {cell: rows for cell in cells if keep and (rows := _kept(keep, key, cell)) is not None}
    if found:
        on_cell(len(found))
    left = [cell for cell in cells if cell not in found]

    def finish(cell: Cell, rows: list[dict[str, Any]]) -> None:
        found[cell] = rows
        if keep:
            write_checked_json(_file(keep, key, cell), {"cell": vars(cell), "rows": rows})
        on_cell(1)

    if inputs.device != "cpu":
        networks: dict[tuple[str, int | None], list[Cell]] = {}
        for cell in left:
            if cell.approximator in NETWORKS:
                networks.setdefault((cell.approximator, cell.width), []).append(cell)
        for group in networks.values():
            for cell, rows in fit_cells_together(inputs, group):
                finish(cell, rows)
        for cell in left:
            if cell not in found:
                finish(cell, fit_cell(inputs, cell))
        return found
    for number, rows in run_tasks(
        fit_cell, inputs, left, executor=executor, address=address, jobs=jobs
    ):
        finish(left[number], rows)
    return found


def _file(keep: Path, key: str, cell: Cell) -> Path:
    return keep / f"{content_hash(key, repr(cell))[:32]}.json"


def _kept(keep: Path, key: str, cell: Cell) -> list[dict[str, Any]] | None:
    """The rows of a finished cell, or None."""
    path = _file(keep, key, cell)
    if not path.is_file():
        return None
    try:
        found = read_checked_json(path)
    except FileError:
        return None
    rows = found.get("rows")
    return rows if found.get("cell") == vars(cell) and isinstance(rows, list) else None
