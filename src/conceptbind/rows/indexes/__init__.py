"""Indexes that others built, as sources of rows: one module for each container, and one contract.

A further container is a module here and a line in `registry.CONTAINERS`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
