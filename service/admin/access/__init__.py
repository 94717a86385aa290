"""Who may come in and what they may do there: signing in, roles, and what stands between a browser and a page."""
