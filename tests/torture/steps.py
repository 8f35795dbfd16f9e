# SPDX-License-Identifier: MIT
"""Steps that are made of others, as they would seldom follow one another by chance."""

import contextlib
import os
import time

import harness
import views
from coherent import EXPIRY
from held import opened
from judged import Judged
from people import BIG, FILLERS, KEYS, SETTLED, place
from values import Broken

LINGER = 4.5    # seconds for which a file is read


class Steps(Judged):
    def come_by_another_key(self, number, what, place_in_list):
        self.people.change(number, what)
        self.look_first(number, place_in_list)

    def change_and_refresh(self, number, what, key):
        self.people.change(number, what)
        return self.refresh(key)

    def move_and_refresh(self, key, number):
        self.people.move(key, number)
        return self.refresh(key)

    def change_and_refresh_day(self, name, number):
        self.people.change_day(name, number)
        self.refresh_day(name)

    def ask_at_first_look(self, key, late=0.0):
        """Of a customer of whom nothing is fresh, whatever file it is that somebody reads."""
        if self.leading(key) in self.asked_about() or not self.left.is_over() or \
                key[1] not in views.listings(self.mounted)[key[0]]:
            return
        asked, begin = len(self.api.requests), time.monotonic()
        with contextlib.suppress(OSError):
            while len(self.api.requests) == asked:
                began = time.monotonic()
                views.read(self.mounted / place(key) / 'name')
                if len(self.api.requests) == asked and began >= begin + late:
                    raise Broken(f'{place(key)}/name is read, and nobody asked')

    def change_and_fail(self, number, what, key, other, is_looked_at):
        """To refresh; when nobody is left alone any more, the first look asks."""
        self.people.change(number, what)
        if self.fail_to_refresh(key):
            if is_looked_at:
                views.look(self.mounted, key, False, True)
            self.wait_for_the_left()
            self.ask_at_first_look(other if self.led_together(key, other) else key)

    def led_together(self, key, other):
        """Whether both are known, and lead to one customer."""
        known = self.known()
        return key in known and other in known and self.leading(key) == self.leading(other)

    def change_and_expire(self, number, what, key):
        """The first to look is told of a fault, and then all is right."""
        self.people.change(number, what)
        self.expire()
        if self.look_in_vain(key):
            self.wait_for_the_left()
            self.ask_at_first_look(key)

    def change_and_reload(self, number, what, key):
        """With a time to live that all answers have outlived."""
        self.people.change(number, what)
        time.sleep(1 + EXPIRY)
        self.reload(1)
        # The log says so a moment before it is so.
        self.ask_at_first_look(key, SETTLED)

    def forget_while_asked(self, number, place_in_list, key):
        """... by another key, which is not known to lead there."""
        known = self.known()
        keys = [key for key in KEYS if self.people.owner(key) == number and key not in known]
        if keys:
            self.hold(keys[place_in_list % len(keys)], True)
            self.forget(key)
            self.release_all()

    def replace_while_read(self, number, key):
        """For longer than anybody could wait who has no open file to count."""
        self.open(key, b'essay' if number == BIG else b'name')
        self.read_on()
        self.people.change(number, 'change_big')
        self.refresh(key)
        time.sleep(LINGER)
        self.read_on()

    def forget_while_day_is_asked(self, number, name):
        """Its list has him; the question is asked again, or he is not on it."""
        hold, thread = self.hold_day(name)
        self.forget(('id', str(number)))
        begin = time.monotonic()
        hold.gate.set()
        thread.join(harness.END_SECONDS)
        listed, _ = views.day(self.mounted, name)
        asked = [request for request in self.api.requests
                 if request.key == ('date', name) and request.time >= begin]
        self.known_days.add(name)
        if str(number) in listed and not asked:
            raise Broken(f'by-date/{name} lists {number}, who was forgotten since it was asked for')

    def hold_day(self, name):
        hold = self.people.hold(('date', name), True)
        thread = harness.in_background(
            lambda: harness.errno_of(views.day, self.mounted, name))
        harness.wait_until(lambda: hold.came.is_set() or not thread.is_alive(), 'it is asked')
        self.people.disarm(('date', name))
        return hold, thread

    def absent_while_read(self, number, key, other):
        """A value that was replaced is read on though a key has gone by which nobody reads."""
        self.open(key, b'essay' if number == BIG else b'name')
        self.read_on()
        self.change_and_refresh(number, 'change_big', key)
        self.people.move(other, None)
        self.refresh(other)
        self.read_on()
        return frozenset({number})

    def read_export_and_forget(self, number, place_in_list):
        """With as many states of it held as there may be."""
        for _ in range(4):
            self.people.change(number, 'change_name')
            self.refresh(('id', str(number)))
            self.open_export()
        self.read_on()
        self.forget(KEYS[place_in_list])
        self.read_on()

    def reload_without_staleness(self, key):
        """What is served though it has expired is served no more."""
        self.expire()
        if not self.look_in_vain(key):
            return
        self.reload(self.ttl, 'max_stale = 0')
        self.people.is_broken = True
        failed = harness.errno_of(views.read, self.mounted / place(key) / 'name')
        self.people.is_broken = False
        self.reload(self.ttl)
        if not failed:
            raise Broken(f'{place(key)}/name is served stale against max_stale')

    def evict_under_a_reader(self, count):
        """Somebody stands in a directory, and so many others are looked up that it has no room."""
        first = self.mounted / 'by-id' / str(FILLERS)
        with opened(first) as descriptor:
            names = sorted(os.listdir(descriptor))
            for number in range(FILLERS, FILLERS + count):
                os.stat(self.mounted / 'by-id' / str(number) / 'id')
            if str(FILLERS) in os.listdir(self.mounted / 'by-id'):
                raise Broken('nobody was evicted, so nothing was seen')
            try:
                seen = views.read('id', dir_fd=descriptor), sorted(os.listdir(descriptor))
            except OSError as error:
                raise Broken(f'{first} was evicted under a reader: {error}') from error
        if seen != (b'%d\n' % FILLERS, names):
            raise Broken(f'{first} was evicted, and who stands in it sees {seen}')
