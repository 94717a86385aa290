"""What the schema is, what it should be, and whether the two agree."""
