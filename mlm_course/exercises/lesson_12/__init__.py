"""From CMLM to masked diffusion."""
