"""The studies that `conceptbind measure` runs."""

from conceptbind.studies.attribute import attribute_records
from conceptbind.studies.crossmodal import CaptionBank, CrossmodalStudy, caption_bank, crossmodal_study, query_record, query_texts
from conceptbind.studies.probe import ProbeStudy, WrongScene, bag_of_concepts, probe_study
from conceptbind.studies.search import search_records

__all__ = [
    "CaptionBank",
    "CrossmodalStudy",
    "ProbeStudy",
    "WrongScene",
    "attribute_records",
    "bag_of_concepts",
    "caption_bank",
    "crossmodal_study",
    "probe_study",
    "query_record",
    "query_texts",
    "search_records",
]
