# SPDX-License-Identifier: MIT
"""Answers that overlap: which of them count, whatever the order in which they come."""

import dataclasses
import os
import threading
import time

import pytest

import harness
from api import Reply, customer


def name_of(mount, path):
    return (mount / path / 'name').read_text().strip()


def test_an_answer_read_before_another_was_stored_brings_no_value_back(mounts, sandbox):
    """The question by phone is asked first, and read last: the other's answer is the older one."""
    row = next(row for row in sandbox.customers() if row['phone'])
    sandbox.change(id=int(row['id']), set={'name': 'Early'})
    sandbox.behave(kind='phone', read_ms=1000)
    sandbox.behave(kind='id', delay_ms=1300)
    mount = mounts(sandbox.url)
    by_phone = harness.start('cat', mount / 'by-phone' / row['phone'] / 'name')
    harness.wait_until(lambda: sandbox.requests() == 1, 'the question by phone is out')
    time.sleep(0.2)
    by_id = harness.start('cat', mount / 'by-id' / row['id'] / 'name')
    harness.wait_until(lambda: sandbox.requests() == 2, 'the question by id is out')
    sandbox.change(id=int(row['id']), set={'name': 'Late'})
    assert harness.finish(by_phone)[1] == b'Late\n'
    assert harness.finish(by_id)[1] == b'Late\n'
    assert name_of(mount, f'by-id/{row["id"]}') == 'Late'
    assert name_of(mount, f'by-phone/{row["phone"]}') == 'Late'
    assert sandbox.requests() == 2


# The same by hand: each question is read, and answered, when the test says so.

KEYS = {'id': ('id', '7'), 'phone': ('phone', '9800000007'), 'email': ('email', 'c7@example.com')}
PLACES = {'id': 'by-id/7', 'phone': 'by-phone/9800000007', 'email': 'by-email/c7@example.com'}


class Overlap:
    """An API whose questions by some kinds of key are read and answered one by one."""

    def __init__(self, api, *kinds):
        self.api = api
        self.held = {KEYS[kind]: (api.gate(), api.gate()) for kind in kinds}
        self.was_read = {KEYS[kind]: threading.Event() for kind in kinds}
        api.respond = self.respond
        self.set('Early')

    def set(self, name):
        """None: there is no such customer any more."""
        if name:
            self.api.add(customer(7).replace(b'Customer 7', name.encode()), *KEYS.values())
        else:
            for key in KEYS.values():
                self.api.customers.pop(key, None)

    def respond(self, request):
        gates = self.held.pop(request.key, None)
        if not gates:
            return self.api.honest(request)
        gates[0].wait()
        reply = self.api.honest(request)
        self.was_read[request.key].set()
        gates[1].wait()
        return reply

    def ask(self, mount, kind, gates):
        """Have the question by this kind go out; it comes back with how to read and answer it."""
        count = len(self.api.requests)
        process = harness.start('cat', mount / PLACES[kind] / 'name')
        self.api.wait_for(count + 1)
        return Asked(process, gates, self.was_read[KEYS[kind]])


@dataclasses.dataclass
class Asked:
    process: object
    gates: tuple
    was_read: threading.Event

    def read(self):
        self.gates[0].set()
        assert self.was_read.wait(harness.END_SECONDS)

    def answer(self):
        self.gates[1].set()

    def result(self):
        self.answer()
        return harness.finish(self.process)


def begin(mounts, api, *kinds, **options):
    overlap = Overlap(api, *kinds)
    gates = {kind: overlap.held[KEYS[kind]] for kind in kinds}
    return overlap, gates, mounts(api.url, **options)


def names(mount):
    return [harness.finish(harness.start('cat', mount / place / 'name'))[1]
            for place in PLACES.values()]


@pytest.mark.parametrize('first, second', [
    ('phone', 'id'), ('id', 'phone'), ('phone', 'email'), ('email', 'id')])
def test_value_that_was_shown_never_goes_back(mounts, api, first, second):
    overlap, gates, mount = begin(mounts, api, first, second)
    late = overlap.ask(mount, first, gates[first])
    early = overlap.ask(mount, second, gates[second])
    early.read()
    overlap.set('Late')
    late.read()
    assert late.result()[:2] == (0, b'Late\n')
    assert early.result()[:2] == (0, b'Late\n')
    assert names(mount) == [b'Late\n'] * 3
    # Each key was asked for once, whether its answer counted or not.
    assert len({request.key for request in api.requests}) == len(api.requests)


def test_absence_that_was_read_before_removes_nobody(mounts, api):
    overlap, gates, mount = begin(mounts, api, 'phone', 'id')
    overlap.set(None)
    late = overlap.ask(mount, 'phone', gates['phone'])
    early = overlap.ask(mount, 'id', gates['id'])
    early.read()
    overlap.set('Late')
    late.read()
    assert late.result()[1] == b'Late\n'
    assert early.result()[1] == b'Late\n'
    assert names(mount) == [b'Late\n'] * 3


def test_customer_that_was_read_before_it_went_does_not_come_back(mounts, api):
    overlap, gates, mount = begin(mounts, api, 'phone', 'id')
    late = overlap.ask(mount, 'id', gates['id'])
    early = overlap.ask(mount, 'phone', gates['phone'])
    early.read()
    overlap.set(None)
    late.read()
    assert late.result()[0] == 1
    # What it was answered with has gone, so it is asked once more.
    assert early.result()[0] == 1
    assert names(mount) == [b''] * 3
    assert os.listdir(mount / 'by-id') == os.listdir(mount / 'by-phone') == []


def test_refresh_takes_no_answer_that_was_read_before_it_came(mounts, api):
    overlap, gates, mount = begin(mounts, api, 'id', ttl='0', patience='20')
    looked = overlap.ask(mount, 'id', gates['id'])
    looked.read()
    overlap.set('Late')
    gate = api.gate()

    def respond(request):
        reply = api.honest(request)
        reply.gate = None if gate.is_set() else gate
        return reply
    api.respond = respond
    refresh = harness.start(harness.BINARY, 'refresh', mount / PLACES['id'])
    api.wait_for(2)
    # The look-up's answer comes first, and is what there is then.
    looked.answer()
    harness.wait_until(lambda: os.listdir(mount / 'by-id') == ['7'], 'it is known')
    gate.set()
    assert harness.finish(refresh)[0] == 0
    api.respond = lambda request: Reply(b'', 503)
    assert (mount / 'by-id/7/name').read_text() == 'Late\n'
    assert harness.finish(looked.process)[0] == 0


def test_what_was_asked_before_a_forget_does_not_bring_back_the_forgotten(mounts, api):
    """The key under way was not known to lead there."""
    overlap, gates, mount = begin(mounts, api, 'phone')
    assert (mount / 'by-id/7/name').read_text() == 'Early\n'
    asked = overlap.ask(mount, 'phone', gates['phone'])
    asked.read()
    gone = api.hold(KEYS['phone'])
    assert harness.command('forget', mount / 'by-id/7').returncode == 0
    asked.answer()
    # The question is asked again, for who still waits; nothing is known until that is answered.
    api.wait_for(3)
    assert os.listdir(mount / 'by-id') == os.listdir(mount / 'by-phone') == []
    gone.set()
    assert asked.result()[1] == b'Early\n'
