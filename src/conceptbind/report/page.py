"""One self-contained HTML file that a person likes to read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError
from conceptbind.core.files import read_checked_json, write_checked_json, write_whole
from conceptbind.pictures.files import read_picture

if TYPE_CHECKING:
    from markupsafe import Markup

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
        parts: what else the template shows: texts, numbers, lists and mappings of them, and HTML
            as `markupsafe.Markup`.

    Raises:
        FileError: the disk is full, or the folder is not writable.
    """
    kept = {"template": template, "provenance": dict(provenance), "parts": _as_json(parts)}
    write_checked_json(path.with_name(PAGE), kept)
    write_whole(path, _page(kept))


def redraw(folder: Path) -> Path:
    """Draw `report.html` of a run folder again, with this version's templates and styles.

    Raises:
        FileError: the folder holds no whole `page.json`, or one of another form.
    """
    kept = read_checked_json(folder / PAGE, "run the command again")
    path = folder / "report.html"
    try:
        page = _page(kept)
    except (KeyError, TypeError, AttributeError, jinja_error()) as error:
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


def _page(kept: Mapping[str, Any]) -> str:
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
    provenance = kept["provenance"]
    return environment.get_template(kept["template"]).render(
        **_from_json(kept["parts"]),
        provenance=provenance,
        provenance_text=json.dumps(provenance, indent=2, ensure_ascii=False),
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library's own script
    )


def drawn(html: str | None) -> Markup | None:
    """A figure as HTML, made by plotly, which escapes labels."""
    from markupsafe import Markup

    return Markup(html) if html else None  # noqa: S704


def _as_json(value: object) -> Any:
    """Plain data, in which HTML is told from text."""
    if hasattr(value, "__html__"):
        return {"html": str(value)}
    if isinstance(value, Mapping):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a page shows plain data; got {type(value).__name__}")


def _from_json(value: object) -> Any:
    from markupsafe import Markup

    if isinstance(value, dict):
        if set(value) == {"html"}:
            return Markup(value["html"])  # noqa: S704
        return {name: _from_json(inner) for name, inner in value.items()}
    return [_from_json(inner) for inner in value] if isinstance(value, list) else value


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
