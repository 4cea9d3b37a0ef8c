"""MLM pretraining."""
