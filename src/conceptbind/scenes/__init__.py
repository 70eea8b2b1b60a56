"""Scenes as integers: concept spaces, tables, grids, swaps, orbits, splits, captions and readers.
Needs numpy only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
