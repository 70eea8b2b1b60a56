"""Run folders: configuration, provenance, results; what makes a run repeatable and a killed one
continue.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
