# SPDX-License-Identifier: MIT
"""Customers whose every value tells whose it is, of which version, and whether it is whole."""

import json
import re
import threading
import time
import zlib

import api as api_module

VALUE = re.compile(rb'(\w+) of (\d+) v(\d+) (x*) ([0-9a-f]{8})\n?')


class Broken(AssertionError):
    """Something was shown that nobody may ever see."""


class Foreign(Broken):
    """It is whole, and of another customer."""


def make(name, number, version):
    """A value whose length tells the version, and whose it is; up to a page and a half."""
    text = f'{name} of {number} v{version} {"x" * ((version * 997 + number * 17) % 6000)} '
    return text + f'{zlib.crc32(text.encode()):08x}'


def version_of(text, name, number):
    """Of a value that is whole and in its place; anything else is Broken."""
    match = VALUE.fullmatch(text)
    if not match:
        raise Broken(f'{name} of {number}: not a value: {text[:60]!r} ... {text[-20:]!r}')
    if f'{zlib.crc32(text.rstrip()[:-8]):08x}' != match[5].decode():
        raise Broken(f'{name} of {number}: cut or mixed: {text[:60]!r}')
    if (match[1].decode(), int(match[2])) != (name, number):
        raise Foreign(f'{name} of {number}: foreign: {text[:60]!r}')
    return int(match[3])


def version_of_json(text, number):
    """The same for a whole object, whose values must be of one version."""
    details = json.loads(text)
    contact, = details['contacts']
    versions = {version_of(details['name'].encode(), 'name', number),
                version_of(contact['person'].encode(), 'person', number)}
    if details['id'] != number or len(versions) != 1:
        raise Broken(f'{number}: id {details["id"]}, versions {versions}')
    return versions.pop()


def phone_of(number):
    return f'98{number:08}'


def email_of(number):
    return f'c{number}@example.com'


def customer(number, version, phone=None, person_version=None):
    """As the API sends it; of one version, unless a defect is planted."""
    contact = {'id': number + 500000, 'person': make('person', number, person_version or version),
               'phone': phone or phone_of(number), 'email': email_of(number),
               'isPrimaryContact': True}
    return json.dumps({'id': number, 'cmId': 1000298, 'name': make('name', number, version),
                       'since': f'{number}', 'contacts': [contact]}).encode()


# Seconds by which a thread of the API may be late with what it was asked.
LATE = 0.1


class Versions:
    """Makes an API answer each question for a customer with a new version of it."""

    def __init__(self, api):
        self.lock = threading.Lock()
        self.last = {}      # number: the version that was sent last
        self.times = {}     # (number, version): when
        api.respond = self.respond

    def least(self, number, seen):
        """The oldest version that may have been answered after the one that was seen.

        Questions by different keys that are under way together are in no order that a client
        could know: whichever the API takes up first, it may have been asked for last.
        """
        version = seen
        while version > 1 and self.times[number, seen] - self.times[number, version - 1] < LATE:
            version -= 1
        return version

    @staticmethod
    def number_of(key):
        kind, text = key
        if kind == 'phone':
            return int(text[2:])
        return int(text) if kind == 'id' else int(text[1:].split('@')[0])

    def respond(self, request):
        number = self.number_of(request.key)
        with self.lock:
            self.last[number] = self.last.get(number, 0) + 1
            self.times[number, self.last[number]] = time.monotonic()
            return api_module.found(customer(number, self.last[number]))
