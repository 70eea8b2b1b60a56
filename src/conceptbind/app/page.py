"""The HTML of the page: one file, in the style of the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conceptbind.app.search import OFFERED
from conceptbind.app.trial import LONGEST, MOST_CAPTIONS
from conceptbind.core.version import __version__
from conceptbind.pictures.vocabulary import APART, FLAT_SHAPES
from conceptbind.report.words import seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.app.explore import Explored
    from conceptbind.app.model import Model
    from conceptbind.app.search import Searched

MISSED = {False: "missed", True: "not wholly right"}
LEFT_OUT = ("grey",)
"""Second names of colours."""
FIRST = "a red square and a blue circle"
"""The caption that the page begins with."""
BEGUN = [
    {"color": "red", "shape": "square", "x": 0.28, "y": 0.5, "radius": 0.16},
    {"color": "blue", "shape": "circle", "x": 0.72, "y": 0.5, "radius": 0.16},
]
"""The picture that it begins with."""


def page_of(model: Model, searched: Searched | None, explored: Explored | None, nonce: str) -> str:
    """The page.

    Args:
        model: the encoder and its repair.
        searched: what a query searches; None where there is nothing.
        explored: a finished run; None where none is named.
        nonce: of its script, which alone may run.
    """
    import jinja2

    loaders = [jinja2.PackageLoader("conceptbind.app"), jinja2.PackageLoader("conceptbind.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    facts = {
        "encoder": model.id,
        "sees": model.sees,
        "repaired": model.adapter is not None,
        "begun": BEGUN,
        "searched": searched is not None,
        "explored": explored is not None,
    }
    of_run = None if explored is None else _of_run(explored)
    told = None if searched is None else searched.told
    colours = [name for name in APART if name not in LEFT_OUT]
    return environment.get_template("try.html.j2").render(
        encoder=model.id,
        sees=model.sees,
        sends=model.id.startswith("api:"),
        repaired=model.adapter is not None,
        colours=_read(model, "a {} square", colours),
        shapes=_read(model, "a red {}", FLAT_SHAPES),
        first=FIRST,
        longest=LONGEST,
        most=MOST_CAPTIONS,
        version=__version__,
        searched=told,
        ways=OFFERED,
        explored=of_run,
        facts=json.dumps(facts),
        nonce=nonce,
    )


def _read(model: Model, caption: str, words: Sequence[str]) -> Sequence[str]:
    """The words that the encoder reads; all where it reads none, since captions may be of another
    language.
    """
    if not model.sees:  # nothing is drawn
        return words
    known = model.reads_each([caption.format(word) for word in words])
    read = [word for word, knows in zip(words, known, strict=True) if knows]
    return read or words


def _of_run(explored: Explored) -> dict[str, Any]:
    """What the page says of a run before anything is asked."""
    from markupsafe import Markup

    space, missing = explored.table.space, [one.wholly for one in explored.questions]
    begun = missing.index(max(missing)) if missing else 0
    return {
        "begun": begun,
        "name": explored.folder.name,
        "scenes": explored.table.name,
        "note": explored.note,
        "questions": [
            f"{one.title}: {len(one.missed):,} of {one.n:,} {MISSED[one.partly]}"
            for one in explored.questions
        ],
        "concepts": dict(zip(space.concepts, space.values, strict=True)),
        "charts": {
            seen(name): Markup(html)  # noqa: S704 - drawn by report.svg, which escapes names
            for name, html in explored.charts.items()
        },
    }
