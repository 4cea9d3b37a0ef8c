"""The supporting package of the masked-modelling course."""

__version__ = "0.1.0"
