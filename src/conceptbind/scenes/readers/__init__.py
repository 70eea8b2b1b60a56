"""Scenes from files that people already have: tables of their own, CLEVR and PUG."""

from conceptbind.scenes.readers.clevr import read_clevr
from conceptbind.scenes.readers.pug import read_pug_spar, read_pug_spare
from conceptbind.scenes.readers.spec import SCHEMES, read_named
from conceptbind.scenes.readers.tables import read_columns, read_scenes

__all__ = [
    "SCHEMES",
    "read_clevr",
    "read_columns",
    "read_named",
    "read_pug_spar",
    "read_pug_spare",
    "read_scenes",
]
