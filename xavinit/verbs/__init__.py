"""What users ask for: each verb has a file of its name. `prepare` is the start of several."""
