"""What a linear probe recognises, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Control
from conceptbind.core.rounding import percent
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.words import embeddings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.scenes.table import Scenes


def recognition_figure(study: ProbeStudy) -> Chart:
    """Bars with intervals: every concept and the objects, beside each control."""
    shown: tuple[tuple[Control, str, Look], ...] = (
        (Control.NONE, embeddings_of(study.modality), "own"),
        (Control.RANDOM_WEIGHTS, "the same model with random weights", "random"),
        (Control.BAG_TWIN, "the bag twin, same scenes", "twin"),
        (Control.BAG_OF_CONCEPTS, "a bag of concepts, same scenes", "bag"),
    )
    series = []
    for control, name, look in shown:
        records = study.records.where(control=control).scored()
        points = tuple(point_of(r, str(r["concept"] or "objects")) for r in records)
        if points:
            series.append(Series(name, points, look))
    return Chart(
        f"recognition-{study.modality}",
        f"What a linear probe recognises in {embeddings_of(study.modality)}",
        "bars",
        tuple(series),
        "recognition of",
        "share of test scenes recognised",
    )


def objects_table(study: ProbeStudy, scenes: Scenes) -> dict[str, Any] | None:
    """Object recognition by attribute and noun, with the number of scenes; None unless there are
    two concepts.
    """
    return table_by_object(study.by_object, study.n_by_object, scenes)


def table_by_object(
    by_object: Float[Floats, " objects"], n_by_object: Int[Ints, " objects"], scenes: Scenes
) -> dict[str, Any] | None:
    """Shares of scenes by attribute and noun; None unless there are two concepts.

    Args:
        by_object: (|O|,) share of the scenes that hold each object; NaN where none does.
        n_by_object: (|O|,) these scenes.
        scenes: the table.
    """
    if len(scenes.space.concepts) != 2:
        return None
    rows, columns = scenes.space.values
    shape = (len(rows), len(columns))
    shares, counts = by_object.reshape(shape), n_by_object.reshape(shape)
    return {
        "corner": " × ".join(scenes.space.concepts),
        "columns": list(columns),
        "rows": [
            (name, _cells(name, columns, some, of))
            for name, some, of in zip(rows, shares.tolist(), counts.tolist(), strict=True)
        ],
    }


def _cells(
    attribute: str, nouns: Sequence[str], shares: Sequence[float], counts: Sequence[int]
) -> list[dict[str, Any]]:
    """A row: shares with their n, and the objects that they are of."""
    return [
        _cell(share, n) | {"object": f"{attribute} {noun}"}
        for noun, share, n in zip(nouns, shares, counts, strict=True)
    ]


def _cell(share: float, n: int) -> dict[str, Any]:
    if np.isnan(share):
        return {"share": None, "text": "-", "n": None}
    return {"share": round(share, 4), "text": percent(share), "n": n}
