"""Run folders: configuration, provenance, results; what makes a run repeatable and a killed one continue."""

from conceptbind.runs.folder import RunFolder
from conceptbind.runs.provenance import plain_provenance, provenance

__all__ = ["RunFolder", "plain_provenance", "provenance"]
