"""Lets `python -m sparkify` do what `sparkify` does."""

import sys

from sparkify.cli import main

sys.exit(main())
