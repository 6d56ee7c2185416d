"""What the domain asks of the world around it, besides repositories."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""Returns the present moment, timezone-aware."""

NewId = Callable[[], str]
"""Returns a unique identifier: a UUID in its canonical text form."""

Random = Callable[[], float]
"""Returns a number drawn evenly from [0, 1)."""
