"""In-memory ports and contract checks, shipped for those who write a provider."""

from controller.testing.clock import FakeClock, SeededChance
from controller.testing.contract import CHECKS, Broken, Subject, check_provider, closing
from controller.testing.ledger import MemoryLedger
from controller.testing.provider import Call, MemoryProvider, lost_answer
from controller.testing.reporter import SilentReporter
from controller.testing.source import MemorySource, MemoryTree

__all__ = [
    "CHECKS",
    "Broken",
    "Call",
    "FakeClock",
    "MemoryLedger",
    "MemoryProvider",
    "MemorySource",
    "MemoryTree",
    "SeededChance",
    "SilentReporter",
    "Subject",
    "check_provider",
    "closing",
    "lost_answer",
]
