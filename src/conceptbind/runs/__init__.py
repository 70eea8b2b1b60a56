"""Run folders: configuration, provenance, results; what makes a run repeatable and a killed one continue."""

from conceptbind.runs.folder import RunFolder, kept_option, read_results
from conceptbind.runs.provenance import plain_provenance, provenance

__all__ = ["RunFolder", "kept_option", "plain_provenance", "provenance", "read_results"]
