"""The HTTP API: what the panel can do, for programs, with tokens instead of sessions."""
