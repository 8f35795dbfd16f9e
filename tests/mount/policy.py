# SPDX-License-Identifier: MIT
"""What the tests of the policy towards the API have in common."""

import os
import threading

import harness


def stat_all(mount, numbers):
    """Look all of them up at once; {number: errno}."""
    results = {}

    def look(number):
        results[number] = harness.errno_of(os.stat, mount / 'by-id' / str(number))
    threads = [threading.Thread(target=look, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(harness.END_SECONDS)
        assert not thread.is_alive()
    return results


def expired(mounts, api, numbers, **options):
    """A mount that knows these customers, by answers that have expired, and has no connection."""
    first = mounts(api.url)
    for number in numbers:
        os.stat(first / 'by-id' / str(number))
    first.close()
    api.requests.clear()
    return mounts(api.url, ttl='0', **options)
