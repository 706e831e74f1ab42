"""Models hosted by fal. fal's client is imported only where a generator is made: prices are known without it."""

from generator.fal.backend import FAL_VERSION, Fal
from generator.fal.models import price

__all__ = ["FAL_VERSION", "Fal", "price"]
