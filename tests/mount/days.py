# SPDX-License-Identifier: MIT
"""What the tests of by-date have in common."""

import datetime
import os

import api as api_module

DAY = '2026-01-05'
KNOWN = {'account_id': str(api_module.ACCOUNT)}


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def ids(mount, day=DAY):
    return sorted(os.listdir(mount / 'by-date' / day), key=int)


def asked_pages(api):
    return [request.page for request in api.requests if request.path == api_module.PAGE_PATH]
