"""``python -m spinehub``: the same as the ``spinehub`` command."""

import sys

from spinehub.cli import main

if __name__ == "__main__":
    sys.exit(main())
