"""Masked autoencoders for text."""
