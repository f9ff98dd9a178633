"""In-memory ports and contract checks, shipped for those who write a provider."""

from controller.testing.clock import FakeClock, SeededChance
from controller.testing.ledger import MemoryLedger
from controller.testing.provider import Call, MemoryProvider, lost_answer
from controller.testing.reporter import SilentReporter
from controller.testing.source import MemorySource, MemoryTree

__all__ = [
    "Call",
    "FakeClock",
    "MemoryLedger",
    "MemoryProvider",
    "MemorySource",
    "MemoryTree",
    "SeededChance",
    "SilentReporter",
    "lost_answer",
]
