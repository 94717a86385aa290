"""What the statements of a deploy would do to the tables that are in use."""
