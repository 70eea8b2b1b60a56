"""Options that several commands have, each written once."""

from typing import TYPE_CHECKING, TypeAlias

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
