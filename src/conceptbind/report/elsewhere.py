"""Benchmark results in the forms that other tools of the field write, so that their tables can be
joined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.files import write_json
from conceptbind.core.names import Control, Metric, Repair

if TYPE_CHECKING:
    from conceptbind.core.records import Records

MTEB_TASKS = {
    "sugarcrepe": ("SugarCrepe", "text_acc"),
    "vg_attribution": ("AROVisualAttribution", "text_acc"),
    "vg_relation": ("AROVisualRelation", "text_acc"),
    "coco_order": ("AROCocoOrder", "text_acc"),
    "flickr_order": ("AROFlickrOrder", "text_acc"),
    "winoground": ("Winoground", "accuracy"),
}
"""mteb's name of a benchmark, and which of its scores is the main one."""
RETRIEVAL = {"text to image": "image_retrieval_recall", "image to text": "text_retrieval_recall"}


@explains_arguments
def write_elsewhere(folder: Path, records: Records, before: Records | None = None) -> list[Path]:
    """Write `clip_benchmark/*.json` and, for benchmarks that mteb has, `mteb/TASK.json`; with an
    adapter a second file of each.

    Scores are ours. A tie is a miss there too, where both tools let the first candidate win; for
    mteb's SugarCrepe and ARO of regions it is a hit, as there.

    Args:
        folder: the run folder.
        records: records of the evaluation.
        before: those of an earlier evaluation in the same folder; what was written of these alone,
            and was not changed since, goes.
    """
    wanted = dict(_files(records))
    for name, content in _files(before) if before is not None else ():
        if name not in wanted and _holds(folder / name, content):
            (folder / name).unlink()
    for name, content in wanted.items():
        write_json(folder / name, content)
    return [folder / name for name in wanted]


def _holds(path: Path, content: Mapping[str, Any]) -> bool:
    """Whether a file is what was written there."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == content)
    except (OSError, ValueError):
        return False


def _files(records: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    """The content of each file, by its name in the run folder."""
    for repair, suffix in ((Repair.NONE, ""), (Repair.ADAPTER, "-adapter")):
        mine = records.where(repair=repair, control=Control.NONE)
        for name in map(str, mine.distinct("scenes")):
            found = mine.where(scenes=name)
            for row in clip_benchmark_rows(name, found):
                dataset = str(row["dataset"]).replace("/", "-")
                yield f"clip_benchmark/{dataset}{suffix}.json", row
            if (task := mteb_task(name, found)) is not None:
                yield f"mteb/{task['task_name']}{suffix}.json", task


def clip_benchmark_rows(name: str, records: Records) -> list[dict[str, Any]]:
    """Rows as CLIP_benchmark writes them: dataset, model, pretrained, task, metrics, language.

    Args:
        name: of the benchmark.
        records: its scores with one kind of captions.
    """
    model, _, tag = records[0].encoder.partition("@")
    about = {
        "model": model,
        "pretrained": tag or str(records[0]["revision"]),
        "language": "en",
    }

    def row(dataset: str, task: str, metrics: dict[str, Any]) -> dict[str, Any]:
        return {"dataset": dataset, "task": task, "metrics": metrics, **about}

    if name in ("coco", "flickr30k"):
        metrics = {f"{RETRIEVAL[r.split]}@{r.metric.rsplit('_', 1)[1]}": r.value for r in records}
        return [row({"coco": "mscoco_captions"}.get(name, name), "zeroshot_retrieval", metrics)]
    if name == "zeroshot":
        names: dict[tuple[str, str], str] = {
            (Metric.ACCURACY, "all"): "acc1",
            (Metric.ACCURACY_AT_5, "all"): "acc5",
            (Metric.ACCURACY, "mean of classes"): "mean_per_class_recall",
        }
        return [
            row(
                "folder",
                "zeroshot_classification",
                {names[r.metric, r.split]: r.value for r in records},
            )
        ]
    if name in ("winoground", "colorswap"):
        names = {
            (Metric.TEXT_SCORE, "all"): "text_acc",
            (Metric.IMAGE_SCORE, "all"): "image_acc",
            (Metric.GROUP_SCORE, "all"): "acc",
        }
        # CLIP_benchmark has no GroupMatch
        known = [r for r in records.where(split="all") if (r.metric, r.split) in names]
        found = {names[r.metric, r.split]: r.value for r in known}
        return [row(name, "image_caption_selection", found)]
    if name == "sugarcrepe":
        return [
            row(f"sugar_crepe/{r.split}", "image_caption_selection", {"acc": r.value})
            for r in records.where(protocol="strict")
            if r.split != "same words"
        ]
    chosen = records.where(metric=Metric.ACCURACY, protocol=("strict", "aro-like"))
    return [
        row(
            name if r.split == "all" else f"{name}/{r.split}",
            "image_caption_selection",
            {"acc": r.value},
        )
        for r in chosen
    ]


def mteb_task(name: str, records: Records) -> dict[str, Any] | None:
    """A task's result as mteb writes it; None for benchmarks that mteb has not in this form."""
    if name not in MTEB_TASKS:
        return None
    task, main = MTEB_TASKS[name]

    def value(**asked: str) -> float | None:
        found = records.first(split="all", **asked)
        return None if found is None else found.value

    if name == "winoground":
        scores = {
            "text_acc": value(metric=Metric.TEXT_SCORE),
            "image_acc": value(metric=Metric.IMAGE_SCORE),
            "accuracy": value(metric=Metric.GROUP_SCORE),
        }
    else:
        wanted = "mieb" if "mieb" in records.distinct("protocol") else "aro-like"
        scores = {"text_acc": value(protocol=wanted)}
    row = {**scores, "main_score": scores[main], "hf_subset": "default", "languages": ["eng-Latn"]}
    return {
        "dataset_revision": str(records[0]["items"]),
        "task_name": task,
        "mteb_version": None,
        "scores": {"test": [row]},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }
