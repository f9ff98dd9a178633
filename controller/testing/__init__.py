"""In-memory ports and contract checks, shipped for those who write a provider."""

from controller.testing.clock import FakeClock, SeededChance
from controller.testing.contract import CHECKS, ContractBroken, Subject, check_provider, closing
from controller.testing.ledger import MemoryLedger
from controller.testing.provider import FREE, SERVER_CHOSEN, MemoryProvider, RecordedCall, lost_answer
from controller.testing.reporter import SilentReporter
from controller.testing.source import MemorySource, MemoryTree

__all__ = [
    "CHECKS",
    "FREE",
    "SERVER_CHOSEN",
    "ContractBroken",
    "FakeClock",
    "MemoryLedger",
    "MemoryProvider",
    "MemorySource",
    "MemoryTree",
    "RecordedCall",
    "SeededChance",
    "SilentReporter",
    "Subject",
    "check_provider",
    "closing",
    "lost_answer",
]
