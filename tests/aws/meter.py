"""Counts what AWS would bill."""

import collections
import math
import threading

SQS_CHUNK_BYTES = 64 * 1024


class Meter:
    """Counters by name, a name being a tuple: ("dynamodb", operation, table or index, "write" or "read") and so on."""

    def __init__(self):
        self.lock, self.counters = threading.Lock(), collections.Counter()

    def add(self, *name, by=1):
        with self.lock:
            self.counters[name] += by

    def total(self, *prefix):
        with self.lock:
            return sum(value for name, value in self.counters.items() if name[:len(prefix)] == prefix)

    def under(self, *prefix):
        with self.lock:
            return {name[len(prefix):]: value for name, value in sorted(self.counters.items()) if name[:len(prefix)] == prefix}

    def reset(self):
        with self.lock:
            self.counters.clear()

    def capacity(self, operation, consumed):
        """`consumed` is the answer's ConsumedCapacity, of one table or a list."""
        write = operation in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
        kind = "write" if write else "read"
        for one in consumed if isinstance(consumed, list) else [consumed]:
            parts = [("table", one.get("Table") or {})] if "Table" in one else []
            parts += list((one.get("GlobalSecondaryIndexes") or {}).items())
            if not parts:
                parts = [("table", one)]
            for name, units in parts:
                amount = units.get("WriteCapacityUnits" if write else "ReadCapacityUnits", units.get("CapacityUnits", 0))
                self.add("units", kind, operation, name, by=amount)

    def sqs(self, operation, payload_bytes):
        self.add("sqs", operation, by=max(1, math.ceil(payload_bytes / SQS_CHUNK_BYTES)))
