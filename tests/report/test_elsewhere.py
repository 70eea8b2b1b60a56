"""Benchmark results as CLIP_benchmark and mteb write them, whole files by hand."""

from __future__ import annotations

import json

import pytest

from conceptbind.core.records import Record, Records
from conceptbind.report.elsewhere import clip_benchmark_rows, mteb_task, write_elsewhere


def score(scenes, metric, value, split="all", protocol="strict", encoder="clip:ViT-B-32", **extra):
    facts = {"revision": "abc", "items": "i" * 8, "repair": "none", "average": "micro", **extra}
    return Record.of(
        study="benchmark",
        modality="both",
        metric=metric,
        value=value,
        n=10,
        split=split,
        scenes=scenes,
        encoder=encoder,
        protocol=protocol,
        **facts,
    )


def rows(*records):
    return clip_benchmark_rows(records[0].scenes, Records(records))


def row(dataset, task, **metrics):
    return {
        "dataset": dataset,
        "task": task,
        "metrics": metrics,
        "model": "clip:ViT-B-32",
        "pretrained": "abc",
        "language": "en",
    }


def test_retrieval():
    found = [score(name, "recall_at_1", 0.5, "text to image") for name in ("coco", "flickr30k")] + [
        score(name, "recall_at_10", 0.75, "image to text") for name in ("coco", "flickr30k")
    ]
    recalls = {"image_retrieval_recall@1": 0.5, "text_retrieval_recall@10": 0.75}
    for name, dataset in (("coco", "mscoco_captions"), ("flickr30k", "flickr30k")):
        mine = [r for r in found if r.scenes == name]
        assert rows(*mine) == [row(dataset, "zeroshot_retrieval", **recalls)]


def test_zero_shot_classification():
    assert rows(
        score("zeroshot", "accuracy", 0.5),
        score("zeroshot", "accuracy_at_5", 0.75),
        score("zeroshot", "accuracy", 0.25, "mean of classes"),
    ) == [row("folder", "zeroshot_classification", acc1=0.5, acc5=0.75, mean_per_class_recall=0.25)]


@pytest.mark.parametrize("name", ["winoground", "colorswap"])
def test_two_pictures_and_two_captions(name):
    assert rows(
        score(name, "text_score", 0.5),
        score(name, "image_score", 0.25),
        score(name, "group_score", 0.125),
        score(name, "group_score", 0.0, "a tag"),
    ) == [row(name, "image_caption_selection", text_acc=0.5, image_acc=0.25, acc=0.125)]


def test_sugarcrepe_by_kind_and_others_by_subset():
    assert rows(
        score("sugarcrepe", "accuracy", 0.5, "swap_obj"),
        score("sugarcrepe", "accuracy", 0.25, "same words"),
        score("sugarcrepe", "accuracy", 0.125, "add_att", "mieb"),
        score("sugarcrepe", "accuracy", 0.75, "add_att"),
    ) == [
        row("sugar_crepe/swap_obj", "image_caption_selection", acc=0.5),
        row("sugar_crepe/add_att", "image_caption_selection", acc=0.75),
    ]
    assert rows(
        score("whatsup", "accuracy", 0.5),
        score("whatsup", "accuracy", 0.25, "left"),
        score("whatsup", "accuracy", 0.75, protocol="aro-like"),
        score("whatsup", "accuracy", 0.0, protocol="pairs"),
        score("whatsup", "text_score", 0.0),
    ) == [
        row("whatsup", "image_caption_selection", acc=0.5),
        row("whatsup/left", "image_caption_selection", acc=0.25),
        row("whatsup", "image_caption_selection", acc=0.75),
    ]


def test_weights_that_are_named_behind_the_model():
    (found,) = rows(score("whatsup", "accuracy", 0.5, encoder="open_clip:ViT-B-32@openai"))
    assert (found["model"], found["pretrained"]) == ("open_clip:ViT-B-32", "openai")


def task(name, **scores):
    return {
        "dataset_revision": "iiiiiiii",
        "task_name": name,
        "mteb_version": None,
        "scores": {"test": [{**scores, "hf_subset": "default", "languages": ["eng-Latn"]}]},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }


@pytest.mark.parametrize(
    ("name", "task_name"),
    [
        ("sugarcrepe", "SugarCrepe"),
        ("vg_attribution", "AROVisualAttribution"),
        ("vg_relation", "AROVisualRelation"),
        ("coco_order", "AROCocoOrder"),
        ("flickr_order", "AROFlickrOrder"),
    ],
)
def test_tasks_of_mteb(name, task_name):
    like_aro = [
        score(name, "accuracy", 0.1, protocol="strict"),
        score(name, "accuracy", 0.2, "a subset", protocol="aro-like"),
        score(name, "accuracy", 0.5, protocol="aro-like"),
    ]
    expected = task(task_name, text_acc=0.5, main_score=0.5)
    assert mteb_task(name, Records(like_aro)) == expected
    both = [*like_aro, score(name, "accuracy", 0.75, protocol="mieb")]
    assert mteb_task(name, Records(both)) == task(task_name, text_acc=0.75, main_score=0.75)
    nothing = task(task_name, text_acc=None, main_score=None)
    assert mteb_task(name, Records(like_aro[:2])) == nothing


def test_winoground_of_mteb_and_what_mteb_has_not():
    found = [
        score("winoground", "text_score", 0.5),
        score("winoground", "image_score", 0.25),
        score("winoground", "group_score", 0.125),
    ]
    assert mteb_task("winoground", Records(found)) == task(
        "Winoground", text_acc=0.5, image_acc=0.25, accuracy=0.125, main_score=0.125
    )
    assert mteb_task("colorswap", Records(found)) is None


def test_files_with_and_without_an_adapter(tmp_path):
    found = [
        score("vg_relation", "accuracy", 0.5, protocol="aro-like"),
        score("vg_relation", "accuracy", 0.25, "left/right", protocol="aro-like"),
        score("vg_relation", "accuracy", 0.75, protocol="aro-like", repair="adapter"),
        score("vg_relation", "accuracy", 0.25, protocol="aro-like", repair="difference"),
        score("vg_relation", "accuracy", 0.0, protocol="aro-like", control="blind_length"),
        score("colorswap", "text_score", 1.0),
    ]
    written = write_elsewhere(tmp_path, Records(found))
    files = {str(path.relative_to(tmp_path)): json.loads(path.read_text()) for path in written}

    def chosen(dataset, acc):
        return row(dataset, "image_caption_selection", acc=acc)

    assert files == {
        "clip_benchmark/vg_relation.json": chosen("vg_relation", 0.5),
        "clip_benchmark/vg_relation-left-right.json": chosen("vg_relation/left/right", 0.25),
        "mteb/AROVisualRelation.json": task("AROVisualRelation", text_acc=0.5, main_score=0.5),
        "clip_benchmark/colorswap.json": row("colorswap", "image_caption_selection", text_acc=1.0),
        "clip_benchmark/vg_relation-adapter.json": chosen("vg_relation", 0.75),
        "mteb/AROVisualRelation-adapter.json": task(
            "AROVisualRelation", text_acc=0.75, main_score=0.75
        ),
    }
    assert list(files) == [
        "clip_benchmark/vg_relation.json",
        "clip_benchmark/vg_relation-left-right.json",
        "mteb/AROVisualRelation.json",
        "clip_benchmark/colorswap.json",
        "clip_benchmark/vg_relation-adapter.json",
        "mteb/AROVisualRelation-adapter.json",
    ]
