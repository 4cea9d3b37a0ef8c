"""Mask-Predict: writing in parallel."""
