# SPDX-License-Identifier: MIT
"""P7 to P10: how a mount does as its cache grows, without the API being asked."""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

import harness
import measure
import metrics

SIZES = (1000, 10_000, 100_000, 1_000_000)
LOOKUPS = 20_000
SOURCE = 'http://127.0.0.1:9'       # nobody is there, and nobody is asked

# Of names, cities, numbers, addresses and remarks: rare and common, whole and in part, one and two.
WORDS = ('osaka', 'folake', 'asha', 'rao', 'kim', '高橋', 'шевч', 'example.org', 'xqzv', 'c-9199',
         '830003968391', '03968', '968', 'anna.koch', 'sh', 'rs', 'a', 'kenta osaka',
         'anna gorlitz', 'asha 8302', 'schafer software')


def index_ratio(cache, copy):
    """What the index of words adds to a cache's file, for each byte of the words. It is looked for
    by what it is, an index of FTS5 over a table, and a copy of the file goes without it."""
    shutil.copy(cache, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as database:
        index = database.execute("SELECT name, sql FROM sqlite_master "
                                 "WHERE sql LIKE 'CREATE VIRTUAL TABLE%fts5%'").fetchone()
        if not index:
            return None
        name, sql = index
        table = re.search(r'''\bcontent\s*=\s*["']?(\w+)''', sql)[1]
        words = sum(database.execute(
            f'SELECT total(length(CAST({column} AS BLOB))) FROM {table}').fetchone()[0]
            for _, column, *_ in database.execute(f'PRAGMA table_info({name})').fetchall())

        def size():
            database.execute('VACUUM')
            return database.execute(
                'SELECT page_count * page_size FROM pragma_page_count, pragma_page_size'
            ).fetchone()[0]
        whole = size()
        database.execute(f'DROP TABLE {name}')
        return (whole - size()) / words


def turn_ms(mount):
    """The longest turn of its loop since it was mounted."""
    return metrics.Metrics(mount)('loop_turn_longest_microseconds') / 1000


def memory_mib(process, what):
    status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
    return int(re.search(rf'^{what}:\s+(\d+) kB$', status, re.MULTILINE)[1]) / 1024


class Filled:
    """A cache with so many customers, and the keys of them in an order of chance."""

    def __init__(self, directory, customers):
        self.customers = customers
        self.directory = directory / str(customers)
        self.directory.mkdir()
        self.cache = self.directory / 'cache.db'
        keys = self.directory / 'keys'
        filled = subprocess.run([os.environ['FILL_CACHE'], self.cache, SOURCE, str(customers),
                                 keys], capture_output=True, text=True, check=True)
        self.disk_ratio = self.cache.stat().st_size / int(filled.stdout)
        self.keys = keys.read_text().split()
        random.Random(customers).shuffle(self.keys)

    def mount(self):
        # As if they had been answered just now, and not while the cache was filled.
        return harness.Mount(SOURCE, self.directory, offline=True, cache_size='8G', ttl='86400')

    def export(self, path):
        with open(path, 'wb') as file:
            subprocess.run([harness.BINARY, 'export', self.cache], stdout=file, check=True)


class Scale:
    """Caches of all sizes; a mount of one at a time."""

    UNIT = 'customer'
    units = 1

    def __init__(self, sizes=SIZES):
        self.sizes = sizes

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kapturefs-bench.')))
            self.filled = {}
            for size in self.sizes:
                measure.say(f'filling a cache with {size:,} customers')
                self.filled[size] = Filled(self.directory, size)
            self.table = self.make_table(max(self.sizes))
            *_, fewer, _ = sorted(self.sizes)
            self.index_ratio = index_ratio(self.filled[fewer].cache, self.directory / 'copy.db')
            self.mounted = self.mounted_size = None
            self.searches = 0
            stack.callback(self.unmount)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def unmount(self):
        if self.mounted:
            self.mounted.close()
        self.mounted = self.mounted_size = None

    def mount_anew(self, size):
        self.unmount()
        self.mounted, self.mounted_size = self.filled[size].mount(), size

    def mount_other(self, size):
        if self.mounted_size != size:
            self.mount_anew(size)

    # What the user would do otherwise

    def make_table(self, size):
        """The customers in a hand-written table of SQLite, by id."""
        self.ndjson = self.directory / 'customers.ndjson'
        self.filled[size].export(self.ndjson)
        path = self.directory / 'table.db'
        with contextlib.closing(sqlite3.connect(path)) as database, database, \
                open(self.ndjson, encoding='utf-8') as lines:
            database.execute('CREATE TABLE customer (id INTEGER PRIMARY KEY, json TEXT)')
            database.executemany('INSERT INTO customer VALUES (?, ?)',
                                 ((json.loads(line)['id'], line) for line in lines))
        return path

    # The work

    def usable(self, size):
        """From the start of the program to the first customer that is read."""
        with measure.stopwatch() as watch:
            self.mount_anew(size)
            os.stat(self.mounted / self.filled[size].keys[0])
        return measure.Sample(watch.seconds, memory_mib=memory_mib(self.mounted.process, 'VmRSS'),
                              disk_ratio=self.filled[size].disk_ratio)

    def listed(self, size):
        with measure.stopwatch() as watch:
            found = subprocess.run(['ls', '-f', self.mounted / 'by-id'], capture_output=True,
                                   check=True).stdout.count(b'\n')
        if found != size + 2:
            raise measure.Broken(f'{found} entries for {size} customers')
        return measure.Sample(watch.seconds, memory_mib=memory_mib(self.mounted.process, 'VmHWM'),
                              turn_ms=turn_ms(self.mounted))

    def looked_up(self, size):
        """The median of look-ups that the kernel knows nothing about yet."""
        keys = self.filled[size].keys[1:LOOKUPS + 1]
        paths = [os.fsencode(self.mounted / key) for key in keys]
        return self.timed(os.stat, paths)

    @staticmethod
    def timed(look, keys):
        seconds = []
        for key in keys:
            begun = time.perf_counter()
            look(key)
            seconds.append(time.perf_counter() - begun)
        seconds.sort()
        return measure.Sample(statistics.median(seconds),
                              p99_us=seconds[len(seconds) * 99 // 100] * 1e6)

    def looked_up_slowly(self, size):
        """The look-up that 99 of 100 are faster than."""
        return measure.Sample(self.looked_up(size).p99_us / 1e6)

    def in_table(self, size):
        ids = [key.split('/')[1] for key in self.filled[size].keys if key.startswith('by-id/')]
        with contextlib.closing(sqlite3.connect(self.table)) as database:
            return self.timed(lambda number: database.execute(
                'SELECT json FROM customer WHERE id = ?', (number,)).fetchone()[0], ids[:LOOKUPS])

    def in_lines(self, command, size):
        key = next(key for key in self.filled[size].keys if key.startswith('by-id/'))
        number = key.split('/')[1]
        with measure.stopwatch() as watch:
            found = subprocess.run([*command(number), self.ndjson], capture_output=True, check=True)
        if found.stdout.count(b'\n') != 1:
            raise measure.Broken(f'{command(number)[0]} has not found the customer')
        return measure.Sample(watch.seconds)

    def exported(self, size):
        """A megabyte of the file of all customers."""
        path = self.mounted / 'export' / 'customers.ndjson'
        with measure.stopwatch() as watch, open(path, 'rb', buffering=0) as file:
            length = sum(iter(lambda: len(file.read(1 << 20)), 0))
        if length != path.stat().st_size:
            raise measure.Broken('the export has been cut short')
        return measure.Sample(watch.seconds / (length / 1e6))

    def tabled(self, size):
        """A megabyte of the same, made a table of all columns."""
        json_length = (self.mounted / 'export' / 'customers.ndjson').stat().st_size
        with measure.stopwatch() as watch:
            made = subprocess.run([harness.BINARY, 'export', '--format', 'csv', self.mounted.path],
                                  capture_output=True, check=True)
        if made.stdout.count(b'\r\n') <= size:
            raise measure.Broken(f'the table has not {size} rows')
        return measure.Sample(watch.seconds / (json_length / 1e6))

    def searched(self, words, count):
        """Words that nobody has asked for yet: each search is another."""
        self.searches += 1
        with measure.stopwatch() as watch:
            found = len(os.listdir(self.mounted / 'search' / (words + ' ' * self.searches)))
        if found != count:
            raise measure.Broken(f'{found} customers found by {words!r}, not {count}')
        return measure.Sample(watch.seconds)

    def searched_one_by_one(self, size):
        """The median of many words, and the slowest of them."""
        seconds = []
        for words in WORDS:
            self.searches += 1
            with measure.stopwatch() as watch:
                os.listdir(self.mounted / 'search' / (words + ' ' * self.searches))
            seconds.append(watch.seconds)
        return measure.Sample(statistics.median(seconds), slowest_ms=max(seconds) * 1e3,
                              turn_ms=turn_ms(self.mounted), index_ratio=self.index_ratio)

    def grepped(self, words):
        with measure.stopwatch() as watch:
            subprocess.run(['grep', '-ci', words, self.ndjson], capture_output=True, check=False)
        return measure.Sample(watch.seconds)

    def contestants(self):
        *_, fewer, most = sorted(self.sizes)
        found = {
            'table': measure.Contestant('SQLite table by hand', lambda: self.in_table(most)),
            'export': measure.Contestant('export', lambda: self.exported(most),
                                         lambda: self.mount_other(most)),
            'csv': measure.Contestant('export as a table', lambda: self.tabled(fewer),
                                      lambda: self.mount_other(fewer)),
            'search': measure.Contestant('search', lambda: self.searched('xqzv', 0),
                                         lambda: self.mount_other(most)),
            'search-many': measure.Contestant(
                'search', lambda: self.searched('example', min(most, 1000)),
                lambda: self.mount_other(most)),
            'search-words': measure.Contestant(
                'search', lambda: self.searched_one_by_one(most),
                lambda: self.mount_anew(most)),
            'grep-words': measure.Contestant('grep -i of one file', lambda: self.grepped('xqzv')),
            'grep': measure.Contestant('grep of one file', lambda: self.in_lines(
                lambda number: ['grep', '-m1', f'^{{"id":{number},'], most), rounds_max=3),
        }
        if shutil.which('jq'):
            found['jq'] = measure.Contestant('jq of one file', lambda: self.in_lines(
                lambda number: ['jq', '-c', f'select(.id == {number})'], most), rounds_max=1)
        for size in self.sizes:
            found |= self.contestants_of(size)
        return found

    def contestants_of(self, size):
        label = f'{size:,}'
        return {
            f'usable-{size}': measure.Contestant(label, lambda: self.usable(size), self.unmount),
            f'list-{size}': measure.Contestant(label, lambda: self.listed(size),
                                               lambda: self.mount_anew(size)),
            f'lookup-{size}': measure.Contestant(label, lambda: self.looked_up(size),
                                                 lambda: self.mount_anew(size)),
            f'slow-{size}': measure.Contestant(label, lambda: self.looked_up_slowly(size),
                                               lambda: self.mount_anew(size)),
        }
