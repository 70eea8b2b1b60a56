"""Benchmarks on real pictures and captions, most of them described rather than written, all read,
embedded and scored in one way.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
