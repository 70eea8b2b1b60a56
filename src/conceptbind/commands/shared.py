"""Options that several commands have, each written once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from conceptbind.core.typing import Executor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    import pandas as pd

    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter, HasAdapter
    from conceptbind.report.shown import Shown
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.rows.held import AnyCaptions, AnyRows
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes

    Rows: TypeAlias = Floats | pd.DataFrame | Mapping[str, Floats] | Embeddings
    GivenEncoder: TypeAlias = str | PathLike[str] | Encoder | Source | Rows
    GivenPath: TypeAlias = str | Path
    GivenRun: TypeAlias = str | PathLike[str] | Shown
    GivenRows: TypeAlias = AnyRows
    GivenCaptions: TypeAlias = AnyCaptions
    GivenAdapter: TypeAlias = GivenPath | Adapter | HasAdapter
    GivenScenes: TypeAlias = str | PathLike[str] | pd.DataFrame | Scenes
else:
    # Words alone come from a command line, and importing these would make --help slow.
    GivenEncoder = GivenScenes = GivenPath = str
    GivenRun = GivenRows = GivenCaptions = GivenAdapter = str


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where many independent fits are computed."""

    GROUP = "The sweep"

    executor: Executor = "local"
    """What runs the fits: local (processes of this machine), or a Ray or Dask cluster."""
    address: str | None = None
    """Address of a running Ray or Dask cluster; without it one is started on this machine."""
    jobs: int | None = None
    """Number of processes or workers; by default one for each core."""
