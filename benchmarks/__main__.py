"""`python -m benchmarks`: every row of the table in `benchmarks/README.md`, measured in one run."""

from __future__ import annotations

import platform

from benchmarks import (
    decide,
    evaluate,
    history,
    ledger,
    lists,
    media,
    merchants,
    postgres,
    readers,
    startup,
    tables,
    vendor,
)


def main() -> None:
    """Print the table as Markdown."""
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print("| what | measured | wanted |\n|---|---|---|")
    for rows in (
        evaluate.rows(),
        tables.rows(),
        decide.rows(),
        startup.rows(),
        media.rows(),
        vendor.rows(),
        lists.rows(),
        merchants.rows(),
        history.rows(),
        ledger.rows(),
        readers.rows(),
        postgres.rows(),
    ):
        for what, figure, least in rows:
            print(f"| {what} | {figure} | {least} |", flush=True)


if __name__ == "__main__":
    main()
