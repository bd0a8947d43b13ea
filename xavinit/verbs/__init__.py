"""What users ask for: a file a verb, which bears its name. `prepare` is what several begin with."""
