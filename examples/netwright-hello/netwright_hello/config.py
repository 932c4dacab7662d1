"""The census agent's settings."""

from netwright.config import Config


class CensusConfig(Config):
    """What to count."""

    leaves_only: bool = True
    """Count only modules without children."""
