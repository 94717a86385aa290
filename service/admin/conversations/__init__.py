"""What is being asked and answered: the list, the transcript, and talking to a chatbot oneself."""
