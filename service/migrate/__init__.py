"""The migration runner. Stands alone: of the rest of service it knows only what a database URL is.

What to do is decided here (plan, runner, gate) from the files and from what the database remembers (files, history).
How one migration is done stands in `applying`, what its verbs do to a live table in `altering`, what becomes of many
rows in `backfilling`. `proving` compares schemas, `drafting` writes migrations from models, `command` is the command
line.
"""
