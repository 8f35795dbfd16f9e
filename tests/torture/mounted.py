# SPDX-License-Identifier: MIT
"""A mount in the hands of the model test: each look at it is compared with the reference."""

import contextlib
import errno
import os
import threading
import time

import harness
import values
from reference import Absent, Found, Reference
from values import Broken

ASKED_MAX = 32      # without a ttl, each request of the kernel asks: two or three for each name
DIRECTORIES = {'id': 'by-id', 'phone': 'by-phone', 'email': 'by-email'}
SETTLING_SECONDS = 5    # until the kernel has been told of a change that came by another key


def read(path):
    with open(path, 'rb') as file:
        return file.read()


class Mounted:
    def __init__(self, world, directory):
        self.world = world
        self.directory = directory
        self.reference = Reference()
        self.mounted = None
        self.kept = []      # [descriptor, number]
        self.lasting = {}   # number: (inode, mtime) of a field that never changes
        self.changed = {}   # (number, version): mtime of a field that changes with each version
        self.looks = 0

    # Life

    def options(self, chosen):
        return {'ttl': '300' if chosen.is_fresh else '0',
                'negative_ttl': '300' if chosen.is_absence_fresh else '0',
                'max_stale': '86400' if chosen.serves_stale else '0',
                'offline': chosen.offline or None, 'timeout': '10'}

    def mount(self, chosen):
        self.reference.remount(chosen)
        self.mounted = harness.Mount(self.world.api.url, self.directory, **self.options(chosen))

    def let_go(self):
        for descriptor, _ in self.kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.kept.clear()

    def end(self, is_sudden):
        mounted, self.mounted = self.mounted, None
        if is_sudden:
            mounted.process.kill()
            mounted.process.wait()
            self.let_go()
            mounted.kill()
        else:
            self.let_go()
            mounted.close()

    def remount(self, chosen, is_sudden):
        self.end(is_sudden)
        self.mount(chosen)

    def close(self):
        if self.mounted:
            self.end(False)

    # Ways to look at a customer: a path gives the version that is seen

    def path(self, key):
        return self.mounted / DIRECTORIES[key[0]] / key[1]

    def see_name(self, key, number):
        return values.version_of(read(self.path(key) / 'name'), 'name', number)

    def see_nested(self, key, number):
        text = read(self.path(key) / f'contacts/{number + 500000}/person')
        return values.version_of(text, 'person', number)

    def see_whole(self, key, number):
        return values.version_of_json(read(f'{self.path(key)}.json'), number)

    def see_size(self, key, number):
        """Only by its size, and when it was last changed."""
        status = os.stat(self.path(key) / 'name')
        for candidate in range(self.world.versions[number], 0, -1):
            if status.st_size == len(values.make('name', number, candidate)) + 1:
                self.note_time(number, candidate, status.st_mtime_ns)
                return candidate
        raise Broken(f'{key}: no version has {status.st_size} bytes')

    def see_tree(self, key, number):
        """A walk, as of a backup: every entry can be seen, every value is whole."""
        path = self.path(key)
        try:
            names = set(os.listdir(path))
        except OSError as error:
            # A listing that finds its customer gone cannot say so: ENOENT would be its end.
            if error.errno != errno.ESTALE:
                raise
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
        if names != {'id', 'cmId', 'name', 'since', 'contacts'}:
            raise Broken(f'{key}: {names}')
        return self.see_name(key, number)

    def see_lasting(self, key, number):
        """What does not change keeps its inode number and its time."""
        path = self.path(key) / 'since'
        version = self.see_name(key, number)
        status = os.stat(path)
        if read(path) != b'%d\n' % number:
            raise Broken(f'{key}: since is foreign')
        now = (status.st_ino, status.st_mtime_ns)
        if self.lasting.setdefault(number, now) != now:
            raise Broken(f'{key}: inode and mtime {now}, were {self.lasting[number]}')
        return version

    WAYS = {'name': see_name, 'nested': see_nested, 'whole': see_whole, 'size': see_size,
            'tree': see_tree, 'lasting': see_lasting}

    def note_time(self, number, version, mtime):
        if self.changed.setdefault((number, version), mtime) != mtime:
            raise Broken(f'{number} v{version}: mtime {mtime}, was '
                         f'{self.changed[number, version]}')

    # Judging

    def numbers_of(self, key):
        """Whose values may stand under the key: who is known there, who the API says, or none."""
        return {self.reference.keys.get(key), self.world.owner(key)} - {None}

    def see(self, key, way):
        """A Found or an errno. What belongs to neither candidate is Broken."""
        candidates = list(self.numbers_of(key)) or [0]
        # Each has a look of its own, and others may ask meanwhile: so that the key may lead to the
        # second one at the first look, and to the first at the second.
        mistake = self.see_any(key, way, candidates)
        if isinstance(mistake, values.Foreign) and len(candidates) > 1:
            mistake = self.see_any(key, way, candidates)
        if isinstance(mistake, Broken):
            raise mistake
        return mistake

    def see_any(self, key, way, candidates):
        """A Found, an errno or what is Broken."""
        mistake = None
        for number in candidates:
            try:
                return Found(number, self.WAYS[way](self, key, number))
            except FileNotFoundError as error:
                # The contact of another candidate has another name.
                mistake = error
            except OSError as error:
                return error.errno
            except Broken as error:
                mistake = error
        return mistake if isinstance(mistake, Broken) else mistake.errno

    def settle(self, key, way, allowed):
        """The kernel hears a little later of what came by another key."""
        deadline = time.monotonic() + SETTLING_SECONDS
        while time.monotonic() < deadline:
            shown = self.see(key, way)
            if shown in allowed:
                return shown
            time.sleep(0.005)
        return shown

    def look(self, key, way):
        was_fresh = self.reference.is_fresh(key) or self.reference.options.offline
        shown = self.see(key, way)
        asked = self.world.take_log()
        if len(asked) > ASKED_MAX and not self.world.fault:
            raise Broken(f'{key}: asked {len(asked)} times: {asked}')
        before = dict(self.reference.records)
        allowed = self.reference.outcomes(key, asked)
        if shown not in allowed and was_fresh:
            shown = self.settle(key, way, allowed)
            allowed = self.reference.outcomes(key, self.world.take_log())
        if shown not in allowed:
            raise Broken(f'{key} by {way}: {shown}, not {allowed}; asked {asked}; was {before}')
        self.note_lost()
        self.looks += 1

    def note_lost(self):
        """What was dropped and comes back is new."""
        for number in set(self.lasting) - set(self.reference.records):
            del self.lasting[number]
        for number, version in list(self.changed):
            if self.reference.records.get(number) != version:
                del self.changed[number, version]

    def list_keys(self, kind):
        expected = {text for key_kind, text in self.reference.keys if key_kind == kind}
        deadline = time.monotonic() + SETTLING_SECONDS
        while (shown := set(os.listdir(self.mounted / DIRECTORIES[kind]))) != expected:
            if time.monotonic() > deadline:
                raise Broken(f'{kind}: listed {shown}, not {expected}')
            time.sleep(0.005)
        if self.world.take_log():
            raise Broken('a listing has asked the API')

    # Descriptors that are kept

    def open_and_keep(self, key):
        try:
            descriptor = os.open(self.path(key) / 'name', os.O_RDONLY)
        except OSError:
            descriptor = None
        if descriptor is not None:
            self.kept.append([descriptor, None])
        self.reference.outcomes(key, self.world.take_log())
        self.note_lost()
        number = self.reference.keys.get(key)
        if descriptor is not None:
            if number is None:
                raise Broken(f'{key}: opened, and there is no such customer')
            self.kept[-1][1] = number

    def read_what_is_kept(self):
        """A whole value of that customer, whatever has happened since; or none at all."""
        for descriptor, number in self.kept:
            key = ('id', str(number))
            was_fresh = self.reference.is_fresh(key)
            try:
                values.version_of(os.pread(descriptor, 1 << 16, 0), 'name', number)
            except OSError as error:
                if was_fresh and error.errno not in (errno.ESTALE, errno.ENOENT):
                    raise Broken(f'{key}: {error}') from error
            # Even reading may find that the customer has expired.
            if asked := self.world.take_log():
                self.reference.outcomes(key, asked)
        self.note_lost()

    # Many at once

    def look_at_once(self, keys):
        """What is seen is whole, and of a version that was there before or came meanwhile."""
        shown = {}

        def run(key):
            try:
                shown[key] = self.see(key, 'whole')
            except Broken as mistake:
                shown[key] = mistake
        threads = [threading.Thread(target=run, args=(key,)) for key in keys]
        known = {key: self.reference.known(key) for key in keys}
        records = dict(self.reference.records)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asked = self.world.take_log()
        for key, answer in asked:
            self.reference.take(key, answer)
        self.note_lost()
        for key, outcome in shown.items():
            self.judge_one_of_many(key, outcome, known[key], records, asked)
        self.looks += len(keys)

    def judge_one_of_many(self, key, outcome, known, records, asked):
        if isinstance(outcome, Broken):
            raise outcome
        if not isinstance(outcome, Found):
            return
        answers = {answer for _, answer in asked}
        if outcome not in answers | {known} and records.get(outcome.number) != outcome.version:
            raise Broken(f'{key}: {outcome}, neither known ({known}) nor answered ({answers})')

    # Orders

    def refresh(self, key):
        if self.reference.options.offline:
            return
        result = harness.command('refresh', self.path(key))
        asked = self.world.take_log()
        for asked_key, answer in asked:
            self.reference.take(asked_key, answer)
        if result.returncode == 0 and not asked:
            raise Broken(f'refreshed {key} and asked nobody')
        # That the customer is gone is an answer, too, though the command calls it a failure.
        if result.returncode and not (asked and isinstance(asked[-1][1], Absent)):
            self.reference.force(key)
        self.note_lost()

    def forget(self, key):
        result = harness.command('forget', self.path(key))
        if result.returncode or self.world.take_log():
            raise Broken(f'forget {key}: {result.stderr}')
        self.reference.forget(key)
        self.note_lost()
