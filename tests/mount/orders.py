# SPDX-License-Identifier: MIT
"""What the tests of `refresh` and `forget` share: customer 7, and how the commands end."""

from api import customer

KEYS = [('id', '7'), ('phone', '9800000007'), ('email', 'c7@example.com')]
PLACES = ['by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com']


def serve(api, name, **members):
    """Let the API know customer 7 by that name."""
    api.add(customer(7, **members).replace(b'Customer 7', name.encode()), *KEYS)


def done(result):
    """The command did what it was told, silently."""
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def refused(result, status, *words):
    assert (result.returncode, result.stdout) == (status, '')
    line, = result.stderr.splitlines()
    for word in words:
        assert word in line, line


def read_all(mount):
    """What is seen of customer 7, under each of its keys."""
    return [((mount / place / 'name').read_text(),
             b'"name": "Asha"' in (mount / f'{place}.json').read_bytes())
            for place in PLACES]
