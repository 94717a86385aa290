"""Tools that a chatbot may use, over MCP: the servers, the sessions with them, and what a version offers its model."""
