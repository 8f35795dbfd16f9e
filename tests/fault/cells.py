# SPDX-License-Identifier: MIT
"""The operations of the matrix, each on a customer of its own: what it shows, as one word.

A customer is prepared in two versions that no operation can confuse: `old` is what the mount may
have fetched, `new` is what the API says by the time of the fault.
"""

import errno
import json
import os
import time

from expected import customer_tree, details_of

STATES = ['cold', 'fresh', 'expired']


class Customer:
    """One customer of the sandbox, with two contacts at least and a phone number."""

    def __init__(self, server, keys):
        self.server = server
        self.id = keys['id']
        self.phone = keys['phone']
        self.versions = {'old': self.ask()}
        self.fetched = None     # the time that .meta told before the fault

    def ask(self):
        return details_of(self.server.ask(kapture_customer_id=self.id))

    def change(self):
        """Other values of another length, another member, and another primary contact."""
        details = json.loads(self.versions['old'])
        contacts = details['contacts']
        primary = [contact['isPrimaryContact'] for contact in contacts].index(True)
        for number, contact in enumerate(contacts):
            contact['contactPerson'] += ' the second'
            contact['isPrimaryContact'] = number == (primary + 1) % len(contacts)
        self.server.call('/sandbox/customer', {
            'id': self.id, 'set': {'city': details['city'] + ' Nova', 'faultless': True,
                                   'contacts': contacts}})
        self.versions['new'] = self.ask()

    @staticmethod
    def is_fit(details):
        flags = [contact['isPrimaryContact'] for contact in details['contacts']]
        return len(flags) > 1 and True in flags

    def trees(self):
        return {version: customer_tree(text) for version, text in self.versions.items()}

    def nested(self):
        """A file of a contact, by a path that both versions have."""
        return f"contacts/{json.loads(self.versions['old'])['contacts'][0]['id']}/contactPerson"


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def files(customer, name):
    return {version: tree[os.fsencode(name)] for version, tree in customer.trees().items()}


def sizes(customer):
    return {version: len(text) for version, text in files(customer, 'city').items()}


def listing(customer):
    return {version: sorted({path.split(b'/')[0] for path in tree})
            for version, tree in customer.trees().items()}


def primary(customer):
    return {version: tree[b'contacts/primary'].removeprefix('link to ')
            for version, tree in customer.trees().items()}


def whole(customer):
    return {version: text + b'\n' for version, text in customer.versions.items()}


def meta(mount, customer):
    """`id`, whether it was fetched before the fault, and `state`, of .meta."""
    text = (mount / f'by-id/{customer.id}.meta').read_text()
    values = dict(line.split('=', 1) for line in text.splitlines())
    return values['id'], values['fetched'] == customer.fetched, values['state']


def metas(customer):
    return {'new': [(customer.id, False, 'fresh')],
            'old': [(customer.id, True, 'fresh'), (customer.id, True, 'stale')]}


# Name: what to do, what the versions are to look like.
OPERATIONS = {
    'stat': (lambda mount, c: os.stat(mount / f'by-id/{c.id}/city').st_size, sizes),
    'read': (lambda mount, c: read(mount / f'by-id/{c.id}/city'), lambda c: files(c, 'city')),
    'readdir': (lambda mount, c: sorted(map(os.fsencode, os.listdir(mount / f'by-id/{c.id}'))),
                listing),
    'readlink': (lambda mount, c: os.readlink(mount / f'by-id/{c.id}/contacts/primary'), primary),
    '.json': (lambda mount, c: read(mount / f'by-id/{c.id}.json'), whole),
    '.meta': (meta, metas),
    'nested file': (lambda mount, c: read(mount / f'by-id/{c.id}/{c.nested()}'),
                    lambda c: files(c, c.nested())),
    'second key': (lambda mount, c: read(mount / f'by-phone/{c.phone}/city'),
                   lambda c: files(c, 'city')),
}


def look(mount, operation, customer):
    """(word, seconds) of one system call or two."""
    act, versions = OPERATIONS[operation]
    known = versions(customer)
    before = time.monotonic()
    try:
        shown = act(mount, customer)
    except OSError as error:
        return errno.errorcode[error.errno], time.monotonic() - before
    seconds = time.monotonic() - before
    for version, expected in known.items():
        if shown == expected or operation == '.meta' and shown in expected:
            return version, seconds
    return 'other', seconds


def warm(mount, operation, customer):
    """Have the mount know the customer by the key that the operation uses."""
    # What was fetched just now is new, as far as .meta tells.
    shown = 'new' if operation == '.meta' else 'old'
    assert look(mount, operation, customer)[0] == shown, operation
    if operation == '.meta':
        text = (mount / f'by-id/{customer.id}.meta').read_text()
        customer.fetched = text.split('fetched=')[1].split('\n')[0]
