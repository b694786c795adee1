"""A policy over millions of rows: as SQL in DuckDB, with the verdicts that the engine itself would give."""
