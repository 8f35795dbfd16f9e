# SPDX-License-Identifier: MIT
"""Contestants that do the same work, timed in turns, and what a run of one of them costs.

Whatever disturbs the machine disturbs all contestants alike when they take turns, so what may be
trusted is the ratio of two medians of one run, not a time.
"""

import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import time
import typing

import harness
import metrics

DISTURBED_MAX = 10
CLOCK_TICKS = os.sysconf('SC_CLK_TCK')


class Broken(Exception):
    """The work was not done, or not as it should be: nothing that was timed means anything."""


@dataclasses.dataclass
class Sample:
    """One run. Costs that a contestant does not have are None."""

    seconds: float
    processor_seconds: float | None = None     # of the daemon
    kernel_requests: int | None = None
    api_requests: int | None = None
    reclaimed: int | None = None               # pages asked for again, of the whole machine
    memory_mib: float | None = None            # of the daemon, resident
    p99_us: float | None = None                # where `seconds` is a median
    slowest_ms: float | None = None            # likewise
    disk_ratio: float | None = None            # bytes on disk for each of JSON
    index_ratio: float | None = None           # bytes of the index for each of the words
    turn_ms: float | None = None               # the longest turn of the daemon's loop


@dataclasses.dataclass
class Contestant:
    """Somebody who does the work: `prepare` is not timed, `run` returns a Sample."""

    label: str
    run: typing.Callable[[], Sample]
    prepare: typing.Callable[[], None] = lambda: None
    drops: int = 0      # how often `prepare` has the kernel drop its caches
    rounds_max: int | None = None   # of what is so slow that its range says nothing


@dataclasses.dataclass
class Result:
    """What the runs of one contestant came to; `units` is by how many its work is divided."""

    label: str
    units: int
    unit: str
    samples: list

    @property
    def seconds(self):
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def fastest(self):
        return min(sample.seconds for sample in self.samples)

    @property
    def slowest(self):
        return max(sample.seconds for sample in self.samples)

    @property
    def seconds_per_unit(self):
        return self.seconds / self.units

    def median(self, cost):
        """The median of a cost by its name, None where there is none."""
        values = [value for sample in self.samples
                  if (value := getattr(sample, cost)) is not None]
        return statistics.median(values) if values else None


def alternate(contestants, rounds):
    """{name: [Sample]}. Each round begins with another contestant, so that none is always next to
    the same one."""
    samples = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            rounds_max = contestants[name].rounds_max
            if rounds_max is None or number < rounds_max:
                samples[name].append(undisturbed(contestants[name]))
    return samples


def kernel_counter(*names):
    lines = pathlib.Path('/proc/vmstat').read_text().splitlines()
    return sum(int(value) for name, value in map(str.split, lines) if name in names)


def caches_dropped():
    """How often somebody has had the kernel drop its caches, since it started."""
    return kernel_counter('drop_pagecache', 'drop_slab')


def pages_refaulted():
    """Pages of files that were read once more because the kernel had taken their memory."""
    return kernel_counter('workingset_refault_file')


def undisturbed(contestant):
    """The Sample of a run from whose preparation to whose end nobody else dropped the caches."""
    for _ in range(DISTURBED_MAX):
        before = caches_dropped()
        contestant.prepare()
        sample = contestant.run()
        if caches_dropped() == before + contestant.drops:
            return sample
        say(f'{contestant.label}: somebody dropped the kernel\'s caches; once more')
    raise Broken("somebody keeps dropping the kernel's caches")


def say(text):
    print(f'bench: {text}', file=sys.stderr, flush=True)


@contextlib.contextmanager
def stopwatch():
    """Fills `seconds` in what it yields."""
    watch = type('Watch', (), {'seconds': None})()
    begun = time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - begun


def processor_seconds(process):
    """User and system time of a process until now."""
    fields = pathlib.Path(f'/proc/{process.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class Costs:
    """What a mount and its API did between two moments; one look at the counters is part of it."""

    def __init__(self, mount, sandbox):
        self.mount = mount
        self.sandbox = sandbox
        self.kernel_requests = metrics.Metrics(mount).fuse()
        self.api_requests = sandbox.requests()
        self.processor_seconds = processor_seconds(mount.process)
        self.refaulted = pages_refaulted()

    def sample(self, seconds):
        """The Sample of a run that began when this object was made."""
        used = processor_seconds(self.mount.process) - self.processor_seconds
        now = metrics.Metrics(self.mount)
        return Sample(
            seconds, used,
            int(now.fuse() - self.kernel_requests),
            self.sandbox.requests() - self.api_requests,
            pages_refaulted() - self.refaulted)


def grep(directory):
    """Seconds that it takes to read every file below a directory, as a user would."""
    with stopwatch() as watch:
        result = subprocess.run(['grep', '-r', 'zzzz', str(directory)], stdin=subprocess.DEVNULL,
                                capture_output=True, check=False)
    if (result.returncode, result.stdout, result.stderr) != (1, b'', b''):
        raise Broken(f'grep of {directory} ended with {result.returncode}: '
                     f'{result.stdout[:200]!r} {result.stderr[:200]!r}')
    return watch.seconds


def mount(source, directory, **options):
    """A mount in which an answer stays fresh for as long as a benchmark may take."""
    return harness.Mount(source, directory, **{'ttl': '86400', **options})
