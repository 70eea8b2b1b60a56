"""Pictures against captions, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Section
from conceptbind.core.names import Control
from conceptbind.crossmodal.figures import crossmodal_figure, swap_cosine_figure
from conceptbind.probes.section import cells, shown_controls
from conceptbind.report.page import thumbnail
from conceptbind.report.words import metric_name

if TYPE_CHECKING:
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.scenes.table import Scenes

TERMS = (
    (
        "Binding accuracy",
        "Cosine of a picture with its caption against the caption with two attributes swapped. "
        "Right when strictly higher. Both are scored with the objects named in either order (all "
        "orders: the mean of the four comparisons). A model that only knows which colour is on the "
        "left wins in one order and loses in the other.",
    ),
    (
        "Concept accuracy",
        "The same against a caption in which one value is replaced by one that is not in the "
        "picture.",
    ),
    (
        "Recall at k, swap error, concept retrieval",
        "Each picture chooses among one caption for each set of objects. Recall at k is the share "
        "with their own caption among the first k. Swap error is the share whose first caption is "
        "an attribute swap. Concept retrieval is the share with their own caption above all that "
        "hold other concepts.",
    ),
    (
        "By text queries",
        "Recognition with the caption embeddings of single concepts (“a red object”) or objects "
        "instead of a probe.",
    ),
)


def across_section(study: CrossmodalStudy, scenes: Scenes) -> Section:
    """Comparisons, retrieval, cosines of swaps, and pictures that chose another caption."""
    own = study.records.where(control=Control.NONE).scored()
    controls = shown_controls(study.records)
    rows = [
        [metric_name(record), record.modality, *cells(record, study.records, controls)]
        for record in own
    ]
    wrong = [
        {
            "id": chosen.id,
            "values": scenes.shown_in(chosen.row),
            "picture": thumbnail(chosen.image) if chosen.image else None,
            "true": chosen.true,
            "chosen": chosen.chosen,
            "swapped": chosen.swapped,
        }
        for chosen in study.wrong
    ]
    data = {
        "figure": crossmodal_figure(study),
        "rows": rows,
        "controls": list(controls.values()),
        "cosines": swap_cosine_figure(study),
        "n_wrong": study.n_wrong,
        "wrong": wrong,
    }
    title = "Between pictures and captions"
    return Section("across", title, data, "across_section.html.j2")
