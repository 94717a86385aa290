"""The migration runner. Stands alone: of the rest of service it knows only what a database URL is."""
