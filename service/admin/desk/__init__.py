"""What an operator looks at daily: numbers, work on its way, tool calls and personas."""
