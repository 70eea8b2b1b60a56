"""Python that does what the page did: the same rows, the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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


def of_search(model: Model, recipe: Mapping[str, Any], text: str, way: str, top: int) -> str:
    """A query before and after the repair.

    Args:
        model: the encoder and its repair.
        recipe: options of `conceptbind.query` that name what is searched.
        text: the query.
        way: how its parts are joined.
        top: hits.
    """
    named = {"index": model.name or model.id, **recipe, "text": text, "way": way, "top": top}
    options = ", ".join(f"{name}={value!r}" for name, value in named.items())
    lines = ["import conceptbind", "", f"print(conceptbind.query({options}))"]
    if model.adapter_name is not None:
        lines.append(f"print(conceptbind.query({options}, adapter={model.adapter_name!r}))")
    return "\n".join(lines) + "\n"


def _of_run(folder: Path, *imports: str) -> list[str]:
    """The scenes of a run, and how its rows are read."""
    return [
        "from pathlib import Path",
        "",
        "import numpy as np",
        "",
        "import conceptbind",
        *imports,
        "from conceptbind.rows.embeddings import load",
        "",
        f"folder = Path({str(folder)!r})",
        'asked = conceptbind.load_run(folder).provenance["config"]',
        'scenes = conceptbind.load_scenes(asked["scenes"], asked["template"])',
    ]


_SHOWN = [
    "    for place in np.argsort(-scores, kind='stable')[:5].tolist():",
    '        print(f"{name}  {scores[place]:.6f}  {scenes.caption(place)}")',
]


def of_item(folder: Path, row: int, asks: str, adapter: str | None) -> str:
    """The captions of a run that are nearest to one of its scenes.

    Args:
        folder: of the run.
        row: of the scene.
        asks: which rows ask: `image` or `text`.
        adapter: where the repair lies; None where none is shown.
    """
    lines = [
        *_of_run(folder),
        'captions = load(folder / "embeddings" / "text")',
        f'asking = load(folder / "embeddings" / "{asks}").unit().values[{row}].astype(float)',
        'found = {"before": captions.unit().values @ asking}',
    ]
    if asks == "text":
        lines.append(f'found["before"][{row}] = -np.inf  # a caption does not find itself')
    if adapter is not None:
        lines.append(f"repair = conceptbind.load_adapter({adapter!r})")
        lines.append('found["after"] = repair(captions.values) @ asking')
    return "\n".join([*lines, "for name, scores in found.items():", *_SHOWN]) + "\n"


def of_edit(folder: Path, modality: str, row: int, target: int, slot: int, strength: float) -> str:
    """The scenes that are nearest to an edited embedding.

    Args:
        folder: of the run.
        modality: of the embedding.
        row: the scene that is edited.
        target: the scene that it should become.
        slot: of the object that is exchanged.
        strength: how much of the vector is exchanged.
    """
    lines = [
        *_of_run(folder, "from conceptbind.geometry import Editor, all_edits"),
        f'values = load(folder / "embeddings" / "{modality}").unit().values.astype(float)',
        "edits = all_edits(scenes)",
        f"wanted = (edits.source == {row}) & (edits.target == {target}) & (edits.slot == {slot})",
        "one = edits.select(np.flatnonzero(wanted))",
        'editor = Editor.fit(values, scenes, "avg+pos")',
        f"edited = editor.edited(one, {strength!r})[0]",
        'found = {"edited": values @ (edited / np.linalg.norm(edited))}',
    ]
    return "\n".join([*lines, "for name, scores in found.items():", *_SHOWN]) + "\n"
