"""Encoders trained further with hard negatives: the ceiling that a linear repair is compared with
(FT, arXiv 2502.03566, section 5).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
