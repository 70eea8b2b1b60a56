"""Benchmark results in the forms that other tools of the field write, so that their tables can be
joined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.files import write_json

if TYPE_CHECKING:
    from conceptbind.core.records import Record

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


def write_elsewhere(folder: Path, records: Sequence[Record]) -> list[Path]:
    """Write `clip_benchmark/*.json` and, for benchmarks that mteb has, `mteb/TASK.json`; with an
    adapter a second file of each.

    Scores are ours: a tie is a miss there too, where both tools let the first candidate win.
    """
    written = []
    for repair in ("none", "adapter"):
        mine = [r for r in records if (r.extra["repair"], r.extra["control"]) == (repair, "none")]
        suffix = "" if repair == "none" else "-adapter"
        for name in dict.fromkeys(r.scenes for r in mine):
            found = [r for r in mine if r.scenes == name]
            for row in clip_benchmark_rows(name, found):
                dataset = str(row["dataset"]).replace("/", "-")
                written.append(folder / "clip_benchmark" / f"{dataset}{suffix}.json")
                write_json(written[-1], row)
            if (task := mteb_task(name, found)) is not None:
                written.append(folder / "mteb" / f"{task['task_name']}{suffix}.json")
                write_json(written[-1], task)
    return written


def clip_benchmark_rows(name: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Rows as CLIP_benchmark writes them: dataset, model, pretrained, task, metrics, language.

    Args:
        name: of the benchmark.
        records: its scores with one kind of captions.
    """
    model, _, tag = records[0].encoder.partition("@")
    about = {
        "model": model,
        "pretrained": tag or str(records[0].extra["revision"]),
        "language": "en",
    }

    def row(dataset: str, task: str, metrics: dict[str, Any]) -> dict[str, Any]:
        return {"dataset": dataset, "task": task, "metrics": metrics, **about}

    if name in ("coco", "flickr30k"):
        metrics = {f"{RETRIEVAL[r.split]}@{r.metric.rsplit('_', 1)[1]}": r.value for r in records}
        return [row({"coco": "mscoco_captions"}.get(name, name), "zeroshot_retrieval", metrics)]
    if name == "zeroshot":
        names = {
            ("accuracy", "all"): "acc1",
            ("accuracy_at_5", "all"): "acc5",
            ("accuracy", "mean of classes"): "mean_per_class_recall",
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
            ("text_score", "all"): "text_acc",
            ("image_score", "all"): "image_acc",
            ("group_score", "all"): "acc",
        }
        found = {names[r.metric, r.split]: r.value for r in records if r.split == "all"}
        return [row(name, "image_caption_selection", found)]
    if name == "sugarcrepe":
        return [
            row(f"sugar_crepe/{r.split}", "image_caption_selection", {"acc": r.value})
            for r in records
            if r.extra["protocol"] == "strict" and r.split != "same words"
        ]
    chosen = [
        r
        for r in records
        if r.metric == "accuracy" and r.extra["protocol"] in ("strict", "aro-like")
    ]
    return [
        row(
            name if r.split == "all" else f"{name}/{r.split}",
            "image_caption_selection",
            {"acc": r.value},
        )
        for r in chosen
    ]


def mteb_task(name: str, records: Sequence[Record]) -> dict[str, Any] | None:
    """A task's result as mteb writes it; None for benchmarks that mteb has not in this form."""
    if name not in MTEB_TASKS:
        return None
    task, main = MTEB_TASKS[name]

    def value(chosen: Callable[[Record], bool]) -> float | None:
        return next((r.value for r in records if chosen(r) and r.split == "all"), None)

    if name == "winoground":
        scores = {
            "text_acc": value(lambda r: r.metric == "text_score"),
            "image_acc": value(lambda r: r.metric == "image_score"),
            "accuracy": value(lambda r: r.metric == "group_score"),
        }
    else:
        wanted = "mieb" if any(r.extra["protocol"] == "mieb" for r in records) else "aro-like"
        scores = {"text_acc": value(lambda r: r.extra["protocol"] == wanted)}
    row = {**scores, "main_score": scores[main], "hf_subset": "default", "languages": ["eng-Latn"]}
    return {
        "dataset_revision": str(records[0].extra["items"]),
        "task_name": task,
        "mteb_version": None,
        "scores": {"test": [row]},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }
