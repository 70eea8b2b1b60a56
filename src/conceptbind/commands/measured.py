"""The page of a measurement: every study of a run as a section, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.complexity.section import complexity_section
from conceptbind.core.records import CONTROL_TEXTS
from conceptbind.geometry.section import geometry_section
from conceptbind.repairs.section import repair_section
from conceptbind.repairs.words import repair_sentence, repair_verdict
from conceptbind.report.figures import (
    crossmodal_figure,
    object_figure,
    recognition_figure,
    swap_cosine_figure,
)
from conceptbind.report.page import render_page, thumbnail
from conceptbind.report.verdicts import CONTROLS, Verdict, across, controls_of, verdict

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.records import Record
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.geometry.study import GeometryStudy
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.repairs.study import RepairStudy
    from conceptbind.scenes.table import Scenes


def write_report(
    path: Path,
    studies: Sequence[ProbeStudy],
    attributes: Sequence[Record],
    crossmodal: CrossmodalStudy | None,
    scenes: Scenes,
    provenance: Mapping[str, Any],
    repair: RepairStudy | None = None,
    geometry: Sequence[GeometryStudy] = (),
    complexity: Sequence[ComplexityStudy] = (),
) -> None:
    """Write `report.html`. It needs no network: script, styles and pictures are inside."""
    from markupsafe import Markup

    sections = [
        {
            "study": study,
            "verdict": verdict(study),
            "rows": [
                (record, controls_of(record, study.records))
                for record in study.records
                if record.extra["control"] == "none"
            ],
            "nouns": [
                (record, controls_of(record, attributes))
                for record in attributes
                if (record.study, record.modality, record.extra["control"])
                == ("attribute_probe", study.modality, "none")
            ],
            # Made by plotly, which escapes labels.
            "figure": Markup(recognition_figure(study)),  # noqa: S704
            "objects": Markup(objects) if (objects := object_figure(study, scenes)) else None,  # noqa: S704
            "search": [
                (record, controls_of(record, attributes))
                for record in attributes
                if record.study == "search"
                and record.extra["control"] == "none"
                and study.modality == "image"
            ],
            "pictures": [
                thumbnail(wrong.image) if wrong.image and study.modality == "image" else None
                for wrong in study.wrong
            ],
        }
        for study in studies
    ]
    across_section = None
    if crossmodal is not None:
        cosines = swap_cosine_figure(crossmodal)
        across_section = {
            "study": crossmodal,
            "verdict": across(crossmodal),
            "rows": [record for record in crossmodal.records if record.value is not None],
            "figure": Markup(crossmodal_figure(crossmodal)),  # noqa: S704
            "cosines": Markup(cosines) if cosines else None,  # noqa: S704
            "pictures": [
                thumbnail(wrong.image) if wrong.image else None for wrong in crossmodal.wrong
            ],
        }
    controls = {
        name: words
        for name, words in CONTROLS.items()
        if any(r.extra.get("control") == name for s in studies for r in s.records)
    }
    render_page(
        path,
        "report.html.j2",
        title=f"Does {studies[0].value('object_recognition').encoder} bind concepts?",
        sections=sections,
        across=across_section,
        repair=repair_section(repair, repair_sentence(repair)) if repair else None,
        geometries=[geometry_section(study) for study in geometry],
        complexities=[complexity_section(study) for study in complexity],
        controls=controls,
        control_texts=CONTROL_TEXTS,
        scenes=scenes,
        provenance=provenance,
    )


def verdicts(
    studies: Sequence[ProbeStudy],
    crossmodal: CrossmodalStudy | None,
    repair: RepairStudy | None = None,
) -> list[Verdict]:
    """One for each modality, one for the step between them, and one for its repair."""
    found = [*map(verdict, studies), *([across(crossmodal)] if crossmodal else [])]
    return [*found, *([repair_verdict(repair)] if repair else [])]
