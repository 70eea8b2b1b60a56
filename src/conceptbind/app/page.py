"""The HTML of the page: one file, in the style of the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from conceptbind.app.trial import LONGEST, MOST_CAPTIONS
from conceptbind.core.version import __version__
from conceptbind.pictures.vocabulary import APART, FLAT_SHAPES

if TYPE_CHECKING:
    from conceptbind.app.model import Model

LEFT_OUT = ("grey",)
"""Second names of colours."""
FIRST = "a red square and a blue circle"
"""The caption that the page begins with."""
BEGUN = [
    {"color": "red", "shape": "square", "x": 0.28, "y": 0.5, "radius": 0.16},
    {"color": "blue", "shape": "circle", "x": 0.72, "y": 0.5, "radius": 0.16},
]
"""The picture that it begins with."""


def page_of(model: Model, nonce: str) -> str:
    """The page.

    Args:
        model: the encoder and its repair.
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
        "most": MOST_CAPTIONS,
    }
    colours = {name: value for name, value in APART.items() if name not in LEFT_OUT}
    return environment.get_template("try.html.j2").render(
        encoder=model.id,
        sees=model.sees,
        repaired=model.adapter is not None,
        colours=colours,
        shapes=FLAT_SHAPES,
        first=FIRST,
        longest=LONGEST,
        most=MOST_CAPTIONS,
        version=__version__,
        facts=json.dumps(facts),
        nonce=nonce,
    )
