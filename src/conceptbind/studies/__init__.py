"""The studies that `conceptbind measure` runs."""

from conceptbind.studies.attribute import attribute_records
from conceptbind.studies.complexity import FULL, SHORT, ComplexityStudy, Sweep, complexity_study
from conceptbind.studies.controlled import controlled_study, count_recognition, sweep_study
from conceptbind.studies.crossmodal import (
    CaptionBank,
    CrossmodalStudy,
    caption_bank,
    crossmodal_study,
    query_record,
    query_texts,
)
from conceptbind.studies.geometry import STEPS, GeometryStudy, geometry_study
from conceptbind.studies.probe import ProbeStudy, WrongScene, bag_of_concepts, probe_study
from conceptbind.studies.repair import (
    RepairStudy,
    Singles,
    repair_study,
    require_swaps,
    single_objects,
)
from conceptbind.studies.repair_arrays import ArrayRepair, array_repair, require_repairable
from conceptbind.studies.search import search_records

__all__ = [
    "FULL",
    "SHORT",
    "STEPS",
    "ArrayRepair",
    "CaptionBank",
    "ComplexityStudy",
    "CrossmodalStudy",
    "GeometryStudy",
    "ProbeStudy",
    "RepairStudy",
    "Singles",
    "Sweep",
    "WrongScene",
    "array_repair",
    "attribute_records",
    "bag_of_concepts",
    "caption_bank",
    "complexity_study",
    "controlled_study",
    "count_recognition",
    "crossmodal_study",
    "geometry_study",
    "probe_study",
    "query_record",
    "query_texts",
    "repair_study",
    "require_repairable",
    "require_swaps",
    "search_records",
    "single_objects",
    "sweep_study",
]
