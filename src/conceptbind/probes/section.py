"""What a linear probe recognises, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import counted
from conceptbind.core.findings import Section
from conceptbind.core.names import Control
from conceptbind.probes.figures import objects_table, recognition_figure
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.page import thumbnail
from conceptbind.report.words import CONTROLS, controls_of, seen

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.probes.study import Mistake, ProbeStudy, WrongScene
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

MISSED_HEAD = ("scene", "caption", "found", "mistaken", "kind")
INTERVAL = (
    "95 % interval",
    "Scenes that are right or wrong together are one draw. For probes, edits and retrieval of "
    "sums these are the two orders of a pair. For attributes, comparisons of pictures with "
    "captions, and repairs they are the scenes of an orbit (the same values of every concept). "
    "Mid-P intervals with as many draws as these are worth; a dash where no interval can be given.",
)


def probe_section(study: ProbeStudy, scenes: Scenes) -> Section:
    """Recognition beside the controls, by object, and scenes that went wrong."""
    controls = shown_controls(study.records)
    own = study.records.where(control=Control.NONE)
    pictured = study.modality == "image"
    listed = {mistake for wrong in study.missed for mistake in wrong.mistakes}
    data = {
        "modality": study.modality,
        "figure": recognition_figure(study),
        "controls": list(controls.values()),
        "rows": [[str(r["concept"] or "objects"), *cells(r, study.records, controls)] for r in own],
        "notes": list(study.notes),
        "objects": objects_table(study, scenes),
        "confused": [[*pair, f"{n:,}"] for pair, n in study.confused.items()],
        "mistakes": [_told(pair) if pair in listed else None for pair in study.confused],
        "n": study.objects.n,
        "n_wrong": study.n_wrong,
        "n_misbound": study.n_misbound,
        "missed_head": list(MISSED_HEAD),
        "missed": [_missed(wrong) for wrong in study.missed],
        "wrong": [_wrong(wrong, scenes, pictured=pictured) for wrong in study.wrong],
    }
    title = f"{seen(study.modality).capitalize()}: what a linear probe recognises"
    return Section(f"probe-{study.modality}", title, data, "probe_section.html.j2")


def shown_controls(records: Records) -> dict[str, str]:
    """The controls that some record is of, in words."""
    there = records.distinct("control")
    return {name: words for name, words in CONTROLS.items() if name in there}


def cells(record: Record, records: Records, controls: dict[str, str]) -> list[str]:
    """A record's value, its interval, what each control reaches, n and ties."""
    beside = controls_of(record, records)
    others = [value_of(beside[name]) if name in beside else "-" for name in controls]
    ties = "-" if record.ties is None else f"{record.ties:,}"
    return [value_of(record), interval_of(record), *others, f"{record.n:,}", ties]


def _wrong(scene: WrongScene, scenes: Scenes, *, pictured: bool) -> dict[str, Any]:
    return {
        "values": scenes.shown_in(scene.row),
        "id": scene.id,
        "caption": scene.caption,
        "picture": thumbnail(scene.image) if scene.image and pictured else None,
        "true": list(scene.true),
        "read": list(scene.read),
        "misbound": scene.misbound,
        "tied": scene.tied,
    }


def _told(mistake: Mistake) -> str:
    """A mistake in words, which also find the scenes with it in the list."""
    concept, there, found = mistake
    return f"{concept}: “{found}” in place of “{there}”"


def _missed(scene: WrongScene) -> tuple[str, ...]:
    """A scene of the list of all that went wrong, as cells."""
    why = [word for word, holds in (("misbound", scene.misbound), ("tie", scene.tied)) if holds]
    found, mistakes = ", ".join(scene.read), "; ".join(map(_told, scene.mistakes))
    return scene.id, scene.caption, found or "-", mistakes or "-", ", ".join(why) or "-"


def terms(split: Split) -> tuple[tuple[str, str], ...]:
    """What recognition and a probe are."""
    return (
        (
            "Recognition",
            "A scene counts when everything that is in it scores strictly above everything that "
            "is not: all its values of one concept, or all its objects. A tie is a miss, and is "
            "counted.",
        ),
        (
            "Linear probe",
            "One linear map without bias from the embedding to all values, or all objects, fitted "
            f"on {counted(len(split.train), 'scene')}, its penalty chosen on "
            f"{len(split.validation):,} "
            f"others, scored once on the remaining {len(split.test):,}. The orders of one set of "
            "objects are always on the same side.",
        ),
    )
