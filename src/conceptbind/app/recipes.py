"""Python that does what the page did: the same rows, the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.app.model import Model
    from conceptbind.app.pictures import Placed


def of_trial(
    model: Model,
    captions: Sequence[str],
    *,
    objects: Sequence[Placed] | None = None,
    file: str | None = None,
    text: str | None = None,
) -> str:
    """The cosines of captions with one picture or text.

    Args:
        model: the encoder and its repair.
        captions: in the order of the page.
        objects: of a picture that was drawn.
        file: name of a picture that was dropped.
        text: what stands in the place of a picture.
    """
    imports = ["import numpy as np", "", "import conceptbind"]
    if objects is not None:
        imports.append("from conceptbind.pictures import Layout, draw_placed")
        compared = [*_drawn(objects), "row = encoder.encode_images([picture])[0]"]
    elif file is not None:
        imports = ["from pathlib import Path", "", *imports]
        imports.append("from conceptbind.pictures.files import read_picture")
        compared = [
            f"picture = read_picture(Path({file!r}))  # where the file lies",
            "row = encoder.encode_images([picture])[0]",
        ]
    else:
        compared = [f"row = encoder.encode_texts([{text!r}])[0]"]
    listed = [f"    {caption!r}," for caption in captions]
    lines = [
        *imports,
        "",
        f"encoder = conceptbind.resolve({(model.name or model.id)!r})",
        *compared,
        "captions = [",
        *listed,
        "]",
        "rows = encoder.encode_texts(captions)",
        *_scored(model),
    ]
    return "\n".join(lines) + "\n"


def _drawn(objects: Sequence[Placed]) -> list[str]:
    placed = [
        f"    ({one.color!r}, {one.shape!r}, {one.x!r}, {one.y!r}, {one.radius!r}),"
        for one in objects
    ]
    return [
        "objects = [  # colour, shape, centre from the left and from the top, radius",
        *placed,
        "]",
        "places = np.array([one[2:] for one in objects], dtype=float).reshape(-1, 3)",
        "layout = Layout(places[:, :2], places[:, 2])",
        "picture = draw_placed([one[:2] for one in objects], layout)",
    ]


def _scored(model: Model) -> list[str]:
    lines = [
        "",
        "",
        "def unit(rows):",
        '    """Rows of length 1."""',
        "    rows = np.asarray(rows, dtype=np.float64)",
        "    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)",
        "",
        "",
        "before = unit(rows) @ unit(row)",
    ]
    if model.adapter_name is None:
        shown = [
            "for caption, score in zip(captions, before):",
            '    print(f"{score:.6f}  {caption}")',
        ]
        return [*lines, *shown]
    return [
        *lines,
        f"repair = conceptbind.load_adapter({model.adapter_name!r})",
        "after = repair(rows).astype(np.float64) @ unit(row)",
        "for caption, *scores in zip(captions, before, after):",
        '    print("  ".join(f"{score:.6f}" for score in scores), caption)',
    ]
