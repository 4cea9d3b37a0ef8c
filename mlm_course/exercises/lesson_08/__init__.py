"""Using a model."""
