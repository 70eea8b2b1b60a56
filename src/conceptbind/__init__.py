"""Does an embedding model bind concepts (which colour belongs to which shape), how, and can it be
repaired?

The public surface. Names are loaded when they are first used, so that `import conceptbind` is
quick.
"""

import lazy_loader

from conceptbind.core.version import __version__

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]  # noqa: PLE0604
