"""The advantage-conditioned flow policy."""
