"""Corruption."""
