"""Scenes from files that people already have: tables of their own, CLEVR, PUG, dSprites, MPI3D."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
