"""The commands as Python functions: the same names, the same parameters. Nothing heavy is imported
before one runs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
