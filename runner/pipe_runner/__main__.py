"""`python -m pipe_runner` is `pipe`."""

from __future__ import annotations

import sys

from pipe_runner.cli import main

sys.exit(main())
