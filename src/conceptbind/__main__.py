"""`python -m conceptbind`."""

import sys

if not sys.flags.safe_path and sys.path:
    del sys.path[
        0
        # the working folder, which `python -m` puts first: modules that lie there are not those
        # that we import
    ]

from conceptbind.cli import main

sys.exit(main())
