"""Zero-shot classification of a folder of labelled pictures: what a repair must not cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.benchmarks.base import Data, Distinct, Found, Items, Making, Score
from conceptbind.core.errors import FileError, MismatchError, UnknownNameError
from conceptbind.core.limits import first_repeated
from conceptbind.core.text import read_lines
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.scenes.captions import article

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

PARTS = ("test", "val", ".")
"""Where the folders of the classes lie; the first that is there is read."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
TEMPLATE = "a photo of a {}."
TEMPLATES = (TEMPLATE, "{a} {}", "{}")
"""What is tried where no template is given: the first whose words the encoder knows. `{a}` is a or
an, as the name sounds."""
KS = (1, 5)


class LabelledFolder:
    """`DIR/CLASS/picture`, as CIFAR-10 is unpacked. A picture must lie strictly nearest to the
    caption of its class.

    The captions are `--template`, else those of `templates.txt` (one per line), `{}` for the class
    and `{a}` for its article. Without them they are "a photo of a {}.", or "{a} {}" for an encoder
    that does not know these words. `classes.txt` (folder, tab, name) is read where it is there. Of
    several templates the unit rows are averaged, as CLIP does (arXiv 2103.00020, section 3.1.4).
    """

    name = "zeroshot"
    title = "Zero-shot classification of a labelled folder"
    published = "your own pictures, or any set in the form DIR/CLASS/picture"
    licence = "that of the pictures"

    def layout(self, folder: Path) -> list[Found]:
        """The folders of the classes."""
        place = _part(folder)
        return [Found(place / label, "pictures of a class", True) for label in _labels(place)] or [
            Found(place / "CLASS", "a folder of pictures for each class", False)
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """Pictures by class."""
        place = _part(folder)
        labels, names = _labels(place), _names(folder)
        if len(labels) < 2:
            raise FileError(
                f"{place} must hold a folder of pictures for each of at least two classes; it "
                f"holds {len(labels)}"
            )
        found = [
            (label, path)
            for label in labels
            for path in sorted((place / label).iterdir())
            if path.suffix.lower() in SUFFIXES
        ]
        captions = Distinct()
        called = [names.get(label, label.replace("_", " ")) for label in labels]
        if (twice := first_repeated(called)) is not None:
            raise MismatchError(f"{folder} calls two classes by the same name: {twice:.100}")
        templates, notes = _chosen(folder, called, making)
        numbers = [list(map(captions, _in_all(templates, name))) for name in called]
        number = {label: i for i, label in enumerate(labels)}
        items = {
            "labels": np.array([number[label] for label, _ in found]),
            "classes": np.array(numbers),
        }
        facts = {"templates": len(templates), "template": templates[0], "classes": len(labels)}
        return Data(
            tuple(str(path.relative_to(place)) for _, path in found),
            place,
            captions.all(),
            items,
            notes,
            facts=facts,
        )

    @staticmethod
    def keep(items: Items, number: Int[Ints, " pictures"]) -> tuple[Items, int]:
        """The pictures that are there; all classes stay candidates."""
        return {**items, "labels": items["labels"][number >= 0]}, int((number < 0).sum())

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Accuracy, the mean of the classes' accuracies, and accuracy among the best five of more
        than five classes.
        """
        labels, classes = items["labels"], captions[items["classes"]].mean(axis=1)
        if items["classes"].shape[1] > 1:
            classes = classes / np.maximum(np.linalg.norm(classes, axis=1, keepdims=True), 1e-30)
        rank, ties = ranks(pictures, classes.astype(pictures.dtype), labels)
        found = [
            Score(
                "accuracy" if k == 1 else f"accuracy_at_{k}",
                "all",
                "strict",
                *within(rank, ties, k),
            )
            for k in KS
            if k < len(classes)
        ]
        first = found[0]
        return [
            first,
            Score("accuracy", "mean of classes", "strict", first.correct, first.tied, labels),
            *found[1:],
        ]


def _part(folder: Path) -> Path:
    return next(
        (folder / part for part in PARTS if (folder / part).is_dir() and _labels(folder / part)),
        folder,
    )


def _labels(place: Path) -> list[str]:
    """Folders with pictures in them."""
    folders = [path for path in sorted(place.iterdir()) if path.is_dir()] if place.is_dir() else []
    return [path.name for path in folders if _holds_a_picture(path)]


def _holds_a_picture(folder: Path) -> bool:
    return any(file.suffix.lower() in SUFFIXES for file in folder.iterdir())


def _names(folder: Path) -> dict[str, str]:
    """Names of classes whose folders are called otherwise."""
    path = folder / "classes.txt"
    if not path.is_file():
        return {}
    lines = [line.split("\t") for line in read_lines(path) if line.strip()]
    if any(len(line) != 2 or not line[1].strip() for line in lines):
        raise MismatchError(
            f"{path} must have lines of a folder's name, a tab and the name of its class"
        )
    found = {label.strip(): name.strip() for label, name in lines}
    if (twice := first_repeated(label.strip() for label, _ in lines)) is not None:
        raise MismatchError(
            f"{path} names the folder {twice!r:.100} twice; give each its name once"
        )
    return found


def _said(template: str, name: str) -> str:
    """The caption of a class."""
    return template.replace("{a}", article(name)).replace("{}", name)


def _in_all(templates: Sequence[str], name: str) -> list[str]:
    """The captions of a class, one for each template."""
    return [_said(template, name) for template in templates]


def _chosen(
    folder: Path, names: Sequence[str], making: Making
) -> tuple[list[str], tuple[str, ...]]:
    """The templates of captions, and what has to be said about them.

    Raises:
        MismatchError: a template does not say where the class stands.
        UnknownNameError: the encoder cannot read the captions; says with which template it can.
    """
    file = folder / "templates.txt"
    if making.template is not None:
        given, source = [making.template], "--template"
    elif file.is_file():
        given, source = [line.strip() for line in read_lines(file) if line.strip()], str(file)
    else:
        given, source = [], ""
    if source and (not given or any(line.count("{}") != 1 for line in given)):
        wrong = next((line for line in given if line.count("{}") != 1), None)
        raise MismatchError(
            f"{source} must give one caption per line with {{}} once, where the class stands; got "
            f"{wrong!r:.100}"
        )

    def against(templates: Sequence[str]) -> str | None:
        return making.unreadable(
            [_said(template, name) for template in templates for name in names]
        )

    if given and (reason := against(given)) is None:
        return given, ()
    tried = [(template, against([template])) for template in TEMPLATES]
    fit = next((template for template, no in tried if no is None), None)
    if given and fit is not None:
        raise UnknownNameError(
            f"the encoder cannot read the captions of {source}: {reason}; it can with --template "
            f"'{fit}'"
        )
    if fit is None:
        raise UnknownNameError(
            f"the encoder cannot read the names of the classes: {tried[-1][1]}; write names in its "
            f"words into {folder / 'classes.txt'} (lines of a folder, a tab and a name)"
        )
    if fit == TEMPLATE:
        return [fit], ()
    return [fit], (
        f"the captions of the classes are '{_said(fit, names[0])}', ..., since the encoder does "
        f"not know the words of '{TEMPLATE}'.",
    )
