"""A model service on loopback, in a process of its own: `python -m bench.answering DIALECT SECONDS`.

Every answer comes after so many seconds, in the form of a stream where that is asked for, and at once, so that what is
measured is who asks; it takes spans and metrics, too. Prints its address; ends with its stdin.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "servers"))

from model_servers import DIALECTS, Service, response


def main() -> None:
    wanted, seconds = sys.argv[1], float(sys.argv[2])
    dialect = DIALECTS[wanted]
    whole = [seconds, dialect.answer()]
    stream = [seconds, b"".join(part for part in dialect.stream() if isinstance(part, bytes))]

    def choose(asked: Any) -> Any:
        service.asked.clear()
        if asked.path in ("/v1/traces", "/v1/metrics"):
            return [response()]
        return stream if dialect.is_stream(asked) else whole

    service = Service()
    service.decides(choose)
    print(service.url, flush=True)
    sys.stdin.read()
    service.close()


if __name__ == "__main__":
    main()
