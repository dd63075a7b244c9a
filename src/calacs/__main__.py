"""Run the command line with ``python -m calacs``."""

import sys

from calacs.cli import main

sys.exit(main())
