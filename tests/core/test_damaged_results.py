"""Results and descriptions of pictures that were edited by hand, damaged, or written by an earlier
version: one line, nothing believed.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import conceptbind
from conceptbind.core.errors import ConceptBindError, FileError
from conceptbind.core.records import Record
from conceptbind.core.results import load_results
from conceptbind.pictures import draw_pictures
from conceptbind.run import RunFolder
from conceptbind.scenes import load_scenes

ODD = [None, True, -1, 0, 1.5, 10**400, "x", "", [], [1], {}, {"a": 1}, float("nan"), float("inf")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a row in each table of `compare`."""
    folder = RunFolder.open(tmp_path_factory.mktemp("runs") / "run", {"seed": 0})

    def record(study, metric, **extra):
        return Record.of(
            study=study,
            modality="text",
            metric=metric,
            value=0.5,
            n=40,
            ties=0,
            ci_low=0.4,
            ci_high=0.6,
            split="test",
            scenes="scenes",
            encoder="tiny",
            **extra,
        )

    records = [
        record("probe", "object_recognition", control="none"),
        record("probe", "concept_recognition", control="none", concept="color"),
        record(
            "additive",
            "r2",
            additive_level=1,
            estimator="avg",
            slots="together",
            control="none",
        ),
        record("removal", "concept_recognition", removed="none"),
        record("removal", "object_recognition", removed="none"),
        record("edit", "edit_probing", steering=1, attribute="all", estimator="avg"),
        record("crossmodal", "binding_accuracy", order="either", control="none"),
        record("repair", "binding_accuracy", repair="HNB"),
        record(
            "complexity",
            "generalisation_score",
            approximator="mlp",
            width=8,
            seed=None,
            concept=None,
        ),
        record(
            "benchmark",
            "accuracy",
            protocol="strict",
            average="micro",
            repair="none",
            control="none",
        ),
    ]
    folder.write_results({"seed": 0}, records)
    (folder.path / "report.html").write_text("x")
    return folder.path


def edited(run, tmp_path, change, checksum=False):
    content = json.loads((run / "results.json").read_text())
    change(content)
    if not checksum:
        content = {
            name: value for name, value in content.items() if name in ("provenance", "records")
        }
    (tmp_path / "results.json").write_text(json.dumps(content))
    return tmp_path


def test_the_fixture_is_compared(run):
    assert {table.name for table in conceptbind.compare([str(run)]).tables} >= {
        "binding",
        "removal",
        "edits",
    }
    assert len(load_results(run).records) == 10


def test_an_edited_value_is_refused(run, tmp_path):
    def change(content):
        content["records"][0]["value"] = 0.99

    with pytest.raises(FileError, match="was changed or damaged since it was written"):
        conceptbind.compare([str(edited(run, tmp_path, change, checksum=True))])


def test_results_without_a_checksum_are_those_of_earlier_versions(run, tmp_path):
    assert conceptbind.compare([str(edited(run, tmp_path, lambda _: None))]).tables


@pytest.mark.slow
def test_wrong_types_and_missing_fields_never_end_in_a_traceback(run, tmp_path):
    records = json.loads((run / "results.json").read_text())["records"]
    refused = []
    for number, record in enumerate(records):
        for field in record:
            for odd in (..., *ODD):

                def change(content, number=number, field=field, odd=odd):
                    content["records"][number].pop(field)
                    if odd is not ...:
                        content["records"][number][field] = odd

                try:
                    conceptbind.compare([str(edited(run, tmp_path, change))])
                except ConceptBindError as error:
                    refused.append(str(error))
    assert len(refused) > 700
    assert not [message for message in refused if "\n" in message or len(message) > 500]


@pytest.mark.parametrize(
    "content",
    [None, 3, "x", [], {}, {"records": {}}, {"records": [3]}, {"records": [[]]}, {"records": None}],
)
def test_other_contents_are_refused(tmp_path, content):
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"results\.json is not of the form") as caught:
        conceptbind.compare([str(tmp_path)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "\x00", '{"records": ' + "[" * 100_000, '{"records": [1', '{"records": 1} x']
)
def test_damaged_text_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(FileError, match=r"results\.json"):
        conceptbind.compare([str(tmp_path)])


@pytest.mark.parametrize(
    "content", [None, 3, "x", [], {}, {"kind": [], "seed": None}, {"style": {"size": "x" * 10_000}}]
)
def test_a_description_of_pictures_with_other_types_is_refused(tmp_path, content):
    scenes = load_scenes("clevr2d").select(np.arange(2))
    draw_pictures(scenes, tmp_path / "p")
    (tmp_path / "p" / "pictures.json").write_text(json.dumps(content))
    with pytest.raises(ConceptBindError) as caught:
        draw_pictures(scenes, tmp_path / "p")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_table_that_was_changed_is_written_anew_from_the_results(run):
    folder = RunFolder(run)
    whole = (run / "results.csv").read_bytes()
    assert folder.finished().records == load_results(run).records
    assert (run / "results.csv").read_bytes() == whole
    (run / "results.csv").write_bytes(whole.replace(b",", b";"))
    assert folder.finished() is not None
    assert (run / "results.csv").read_bytes() == whole
