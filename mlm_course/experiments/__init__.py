"""Experiments that take longer than a lesson may: each has run(), whose record the lessons show."""
