# SPDX-License-Identifier: MIT
"""The benchmarks: which work, who does it, and what it must come to. The code is elsewhere."""

import dataclasses
import typing

from judges import (
    AtMost, AtMostAbove, AtMostTimes, Exactly, FewerThan, Shown, TimesFaster, Within)
from lookups import Crowd, One, OneForAll
from passes import Neighbours, Passes
from scale import Scale


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: two contestants of a benchmark, and the judge between them."""

    number: str
    work: str
    ours: str
    yardstick: str
    judge: object
    counts: tuple = ()
    without: str = 'not installed'      # why there may be no yardstick


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A setting in which contestants take turns: those that a row names or a picture shows."""

    rounds: int
    setting: typing.Callable
    rows: tuple
    shown: tuple = ()


FEW_KERNEL = FewerThan(100, 'kernel_requests', 'kernel requests')
ONE_API = Exactly(1, 'api_requests', 'API request')
TURN_MS_MAX = 30

BENCHMARKS = {
    'P1-P2': Benchmark(5, lambda: Passes(2000), (
        Row('P1', 'grep -r, 2,000 customers, kernel-warm', 'warm', 'plain', AtMostTimes(1.15),
            (FEW_KERNEL,)),
        Row('P2', 'grep -r, 2,000 customers, kernel-cold', 'cold', 'plain',
            AtMostTimes(4, stretch=3)),
        Row('P2', 'grep -r, 2,000 customers, kernel-cold', 'cold', 'dropped',
            AtMostTimes(2, stretch=1.5)),
        Row('P2', 'grep -r, 2,000 customers, kernel-cold', 'cold', 'erofs', Shown(),
            without='no EROFS in this kernel, or not as root'),
        Row('P2', 'the same with busy_poll=0', 'sleepy', 'plain', Shown()))),
    'P3': Benchmark(3, lambda: Neighbours(100), (
        Row('P3', 'grep -r, 100 customers, kernel-warm', 'warm', 'rclone-warm', TimesFaster(20)),
        Row('P3', 'grep -r, 100 customers, kernel-cold', 'cold', 'rclone-cold', TimesFaster(10)),
        Row('P3', 'grep -r, 100 customers, kernel-warm', 'warm', 'sshfs-warm', TimesFaster(20)),
        Row('P3', 'grep -r, 100 customers, kernel-cold', 'cold', 'sshfs-cold', TimesFaster(10)))),
    'P4': Benchmark(5, lambda: Crowd(1000), (
        Row('P4', '1,000 cold customers, 50 ms each, xargs -P 32', 'cold', 'ideal',
            AtMostTimes(1.15), (Exactly(1000, 'api_requests', 'API requests'),)),)),
    'P5': Benchmark(3, lambda: OneForAll(1000), (
        Row('P5', '1,000 readers of one cold customer at once', 'readers', 'latency', Shown(),
            (ONE_API,)),)),
    'P6': Benchmark(40, One, (
        Row('P6', 'cat of a cold customer, warm connection', 'cat', 'curl', TimesFaster(1),
            (ONE_API,)),
        Row('P6', 'open and read of a cold customer, the same', 'read', 'server', AtMostAbove(1),
            (ONE_API,)),
        Row('P6', 'the same, as a ratio', 'read', 'server', AtMostTimes(1.06)))),
    'P7-P10': Benchmark(5, Scale, (
        Row('P7', 'mount with 1,000,000 cached, first customer read', 'usable-1000000',
            'usable-1000', Within(0.1), (AtMost(32, 'memory_mib', 'MiB'),)),
        Row('P8', 'ls -f of 1,000,000, 300,000 a second', 'list-1000000', 'list-1000',
            Within(1 / 0.3), (AtMost(64, 'memory_mib', 'MiB'),
                              AtMost(TURN_MS_MAX, 'turn_ms', 'ms for the longest turn'))),
        Row('P9', 'random look-up among 1,000,000, kernel-cold', 'lookup-1000000', 'lookup-1000',
            AtMostTimes(1.5)),
        Row('P9', 'the same, and how long it may take', 'lookup-1000000', 'lookup-100000',
            Within(0.0001)),
        Row('P9', 'the same, 99 of 100', 'slow-1000000', 'slow-1000', Within(0.0005)),
        Row('P9', 'the same, a customer in a table', 'lookup-1000000', 'table', Shown()),
        Row('P9', 'the same, a customer in one file', 'lookup-1000000', 'grep', TimesFaster(1)),
        Row('P9', 'the same, a customer in one file', 'lookup-1000000', 'jq', TimesFaster(1)),
        Row('P10', 'disk for 1,000,000 (the time: mounting)', 'usable-1000000', 'usable-10000',
            Shown(), (AtMost(1.3, 'disk_ratio', 'bytes for each of JSON'),)),
        Row('', 'a megabyte of export/customers.ndjson', 'export', 'lookup-10000',
            Within(0.01)),
        Row('', 'a megabyte of 100,000, as a table by kapturefs export', 'csv', 'export',
            Within(0.015)),
        Row('', 'search among 1,000,000, nobody found', 'search', 'grep-words', Within(0.015)),
        Row('', 'search among 1,000,000, 1,000 of all found', 'search-many', 'grep-words',
            Within(0.02)),
        Row('', 'search by 21 words, the median', 'search-words', 'grep-words', Within(0.03),
            (AtMost(150, 'slowest_ms', 'ms for the slowest'),
             AtMost(TURN_MS_MAX, 'turn_ms', 'ms for the longest turn'),
             AtMost(1.25, 'index_ratio', 'bytes of the index for each of the words'))),
        ),
        shown=('list-10000', 'list-100000')),
}
