# SPDX-License-Identifier: MIT
"""A day is asked for to its end, and only a list says who is in it, or that nobody is."""

import errno
import json
import os

import pytest

import api as api_module
import harness
from days import DAY, KNOWN, asked_pages, ids, today


def test_day_of_250_customers_takes_three_pages(mounts, api):
    api.days[DAY] = list(range(1000, 1250))
    mount = mounts(api.url, **KNOWN)
    assert ids(mount) == [str(number) for number in range(1000, 1250)]
    assert asked_pages(api) == [(DAY, offset, 100) for offset in (0, 100, 200)]


def fields(records):
    """A page that describes its members, in a list of objects with ids."""
    return {'fields': [{'id': 99, 'label': 'Name'}], 'message': records}


@pytest.mark.parametrize('wrap', [
    lambda records: {'message': {'columns': [{'id': 99}], 'customers': records}},
    lambda records: {'message': {'columns': [{'id': 99}], 'list': records}},
    lambda records: {'columns': [{'id': 99}], 'data': records}])
def test_list_that_describes_the_members_is_nobody_of_that_day(mounts, api, wrap):
    api.respond = lambda request: api_module.page(
        range(1000 + request.page[1], 1003), wrap, totalCount=3)
    assert ids(mounts(api.url, **KNOWN)) == ['1000', '1001', '1002']


def serve_pages(api, size, count, last=None, **members):
    """So many customers, from a server with pages of its own size; `last` is its empty page."""
    everybody = list(range(1000, 1000 + count))

    def respond(request):
        offset = request.page[1]
        shown = everybody[offset:offset + size]
        return last if last and not shown else api_module.page(shown, fields, **members)
    api.respond = respond
    return [str(number) for number in everybody]


@pytest.mark.parametrize('size', [50, 100, 120, 7])
def test_pages_are_asked_for_until_one_is_empty(mounts, api, size):
    everybody = serve_pages(api, size, 120)
    mount = mounts(api.url, **KNOWN)
    assert sorted(ids(mount)) == everybody
    offsets = [*range(0, 120, size), 120]
    assert asked_pages(api) == [(DAY, offset, 100) for offset in offsets]


@pytest.mark.parametrize('members', [{'totalCount': 120}, {'total_count': '120'}, {'Total': 120}])
def test_no_page_is_asked_for_once_a_stated_total_is_reached(mounts, api, members):
    everybody = serve_pages(api, 50, 120, **members)
    mount = mounts(api.url, **KNOWN)
    assert ids(mount) == everybody
    assert len(asked_pages(api)) == 3


def test_total_that_is_no_number_or_too_small_cuts_nothing_short(mounts, api):
    for total in (None, 'many', 0):
        everybody = serve_pages(api, 50, 120, totalCount=total)
        mount = mounts(api.url, str(total), **KNOWN)
        assert ids(mount) == everybody


def test_page_that_repeats_a_short_one_is_the_end(mounts, api):
    """A server that does not know `offset`, and has everybody on its first page."""
    api.respond = lambda request: api_module.page(range(1000, 1099))
    mount = mounts(api.url, **KNOWN)
    assert len(ids(mount)) == 99
    assert len(api.requests) == 2


def test_text_in_place_of_the_list_is_nobody_for_the_ttl_only(mounts, api):
    api.respond = lambda request: api_module.Reply(
        b'{"message": "No customers found", "status": "success"}')
    mount = mounts(api.url, ttl='0', **KNOWN)
    assert ids(mount) == []
    asked = len(api.requests)
    assert ids(mount) == []
    assert len(api.requests) > asked
    # A list is believed for a month, as that day is over.
    api.respond = lambda request: api_module.page([])
    assert ids(mount) == []
    asked = len(api.requests)
    assert ids(mount) == []
    assert len(api.requests) == asked


def test_text_at_the_end_of_the_pages_is_believed_for_the_ttl_only(mounts, api):
    everybody = serve_pages(api, 50, 120, api_module.Reply(
        b'{"fields": [{"id": 99}], "message": "Try again later", "status": "success"}'))
    mount = mounts(api.url, ttl='0', **KNOWN)
    assert ids(mount) == everybody
    serve_pages(api, 50, 130)
    assert len(ids(mount)) == 130


@pytest.mark.parametrize('body', [
    {'message': 'No customers found', 'status': 'success'},
    {'message': 'Try again later', 'status': 'failed'},
    {'Customer Details': 'Internal Server Error', 'status': 'failed'},
    {'Customer Details': 'Information given by you does not exist.', 'status': 'failed'}])
@pytest.mark.parametrize('status', [200, 400, 429, 500])
def test_text_never_replaces_a_list_that_had_somebody(mounts, api, body, status):
    now = str(today())
    api.days[now] = [7, 8]
    mount = mounts(api.url, ttl='0', patience='20', **KNOWN)
    assert ids(mount, now) == ['7', '8']
    api.respond = lambda request: api_module.Reply(json.dumps(body).encode(), status)
    assert ids(mount, now) == ['7', '8']
    assert harness.command('refresh', mount / 'by-date' / now).returncode != 0
    assert ids(mount, now) == ['7', '8']


def test_full_last_page_is_followed_by_an_empty_one(mounts, api):
    serve_pages(api, 100, 100)
    mount = mounts(api.url, **KNOWN)
    assert len(ids(mount)) == 100
    assert asked_pages(api) == [(DAY, 0, 100), (DAY, 100, 100)]


def test_customer_shown_twice_is_one_link(mounts, api):
    api.days[DAY] = list(range(1000, 1100)) + [1099, 1100]
    mount = mounts(api.url, **KNOWN)
    assert len(ids(mount)) == 101


def test_pages_that_do_not_go_on_are_an_error(mounts, api):
    api.respond = lambda request: api_module.page(range(1000, 1100))
    mount = mounts(api.url, **KNOWN)
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == errno.EPROTO
    assert len(api.requests) == 2


def test_day_of_which_a_page_fails_is_an_error_and_never_half_a_day(mounts, api):
    api.days[DAY] = list(range(1000, 1250))
    mount = mounts(api.url, **KNOWN)
    api.respond = lambda request: (
        api_module.Reply(b'{}', 500) if request.page[1] == 100 else api.honest(request))
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == errno.EIO
    assert os.listdir(mount / 'by-date') == []
    api.respond = api.honest
    harness.wait_until(lambda: harness.errno_of(os.listdir, mount / 'by-date' / DAY) == 0,
                       'it is asked again')
    assert len(ids(mount)) == 250


def test_failed_page_is_tried_again_by_itself(mounts, api):
    api.days[DAY] = list(range(1000, 1250))
    mount = mounts(api.url, retries='3', **KNOWN)
    failed = []

    def respond(request):
        if request.page[1] == 100 and not failed:
            failed.append(request)
            return api_module.Reply(b'', 503)
        return api.honest(request)
    api.respond = respond
    assert len(ids(mount)) == 250
    assert [offset for _, offset, _ in asked_pages(api)] == [0, 100, 100, 200]


@pytest.mark.parametrize('body', [
    b'{"message": [], "status": "success"}', b'{"message": "No customers", "status": "success"}',
    b'{"message": {"customers": []}, "status": "Success"}',
    b'{"fields": [{"id": 99}], "message": [], "status": "success"}'])
def test_day_on_which_nobody_was_created_is_an_empty_directory_and_kept(mounts, api, body):
    api.respond = lambda request: api_module.Reply(body)
    mount = mounts(api.url, **KNOWN)
    for _ in range(2):
        assert ids(mount) == []
    assert len(api.requests) == 1
    assert os.listdir(mount / 'by-date') == [DAY]


@pytest.mark.parametrize('body, error', [
    (b'{"message": "Date range is too large", "status": "failed"}', errno.EIO),
    (b'{"Customer Details": "Internal Server Error", "status": "failed"}', errno.EIO),
    (b'{"Customer Details": "Information given by you does not exist.", "status": "failed"}',
     errno.EIO),
    (b'{"message": [{"id": 0}], "status": "success"}', errno.EPROTO),
    (b'{"status": "success"}', errno.EPROTO), (b'', errno.EPROTO), (b'[]', errno.EPROTO),
    (b'{"message": [{"name": "x"}], "status": "success"}', errno.EPROTO),
    (b'{"data": {"list": {"all": [{"id": 7}]}}, "status": "success"}', errno.EPROTO),
    (b'{"message": [{"id": 7, "cmId": 5}], "status": "success"}', errno.EPROTO)])
def test_error_is_never_an_empty_day(mounts, api, body, error):
    api.respond = lambda request: api_module.Reply(body)
    mount = mounts(api.url, **KNOWN)
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == error
    assert os.listdir(mount / 'by-date') == []


@pytest.mark.parametrize('status, error', [(400, errno.EINVAL), (404, errno.EIO),
                                           (429, errno.EBUSY), (500, errno.EIO)])
@pytest.mark.parametrize('body', [
    {'message': 'Service unavailable', 'status': 'success'}, {'message': [], 'status': 'success'},
    {'Customer Details': 'Internal Server Error', 'status': 'failed'}])
def test_reply_with_a_code_of_an_error_is_never_an_empty_day(mounts, api, body, status, error):
    api.respond = lambda request: api_module.Reply(json.dumps(body).encode(), status)
    mount = mounts(api.url, **KNOWN)
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == error
    assert os.listdir(mount / 'by-date') == []
