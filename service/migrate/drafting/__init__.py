"""From models to a migration: what has changed, in which words, and whether the draft does what the models ask."""
