"""``python -m benchmarks``."""

import os
import sys

from .commands import main

try:
    status = main()
    sys.stdout.flush()
except BrokenPipeError:  # whoever read the output has gone, as in `python -m benchmarks | head`
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 141
sys.exit(status)
