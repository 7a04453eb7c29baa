"""`python -m quotewire`, the same as `quotewire`."""

import sys

from quotewire.cli import main

sys.exit(main())
