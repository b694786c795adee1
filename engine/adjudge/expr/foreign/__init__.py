"""Conditions as people write them who know a spreadsheet, SQL, Python, or another keyboard: read, and said in ours."""
