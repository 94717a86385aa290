"""The verbs of a migration, and the changes to a live table that they stand for."""
