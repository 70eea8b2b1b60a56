"""Run folders: configuration, provenance, results; what makes a run repeatable and a killed one continue."""

from conceptbind.runs.folder import RunFolder
from conceptbind.runs.provenance import provenance

__all__ = ["RunFolder", "provenance"]
