"""mteb's own tasks of compositionality on files that are at hand, and results that mteb wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import Making
from conceptbind.benchmarks.evaluate import read_benchmark
from conceptbind.benchmarks.words import tie_words
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    MissingExtraError,
    UnknownNameError,
    nearest,
)
from conceptbind.core.files import user_path
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.core.text import read_json_values
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.exports.mteb import mteb_name
from conceptbind.report.tables import PaperTable

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Data
    from conceptbind.core.records import Record, Records
    from conceptbind.core.typing import Ints

TASKS = {
    "sugarcrepe": "SugarCrepe",
    "vg_attribution": "AROVisualAttribution",
    "vg_relation": "AROVisualRelation",
    "coco_order": "AROCocoOrder",
    "flickr_order": "AROFlickrOrder",
    "winoground": "Winoground",
    "imagecode": "ImageCoDe",
}
"""mteb's name of a benchmark."""
SCORES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    **dict.fromkeys(
        ("sugarcrepe", "vg_attribution", "vg_relation"), (("text_acc", Metric.ACCURACY, "mieb"),)
    ),
    **dict.fromkeys(("coco_order", "flickr_order"), (("text_acc", Metric.ACCURACY, "aro-like"),)),
    "winoground": (
        ("text_acc", Metric.TEXT_SCORE, "strict"),
        ("image_acc", Metric.IMAGE_SCORE, "strict"),
        ("accuracy", Metric.GROUP_SCORE, "strict"),
    ),
    "imagecode": (("image_acc", Metric.ACCURACY, "mieb"),),
}
"""What mteb calls a score, and the metric and protocol of ours that are the same question."""
DEEPEST = 3
"""Folders below the one that is given in which mteb's files are looked for: MODEL/REVISION."""
AGAIN = "it seems to be truncated; let mteb write it again"


@explains_arguments
def benchmark_task(name: str, folder: str | Path, made: str | Path, seed: int = 0) -> Any:
    """Mteb's own task of a benchmark, with the items of files at hand. Nothing is downloaded.

    The right candidate stands first, as mteb wants it, and wins every tie there. Pictures are seen
    as every command sees them; boxes are cut out.

    Args:
        name: of the benchmark, one of `TASKS`.
        folder: with its files in the published layout.
        made: folder for what has to be made of them (negatives of order tests, pictures that stand
            inside other files).
        seed: of negatives that are drawn.

    Raises:
        MissingExtraError: mteb is not installed.
        UnknownNameError: mteb has no task of it.
        FileError, MismatchError: see `read_benchmark`.
    """
    if name not in TASKS:
        raise UnknownNameError(f"mteb has no task of '{name:.60}'; {nearest(name, TASKS)}")
    try:
        import mteb
        from datasets import Dataset, DatasetDict
    except ImportError as error:
        raise MissingExtraError("mteb", "mteb", "a task of mteb") from error
    data = read_benchmark(name, folder, Making(user_path(made), seed))
    task = mteb.get_task(TASKS[name])
    shown, said = _columns(name, data)
    pictures, texts = task.images_column_names, task.texts_column_names
    columns: dict[str, list[Any]] = dict(zip(pictures, shown.T.tolist(), strict=True))
    for column, numbers in zip(texts, said.T.tolist(), strict=True):
        columns[column] = [data.captions[number] for number in numbers]
    table = Dataset.from_dict(columns).with_transform(_opened(data, frozenset(pictures)))
    task.dataset = DatasetDict(dict.fromkeys(task.metadata.eval_splits, table))
    task.data_loaded = True
    return task


def _columns(name: str, data: Data) -> tuple[Ints, Ints]:
    """Numbers of the pictures (n, p) and captions (n, c) of all items, the right ones first."""
    rows = data.items["rows"]
    if name == "winoground":
        return rows[:, :2], rows[:, 2:]
    if name != "imagecode":
        return rows[:, :1], rows[:, 1:]
    right, candidates = data.items["right"], rows[:, 1:]
    order = np.argsort(np.arange(candidates.shape[1]) != right[:, None], axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1), rows[:, :1]


def _opened(data: Data, columns: frozenset[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What turns numbers of pictures into pictures, a batch at a time."""

    def one(number: int) -> Any:
        box = None if data.boxes is None else data.boxes[number]
        return read_picture(data.path(data.pictures[number]), box)

    def opened(batch: dict[str, Any]) -> dict[str, Any]:
        return {
            name: list(map(one, values)) if name in columns else values
            for name, values in batch.items()
        }

    return opened


@dataclass(frozen=True)
class MtebResult:
    """What mteb found of one model on one task."""

    name: str
    """That of the model, as `org/model`."""
    revision: str | None
    benchmark: str
    """Our name of it."""
    scores: Mapping[str, float]
    """Shares by mteb's names of them."""
    path: Path

    @property
    def model(self) -> str:
        """Its name, with the beginning of its revision."""
        return self.name if self.revision is None else f"{self.name}@{self.revision[:12]}"


def mteb_files(place: Path) -> list[Path]:
    """Files of mteb's results on tasks that we have too: the file itself, or those of a folder.

    Args:
        place: what a user gave; a run folder of ours is none.
    """
    if place.is_file():
        return [place] if place.suffix == ".json" and place.stem in TASKS.values() else []
    if not place.is_dir() or (place / "results.json").is_file():
        return []
    found: list[Path] = []
    for depth in range(DEEPEST + 1):
        for task in TASKS.values():
            found += sorted(place.glob("*/" * depth + f"{task}.json"))
    return found


def read_mteb(path: Path) -> MtebResult:
    """One file of mteb's results.

    Args:
        path: of `TASK.json`; `model_meta.json` beside it names the model.

    Raises:
        FileError: it is truncated or no JSON.
        MismatchError: it is no such file.
    """
    told = read_json_values(path, AGAIN)
    try:
        benchmark = next(ours for ours, task in TASKS.items() if task == told["task_name"])
        (first, *_), *_ = told["scores"].values()
        scores = {name: float(first[name]) for name, *_ in SCORES[benchmark] if name in first}
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise MismatchError(
            f"{path} is not a result of mteb: expected task_name and scores of one of "
            f"{', '.join(TASKS.values())}"
        ) from error
    wrong = next((value for value in scores.values() if not 0 <= value <= 1), None)
    if not scores or wrong is not None:
        raise MismatchError(
            f"{path} is not a result of mteb: a share must lie in 0..1; got {wrong}"
        )
    return MtebResult(*_model_of(path), benchmark, scores, path)


def _model_of(path: Path) -> tuple[str, str | None]:
    """The model of a result and its revision, by the file beside it or by its folders, which are
    ORG__MODEL/REVISION.
    """
    try:
        told = read_json_values(path.parent / "model_meta.json", AGAIN)
        revision = told.get("revision")
        return str(told["name"]), None if revision is None else str(revision)
    except (ConceptBindError, FileError, KeyError, TypeError, AttributeError):
        place = path.parent if path.parent.name != "mteb" else path.parent.parent
        if "__" in place.parent.name:
            return place.parent.name.replace("__", "/", 1), place.name
        return place.name.replace("__", "/", 1), None


@explains_arguments
def mteb_table(results: Sequence[MtebResult], runs: Mapping[str, Records]) -> PaperTable | None:
    """Mteb's scores beside ours of the same model on the same questions; None where there are
    none. In mteb's the right candidate wins a tie, as by our rule `mieb`; by our others a tie is a
    miss. A run of another model, or of other weights, does not stand beside.

    Args:
        results: what mteb found.
        runs: records of each of our runs, by its name.
    """
    rows: list[tuple[str, ...]] = []
    for result in results:
        for name, metric, protocol in SCORES[result.benchmark]:
            if name not in result.scores:
                continue
            told = result.benchmark, metric.replace("_", " ")
            value = result.scores[name]
            rows.append((*told, f"mteb, {name}", result.model, percent(value), "-", "-"))
            asked = {"scenes": result.benchmark, "metric": metric, "protocol": protocol}
            ours = {
                run: records.first(**asked, split="all", control=Control.NONE, repair=repairs)
                for run, records in runs.items()
                for repairs in [_same_model(result, records)]
                if repairs
            }
            rows += [_beside(run, record, told, value) for run, record in ours.items() if record]
    if not rows:
        return None
    head = ("benchmark", "score", "rule", "model or run", "value", "mteb minus ours", "ties, of n")
    return PaperTable("mteb", "Results of mteb beside ours", head, tuple(dict.fromkeys(rows)))


def _same_model(result: MtebResult, records: Records) -> tuple[Repair | None, ...]:
    """What was done to captions in those records of a run that are of mteb's model; nothing where
    the run is of another.
    """
    mine = records.where(study="benchmark", scenes=result.benchmark)
    for encoder, revision in {(str(r.encoder), str(r["revision"])) for r in mine}:
        if result.name in (mteb_name(encoder), mteb_name(encoder, repaired=True)):
            if result.revision not in (None, revision):
                return ()
            repaired = result.name != mteb_name(encoder)
            return (Repair.ADAPTER,) if repaired else (Repair.NONE, None)
        if result.name in (encoder, _plain(encoder)):
            return Repair.NONE, None
    return ()


def _plain(encoder: str) -> str:
    """An encoder's id as its library calls it: without the scheme in front, and what was asked for
    behind.
    """
    return encoder.partition(":")[2].partition("?")[0].partition("@")[0]


def _beside(run: str, record: Record, told: tuple[str, str], value: float) -> tuple[str, ...]:
    """A score of ours as a row."""
    own = float(record.value or 0.0)
    change = f"{100 * (value - own):+.1f} points"
    ties = f"{record.ties or 0:,} of {record.n:,}"
    rule = f"ours, {record['protocol']}"
    if record["tie_rule"] is not None:  # of earlier versions
        rule += f": {tie_words(record['tie_rule'])}"
    return (*told, rule, run, percent(own), change, ties)
