"""The encoder (BERT)."""
