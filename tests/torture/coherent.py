# SPDX-License-Identifier: MIT
"""A mount in the hands of the coherence test: what is done to it, one thing at a time."""

import contextlib
import os
import pathlib
import signal
import threading
import time

import api as api_module
import harness
import views
from held import HeldDirectory, HeldExport, HeldFile
from people import KEYS, NUMBERS, SETTLED, People, place
from times import Times
from values import Broken

SLACK = 0.6     # seconds by which a busy machine may be late
EXPIRY = 0.4    # seconds after which an answer is expired whatever clock is asked
HISTORY_SECONDS = 150


class Left:
    """What was asked in vain: for how long nobody may ask again."""

    def __init__(self):
        self.count = 0
        self.until = 0.0
        self.keys = set()

    def failed(self, key):
        self.count += 1
        self.keys.add(key)
        self.until = time.monotonic() + min(30, 2 ** (self.count - 1)) + SLACK

    def is_over(self):
        return time.monotonic() > self.until and len(self.keys) < 3

    def succeeded(self):
        self.count, self.keys = 0, set()


class Coherent:
    def __init__(self, directory, ttl, **options):
        self.directory = pathlib.Path(directory)
        self.api = api_module.Api()
        self.people = People(self.api)
        self.times = Times(self.people)
        self.text_floor = dict.fromkeys(NUMBERS, 0)
        self.lead_floor = dict.fromkeys(KEYS, 0)
        self.absent = set()         # keys that nobody has, as far as is known
        self.forgotten = {}         # number: when
        self.forced = {}            # numbers of whom nothing is fresh: since when
        self.left = Left()
        self.held = []
        self.waiting = {}           # key: (hold, thread)
        self.known_days = set()
        self.ttl = ttl
        self.options = options
        self.mounted = None
        self.watchdog = threading.Timer(HISTORY_SECONDS, self.give_up)
        self.watchdog.daemon = True
        self.watchdog.start()
        self.mount()

    # Life

    def give_up(self):
        if self.mounted:
            self.mounted.kill()

    def configure(self, ttl, more=''):
        self.ttl = ttl
        self.configured = (ttl, more)
        path = self.directory / 'config'
        path.write_text(f'[{self.api.url}]\nttl = {ttl}\n{more}\n')
        path.chmod(0o600)
        return path

    def mount(self):
        self.mounted = harness.Mount(
            self.api.url, self.directory, config=self.configure(self.ttl), negative_ttl='300',
            account_id=str(api_module.ACCOUNT), patience='1', **self.options)

    def let_go(self):
        for one in self.held:
            one.close()
        self.held = []

    def release_all(self):
        for key in list(self.waiting):
            self.release(key)

    def close(self):
        self.watchdog.cancel()
        try:
            self.release_all()
            self.let_go()
            if self.mounted:
                self.mounted.close()
        finally:
            self.api.close()

    # What is done

    def known(self):
        """The keys that can be looked at without a question, but for what has expired."""
        listed = views.listings(self.mounted)
        return [key for key in KEYS if key[1] in listed[key[0]] or key in self.absent]

    def may_look(self, key):
        """By a key whose answer is held back nothing is looked up that is not known."""
        return key not in self.waiting

    def look(self, key):
        """The first look of somebody."""
        if not self.may_look(key):
            return
        view = views.look(self.mounted, key)
        (self.absent.discard if view.number or view.error else self.absent.add)(key)

    def look_first(self, number, place_in_list):
        """By a key of somebody by which nobody has looked so far."""
        known = self.known()
        keys = [key for key in KEYS if self.people.owner(key) == number and key not in known]
        if keys:
            self.look(keys[place_in_list % len(keys)])

    def refresh(self, key):
        if key in self.waiting:
            return frozenset()
        before = self.people.owner(key)
        number = self.leading(key)
        result = harness.command('refresh', self.mounted / place(key))
        if result.returncode not in (0, 1) and self.left.is_over():
            raise Broken(f'refresh {place(key)}: {result.stderr}')
        if result.returncode not in (0, 1):
            return frozenset()
        self.left.succeeded()
        self.absent.discard(key)
        if result.returncode == 1:
            self.absent.add(key)
        self.lead_floor[key] = len(self.people.leads[key]) - 1
        if before:
            self.text_floor[before] = len(self.people.texts[before]) - 1
        return frozenset({before, number} - {None})

    def leading(self, key):
        """To whom a key led, as far as it has been seen."""
        return self.people.leads[key][self.lead_floor[key]]

    def fail_to_refresh(self, key):
        """... and then all is right again. Whether it was tried."""
        if key in self.waiting or key[1] not in views.listings(self.mounted)[key[0]]:
            return False
        number = views.look(self.mounted, key).number
        self.people.is_broken = True
        result = harness.command('refresh', self.mounted / place(key))
        self.people.is_broken = False
        if result.returncode in (0, 1):
            raise Broken(f'refresh {place(key)} got an answer of an API that gave none')
        self.left.failed(key)
        if number:
            self.forced[number] = time.monotonic()
        return True

    def look_in_vain(self, key):
        """While the API has a fault. Whether it was asked."""
        if not self.may_look(key) or key[1] not in views.listings(self.mounted)[key[0]]:
            return False
        asked = len(self.api.requests)
        self.people.is_broken = True
        view = views.look(self.mounted, key)
        self.people.is_broken = False
        if view.error:
            raise Broken(f'{place(key)}: {view.error}, and an old answer is there')
        if len(self.api.requests) == asked:
            return False
        self.left.failed(key)
        return True

    def forget(self, key):
        number = None
        if key[1] in views.listings(self.mounted)[key[0]] and self.may_look(key):
            number = views.look(self.mounted, key).number
        begin = time.monotonic()
        result = harness.command('forget', self.mounted / place(key))
        if result.returncode:
            raise Broken(f'forget {place(key)}: {result.stderr}')
        self.absent.discard(key)
        self.times.forgotten()
        if number is None:
            return
        self.forgotten[number] = begin
        for one in self.held:
            one.forget(self.people.texts[number])

    def refresh_day(self, name):
        result = harness.command('refresh', self.mounted / 'by-date' / name)
        if result.returncode and self.left.is_over():
            raise Broken(f'refresh by-date/{name}: {result.stderr}')
        if result.returncode == 0:
            self.known_days.add(name)
            listed, by_name = views.day(self.mounted, name)
            right = {str(number) for number in self.people.days[name]}
            if not listed == by_name == right:
                raise Broken(f'by-date/{name}: refreshed, {listed} listed, {by_name} by name, '
                             f'not {right}')

    def list_day(self, name):
        with contextlib.suppress(OSError):
            views.day(self.mounted, name)
            self.known_days.add(name)

    def expire(self):
        """As long as it takes for all answers; unless that is for ever."""
        if self.ttl < 10:
            time.sleep(self.ttl + EXPIRY)

    def settle(self):
        time.sleep(SETTLED)

    def wait_for_the_left(self):
        """Those who were left alone are so no more."""
        time.sleep(max(0.0, min(3.0, self.left.until - time.monotonic())))

    def reload(self, ttl, more=''):
        self.times.rules += (ttl, more) != self.configured
        self.configure(ttl, more)
        log = self.mounted.log
        count = log.text().count('config: read again')
        self.mounted.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: log.text().count('config: read again') > count, 'SIGHUP')

    def remount(self, is_sudden):
        self.release_all()
        self.let_go()
        if is_sudden:
            self.mounted.process.kill()
            self.mounted.process.wait()
            self.mounted.kill()
        else:
            self.mounted.close()
        self.left = Left()
        self.times.remounted()
        self.mount()

    # Answers that are held back

    def hold(self, key, is_read_first):
        """Somebody asks, and gets no answer until release(); if he asks at all."""
        if key in self.waiting:
            return
        hold = self.people.hold(key, is_read_first)
        path = str(self.mounted / place(key)) + '.json'
        thread = harness.in_background(lambda: harness.errno_of(os.stat, path))
        harness.wait_until(lambda: hold.came.is_set() or not thread.is_alive(), 'it is asked')
        if hold.came.is_set():
            self.waiting[key] = (hold, thread)
            self.absent.discard(key)
        else:
            self.people.disarm(key)

    def release(self, key):
        if key not in self.waiting:
            return
        hold, thread = self.waiting.pop(key)
        hold.gate.set()
        thread.join(harness.END_SECONDS)
        if thread.is_alive():
            raise Broken(f'{place(key)}: who waited for it waits for ever')

    # Descriptors that are held

    def open(self, key, name):
        if key not in self.known() or not self.may_look(key):
            return
        with contextlib.suppress(OSError):
            self.held.append(HeldFile(self.mounted, key, name))

    def open_directory(self, key, name):
        if key not in self.known() or not self.may_look(key):
            return
        with contextlib.suppress(OSError):
            self.held.append(HeldDirectory(self.mounted, key, name))

    def open_export(self):
        with contextlib.suppress(OSError):
            self.held.append(HeldExport(self.mounted))

    def read_on(self):
        for one in list(self.held):
            if not one.read_on(self.people):
                one.close()
                self.held.remove(one)
