"""``python -m jaxgan.cli``, the same as ``jaxgan``."""

import sys

from jaxgan.cli import console

sys.exit(console())
