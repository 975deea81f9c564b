"""A process that writes rows into a request log and says of each, once it is written, which one it was."""

import sys
from itertools import count
from pathlib import Path

from support.host_log import open_host_log
from support.log_rows import make_row


def main(file: str, name: str) -> None:
    """Write without end; whoever started this kills it."""
    log = open_host_log(Path(file))
    for number in count():
        request_id = f"{name}-{number}"
        log.append(make_row(request_id=request_id, api_key=f"lgk_{number % 5}"))
        sys.stdout.write(f"{request_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
