"""The rows of the table, one file per kind of work. A row is a function Settings -> RowResult, listed in ROWS."""
