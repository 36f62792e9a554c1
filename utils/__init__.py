"""Helpers of the course *From a Line to BERT*: small, typed, tested, and read by learners."""
