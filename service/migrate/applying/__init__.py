"""One migration after the other: its steps, the transaction around them, and what is done when something fails."""
