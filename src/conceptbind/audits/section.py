"""An audit as tables and pictures, for a page and a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.audits.study import GALLERY
from conceptbind.core.findings import Section
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.repairs.arrays import ArrayRepair
from conceptbind.repairs.queries.section import query_section
from conceptbind.repairs.section import repair_section
from conceptbind.report.numbers import interval_of, number, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conceptbind.audits.study import AuditStudy, Pair
    from conceptbind.core.records import Record

SHOWN = 200
"""Pairs of attributes that the page lists; pairs.csv has all."""
HEAD = ("measure", "value", "95 % interval", "n", "ties")
PAIRS = ("attributes", "swap wins", "95 % interval", "n", "ties", "example")
NAMES = {
    Metric.BINDING_ACCURACY: "caption above swap",
    Metric.SWAP_ERROR: "swap above caption",
    Metric.PARAPHRASE_ACCURACY: "paraphrase nearer than swap, both sides",
    Metric.PARAPHRASE_ACCURACY_ONE_SIDED: "paraphrase nearer than swap, one side",
    Metric.RECALL_AT_1: "own row first",
    Metric.RECALL_AT_10: "own row among the first ten",
    Metric.RECALL_GAIN: "change in own row first",
}


def audit_rows(study: AuditStudy) -> list[tuple[str, ...]]:
    """One row for each record of the audit itself.

    Args:
        study: what `audit_study` returned.
    """
    own = study.records.where(study="audit")
    return [
        (
            _name(record),
            *(value_of(record), interval_of(record), f"{record.n:,}"),
            "-" if record.ties is None else f"{record.ties:,}",
        )
        for record in own
    ]


def _name(record: Record) -> str:
    told = [str(part) for part in (record["setting"],) if part]
    if record.control != Control.NONE:
        told.append(str(record.control).replace("_", " "))
    if record.repair == Repair.HNB and record.metric != Metric.RECALL_GAIN:
        told.append("after the repair")
    name = NAMES[Metric(record.metric)]
    return f"{name} ({', '.join(told)})" if told else name


def pair_rows(study: AuditStudy) -> list[tuple[str, ...]]:
    """One row for each pair of attributes, the worst first.

    Args:
        study: what `audit_study` returned.
    """
    return [_pair(study, pair) for pair in study.pairs]


def _pair(study: AuditStudy, pair: Pair) -> tuple[str, ...]:
    record = pair.record
    cells = value_of(record), interval_of(record), f"{record.n:,}", f"{record.ties or 0:,}"
    example = study.audit.drawn.items[pair.example].caption
    return " / ".join(pair.attributes), *cells, example


def audit_sections(
    study: AuditStudy, pictures: dict[int, str], shown: Callable[[str], str | None]
) -> list[Section]:
    """What swaps do, which attributes are worst, and the repair.

    Args:
        study: what `audit_study` returned.
        pictures: path of an item's picture, by the item's number.
        shown: a path's picture as a data address; None where it cannot be read.
    """
    drawn = study.audit.drawn
    data = {
        "n": f"{drawn.n:,}",
        "tagged": f"{drawn.tagged:,}",
        "taken": f"{len(drawn.items):,}",
        "movable": f"{int(study.audit.joined.sum()):,}",
        "pictures": study.audit.modality == "image",
        "head": HEAD,
        "rows": audit_rows(study),
        "pairs_head": PAIRS,
        "pairs": pair_rows(study)[:SHOWN],
        "more": max(len(study.pairs) - SHOWN, 0),
        "gallery": _gallery(study, pictures, shown),
    }
    sections = [Section("audit", "Captions and their swaps", data, "audit_section.html.j2")]
    if isinstance(study.repair, ArrayRepair):
        sections.append(repair_section(study.repair))
    elif study.repair is not None:
        sections.append(query_section(study.repair))
    return sections


def _gallery(
    study: AuditStudy, pictures: dict[int, str], shown: Callable[[str], str | None]
) -> list[dict[str, Any]]:
    """The items whose swap leads by most."""
    lead = study.scores[:, 1] - study.scores[:, 0]
    worst = [item for item in np.argsort(-lead, kind="stable").tolist() if study.swapped[item] > 0]
    seen = {item: shown(pictures[item]) for item in worst[:GALLERY] if item in pictures}
    return [_card(study, item, seen.get(item)) for item in worst[:GALLERY]]


def _card(study: AuditStudy, number_of: int, picture: str | None) -> dict[str, Any]:
    item = study.audit.drawn.items[number_of]
    true, false = study.scores[number_of].tolist()
    return {
        "row": f"{int(study.audit.drawn.rows[number_of]):,}",
        "values": {"attribute": list(item.attributes), "noun": list(item.nouns)},
        "picture": picture,
        "caption": item.caption,
        "swap": item.swap,
        "true": number(true),
        "false": number(false),
        "share": percent(float(study.swapped[number_of])),
    }
