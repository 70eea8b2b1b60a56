"""Does an encoder take "no" into account, or does it go by the mentioned word alone?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
