"""What goes wrong, how often: each member is a rate from 0 to 1. By a seed, so that the same requests meet much the
same faults."""

import dataclasses
import random
import threading
import collections


@dataclasses.dataclass
class Faults:
    # DynamoDB
    table_throttles: float = 0  # ProvisionedThroughputExceededException or ThrottlingException
    writes_throttled: float = 0  # the same, of writes only
    creates_throttled: float = 0  # the same, of writes by the function api
    conflicts: float = 0  # TransactionConflict (TransactionConflictException of a single write)
    unprocessed: float = 0  # some of a batch come back as unprocessed
    table_fails: float = 0  # InternalServerError, half of them after the write
    table_lost: float = 0  # written, and the connection ends without an answer
    table_slow: float = 0  # answered after `slow_s`
    # SQS
    sent_twice: float = 0
    queue_fails: float = 0  # 503
    queue_lost: float = 0  # sent, and no answer
    batch_partly_fails: float = 0
    # Lambda and event sources
    kills: float = 0  # an environment dies while it works on an invocation
    recycled: float = 0  # after an invocation: the next one meets a cold start
    redelivered: float = 0  # a batch is delivered again though it was handled
    shuffled: float = 0  # a batch's messages are kept back and come after later ones
    replayed: float = 0  # the stream goes some records back
    slow_s: float = 0.2


class Dice:
    """Draws faults and counts what came of it."""

    def __init__(self, faults=None, seed=1):
        self.faults, self.random, self.lock, self.seen = faults or Faults(), random.Random(seed), threading.Lock(), collections.Counter()

    def hits(self, name):
        rate = getattr(self.faults, name)
        if not rate:
            return False
        with self.lock:
            hit = self.random.random() < rate
            if hit:
                self.seen[name] += 1
        return hit

    def fraction(self):
        with self.lock:
            return self.random.random()
