"""The people of the panel, their teams, their keys, and what each of them has changed."""
