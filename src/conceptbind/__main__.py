"""`python -m conceptbind`."""

import sys

from conceptbind.cli import main

sys.exit(main())
