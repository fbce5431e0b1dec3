"""`python -m tests.docs`: renew what the documentation has from the code; `--check` only says what is stale."""

import argparse
import sys

from tests.docs.pages import renew, stale


def main() -> int:
    """With --check: exit code 1 if a page is not what it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if something is stale")
    if parser.parse_args().check:
        found = sorted(stale())
        sys.stderr.writelines(f"docs/{name} is not what the code says: run `make docs`\n" for name in found)
        return 1 if found else 0
    sys.stdout.writelines(f"docs/{name} renewed\n" for name in renew())
    return 0


if __name__ == "__main__":
    sys.exit(main())
