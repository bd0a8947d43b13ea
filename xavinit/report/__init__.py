"""Answers as text and as JSON, for people and for programs: a module for each kind.

Each is imported by itself: a run that gives one kind of answer does not load the others.
"""
