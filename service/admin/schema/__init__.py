"""How the schema is, and what to run when it is not well. These pages change nothing."""
