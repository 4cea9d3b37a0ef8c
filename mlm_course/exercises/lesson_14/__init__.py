"""A modern encoder."""
