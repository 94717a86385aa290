"""Changes to the rows of large tables, batch by batch."""
