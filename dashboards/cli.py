"""The console command `throughline`. Its verbs are in `commands/`; this part runs on the bare install too."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the verb; a missing platform is one sentence."""
    try:
        from throughline.dashboards.commands import run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "throughline":
            raise
        sys.exit("The platform is not installed: run pip install 'throughline[platform]'.")
    try:
        run()
    finally:
        gc.freeze()  # a last search for garbage takes longer than most verbs, and everything goes anyway


if __name__ == "__main__":
    main()
