"""Functions of spreadsheets, SQL, Python and others, each as the part of a condition that says the same here."""
