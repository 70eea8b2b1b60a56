"""One self-contained HTML file that a person likes to read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.encoders.pictures import read_picture
from conceptbind.errors import FileError
from conceptbind.files import write_whole
from conceptbind.report.complexity import complexity_section
from conceptbind.report.figures import (
    crossmodal_figure,
    object_figure,
    recognition_figure,
    swap_cosine_figure,
)
from conceptbind.report.geometry import geometry_section
from conceptbind.report.numbers import interval_of, percent, value_of
from conceptbind.report.repair import repair_section
from conceptbind.report.repair_words import repair_sentence
from conceptbind.report.verdict import CONTROLS, across, controls_of, metric_name, verdict
from conceptbind.results import CONTROL_TEXTS

if TYPE_CHECKING:
    from conceptbind.results import Record
    from conceptbind.scenes import Scenes
    from conceptbind.studies import (
        ComplexityStudy,
        CrossmodalStudy,
        GeometryStudy,
        ProbeStudy,
        RepairStudy,
    )

THUMBNAIL = 224


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


def render_page(path: Path, template: str, *, provenance: Mapping[str, Any], **parts: Any) -> None:
    """Write one page: the template, with styles, script and provenance inside."""
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("conceptbind.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["value_of"] = value_of
    environment.filters["interval_of"] = interval_of
    # never says 1 for less
    environment.filters["floored"] = lambda score: f"{floor(1000 * score) / 1000:.3f}"
    environment.filters["metric_name"] = metric_name
    page = environment.get_template(template).render(
        **parts,
        provenance=provenance,
        provenance_text=json.dumps(provenance, indent=2, ensure_ascii=False),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
    )
    write_whole(path, page)


def thumbnail(path: Path) -> str | None:
    """A picture as a data address; None where an array was measured and the pictures that its table
    names are not there.
    """
    try:
        picture = read_picture(path)
    except FileError:
        return None
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
