"""One self-contained HTML file that a person likes to read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.core.escape import TURNED
from conceptbind.core.files import read_checked_json, write_checked_json, write_whole
from conceptbind.pictures.files import quiet_pillow, read_picture
from conceptbind.report.advice import moved
from conceptbind.report.charts import Chart
from conceptbind.report.citing import citation, home
from conceptbind.report.numbers import has_long_word, is_number, whole

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup
    from PIL.Image import Image

THUMBNAIL = 224


PAGE = "page.json"
"""What a page shows, beside it."""


def render_page(path: Path, template: str, *, provenance: Mapping[str, Any], **parts: Any) -> None:
    """Write one page, and beside it `page.json` with all that it shows, from which `redraw` makes
    it again.

    Args:
        path: the page.
        template: of this room.
        provenance: shown at its end, and kept in `results.json`.
        parts: what else the template shows: texts, numbers, charts, lists and mappings of them.

    Raises:
        FileError: the disk is full, or the folder is not writable.
    """
    kept = _kept(template, provenance, parts)
    write_checked_json(path.with_name(PAGE), kept)
    write_whole(path, _page(kept))


def write_page(path: Path, template: str, *, provenance: Mapping[str, Any], **parts: Any) -> None:
    """Write one page alone, without `page.json`; see `render_page`.

    Raises:
        FileError: the disk is full, or the folder is not writable.
    """
    write_whole(path, _page(_kept(template, provenance, parts)))


def _kept(template: str, provenance: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """All that a page shows, as plain data."""
    return {"template": template, "provenance": dict(provenance), "parts": _as_json(parts)}


def redraw(folder: Path) -> Path:
    """Draw `report.html` of a run folder again, with this version's templates and styles.

    Raises:
        FileError: the folder holds no whole `page.json`, or one of another form.
    """
    kept = read_checked_json(folder / PAGE, "run the command again")
    path = folder / "report.html"
    try:
        parts = kept["parts"]
        if "answer" in parts:
            kept = {**kept, "parts": {**parts, "answer": moved(parts["answer"], folder)}}
        page = _page(kept)
    except (KeyError, TypeError, AttributeError, ValueRangeError, jinja_error()) as error:
        raise FileError(
            f"{folder / PAGE} is not of the form that this version draws ({error}); run the "
            "command again"
        ) from error
    write_whole(path, page)
    return path


def jinja_error() -> type[Exception]:
    """What a template raises that misses something."""
    import jinja2

    return jinja2.TemplateError


def _environment() -> Environment:
    """The templates of this room."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("conceptbind.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.tests["number_cell"] = is_number
    environment.tests["long_cell"] = has_long_word
    return environment


def _page(kept: Mapping[str, Any]) -> str:
    environment = _environment()
    provenance = kept["provenance"]
    figure = environment.get_template("figure.html.j2")
    parts = _from_json(kept["parts"], lambda chart: _figure(chart, figure))
    page = environment.get_template(kept["template"]).render(
        **parts,
        provenance=provenance,
        provenance_text=json.dumps(provenance, indent=2, ensure_ascii=False),
        citation=citation(str(provenance.get("conceptbind", "")), home()),
    )
    return TURNED.sub(" ", page)


def _unbroken(shown: object) -> object:
    """A text whose numbers no line break cuts from their units; of anything else, itself."""
    from markupsafe import Markup

    return whole(shown) if isinstance(shown, str) and not isinstance(shown, Markup) else shown


def figure_of(plain: Mapping[str, Any]) -> Markup:
    """A chart of a kept page as HTML, with its values as a table.

    Args:
        plain: see `Chart.as_json`.

    Raises:
        ValueRangeError: it is of another form.
    """
    return _figure(plain, _environment().get_template("figure.html.j2"))


def _figure(plain: Mapping[str, Any], template: Template) -> Markup:
    """A chart as HTML: two drawings, its values as a table."""
    from markupsafe import Markup

    from conceptbind.report.svg import NARROW, WIDE, draw

    chart = Chart.from_json(plain)
    drawings = {
        name: Markup(draw(chart, width, name=f"{chart.id}-{name}"))  # noqa: S704 - it escapes names
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    }
    head, rows = chart.table()
    return Markup(template.render(chart=chart, head=head, rows=rows, **drawings))  # noqa: S704


def _as_json(value: object) -> Any:
    """Plain data, in which charts are told from mappings."""
    if isinstance(value, Chart):
        return {"chart": value.as_json()}
    if isinstance(value, Mapping):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a page shows plain data; got {type(value).__name__}")


def _from_json(value: object, figure: Callable[[Mapping[str, Any]], Markup]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"chart"} and isinstance(value["chart"], dict):  # no list of values
            return figure(value["chart"])
        return {name: _from_json(inner, figure) for name, inner in value.items()}
    return [_from_json(inner, figure) for inner in value] if isinstance(value, list) else value


def thumbnail(path: Path, data: bytes | None = None) -> str | None:
    """A picture as a data address; None where an array was measured and the pictures that its table
    names are not there.

    Args:
        path: the file.
        data: what it holds, where it lies in a container.
    """
    try:
        with quiet_pillow():
            return small_picture(read_picture(path, data=data))
    except FileError:
        return None


def small_picture(
    picture: Image, most: int = THUMBNAIL, form: Literal["jpeg", "png"] = "jpeg"
) -> str:
    """A picture as a data address.

    Args:
        picture: RGB; it is left as it is.
        most: pixels that it is wide and high, at most.
        form: of the file; `png` keeps every pixel.
    """
    picture = picture.copy()
    picture.thumbnail((most, most))
    small = io.BytesIO()
    picture.save(small, form.upper(), quality=85)  # png knows no quality
    return f"data:image/{form};base64," + base64.b64encode(small.getvalue()).decode()
