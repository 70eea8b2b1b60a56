"""One self-contained HTML file that a person likes to read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError
from conceptbind.core.files import write_whole
from conceptbind.pictures.files import read_picture
from conceptbind.report.numbers import interval_of, percent, value_of
from conceptbind.report.verdicts import metric_name

if TYPE_CHECKING:
    pass

THUMBNAIL = 224


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
