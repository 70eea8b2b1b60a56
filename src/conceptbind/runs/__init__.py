"""Run folders: configuration, provenance, results; what makes a run repeatable and a killed one
continue.
"""

from conceptbind.runs.folder import PLACE_OPTIONS, RunFolder, kept_option, read_results
from conceptbind.runs.provenance import plain_provenance, provenance, scenes_facts, split_facts

__all__ = [
    "PLACE_OPTIONS",
    "RunFolder",
    "kept_option",
    "plain_provenance",
    "provenance",
    "read_results",
    "scenes_facts",
    "split_facts",
]
