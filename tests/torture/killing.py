# SPDX-License-Identifier: MIT
"""Kill a daemon under its readers, again and again, and compare what it serves afterwards.

Each answer is committed before anybody sees it, so whatever a reader has seen is there after the
worst of deaths: the same customer under the same key, with the same inode number, in the version
that was seen or in one that came later, as far as there is an order.
"""

import contextlib
import errno
import os
import random
import threading
import time

import harness
import values
from values import Broken, Versions

READERS = 8
CUSTOMERS = 150     # that are looked up in a cycle; the next ones have some new ones
NEW = 10
SAMPLE = 100        # keys of earlier cycles that are compared
READS_MAX = 120     # until the daemon is killed
STAGGER = 0.004     # seconds by which the blow misses the end of a read
# What the dead mount answers, depending on how far the kernel has got with it.
DEATHS = {errno.ENOTCONN, errno.ECONNABORTED}


class Seen:
    """What readers have seen: the least that must still be there."""

    def __init__(self):
        self.lock = threading.Lock()
        self.versions = {}      # number: the newest version
        self.inodes = {}        # path: its inode number
        self.keys = set()       # (directory, name)
        self.touched = set()    # those of this cycle
        self.reads = 0
        self.progress = threading.Condition(self.lock)

    def add(self, directory, name, number, version, inode):
        with self.progress:
            self.versions[number] = max(version, self.versions.get(number, 0))
            self.keys.add((directory, name))
            self.touched.add((directory, name))
            before = self.inodes.setdefault((directory, name), inode)
            self.reads += 1
            self.progress.notify_all()
        if before != inode:
            raise Broken(f'{directory}/{name}: inode {inode}, was {before}')

    def wait_for(self, reads, seconds=60):
        with self.progress:
            if not self.progress.wait_for(lambda: self.reads >= reads, seconds):
                raise Broken(f'{self.reads} reads, not {reads}: the mount stands still')


def names_of(number):
    return [('by-id', str(number)), ('by-phone', values.phone_of(number)),
            ('by-email', values.email_of(number))]


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def look(root, directory, name, number):
    """(version, inode number of the directory) of a customer by one of its keys."""
    path = root / directory / name
    inode = os.stat(path).st_ino
    text = read(path / 'name')
    return values.version_of(text, 'name', number), inode


class Readers:
    """Threads that look customers up until the mount is dead."""

    def __init__(self, root, first, seen, seed):
        self.root = root
        self.first = first
        self.seen = seen
        self.is_dying = threading.Event()
        self.mistakes = []
        self.threads = [threading.Thread(target=self.run, daemon=True,
                                         args=(random.Random(seed * 100 + i),))
                        for i in range(READERS)]
        for thread in self.threads:
            thread.start()

    def run(self, dice):
        try:
            while True:
                self.step(dice)
        except OSError as error:
            if not self.is_dying.is_set() or error.errno not in DEATHS:
                self.mistakes.append(error)
        except Exception as mistake:
            self.mistakes.append(mistake)

    def step(self, dice):
        number = self.first + dice.randrange(CUSTOMERS)
        directory, name = dice.choice(names_of(number))
        if dice.random() < 0.2:
            text = read(self.root / directory / f'{name}.json')
            values.version_of_json(text, number)
            return
        version, inode = look(self.root, directory, name, number)
        self.seen.add(directory, name, number, version, inode)

    def join(self):
        for thread in self.threads:
            thread.join(harness.END_SECONDS)
            if thread.is_alive():
                raise Broken('a reader hangs in a dead mount')
        if self.mistakes:
            raise self.mistakes[0]


class Loop:
    """Cycles of one mount, one cache and one API."""

    def __init__(self, api, directory, seed=1, between=lambda cycle: None):
        self.api = api
        self.versions = Versions(api)
        self.directory = directory
        self.seed = seed
        self.between = between      # for a planted defect: called with the daemon dead
        self.seen = Seen()
        self.compared = 0

    def mount(self, **options):
        return harness.Mount(self.api.url, self.directory, **options)

    def kill_under_readers(self, cycle):
        dice = random.Random(self.seed * 10000 + cycle)
        # Without a ttl, everything that is looked up is asked for and written anew.
        mount = self.mount(ttl='0')
        try:
            readers = Readers(mount.path, 1 + cycle * NEW, self.seen, self.seed * 10000 + cycle)
            try:
                self.seen.wait_for(self.seen.reads + dice.randrange(1, READS_MAX))
                time.sleep(dice.random() * STAGGER)
            finally:
                readers.is_dying.set()
                mount.process.kill()
                mount.process.wait()
            readers.join()
        finally:
            mount.kill()

    def compare(self):
        """What this cycle has seen and some earlier ones, from what the cache alone holds."""
        asked = len(self.api.requests)
        earlier = sorted(self.seen.keys - self.seen.touched)
        keys = sorted(self.seen.touched) + random.sample(earlier, min(SAMPLE, len(earlier)))
        self.seen.touched.clear()
        # What the dead daemon sent may be taken up only now: each request tells whose it is.
        mark = self.directory / 'mark'
        mark.write_text('x-offline: yes\n')
        mark.chmod(0o600)
        with contextlib.closing(self.mount(offline=True, header_file=mark)) as mount:
            listings = {directory: set(os.listdir(mount / directory))
                        for directory in ('by-id', 'by-phone', 'by-email')}
            for directory, name in keys:
                if name not in listings[directory]:
                    raise Broken(f'{directory}/{name}: not listed any more')
                self.compare_key(mount, directory, name)
            if 'damaged' in mount.log.text():
                raise Broken(mount.log.text())
        if any('x-offline' in request.headers for request in self.api.requests[asked:]):
            raise Broken('offline, and the API was asked')

    def compare_key(self, mount, directory, name):
        kind = {'by-id': 'id', 'by-phone': 'phone', 'by-email': 'email'}[directory]
        number = Versions.number_of((kind, name))
        try:
            version, inode = look(mount, directory, name, number)
            whole = values.version_of_json(read(mount / directory / f'{name}.json'), number)
        except OSError as error:
            raise Broken(f'{directory}/{name}: {error}') from error
        seen, newest = self.seen.versions[number], self.versions.last[number]
        if not self.versions.least(number, seen) <= version <= newest or whole != version:
            raise Broken(f'{directory}/{name}: version {version} ({whole} as a whole), seen was '
                         f'{seen}, sent {newest}')
        if inode != self.seen.inodes[directory, name]:
            raise Broken(f'{directory}/{name}: inode {inode}, was '
                         f'{self.seen.inodes[directory, name]}')
        self.compared += 1

    def cycle(self, number):
        self.kill_under_readers(number)
        self.between(number)
        self.compare()
