# SPDX-License-Identifier: MIT
"""The faults of the matrix as data: what is done to the daemon, and what each cache state shows.

`plan` is a fault plan of the sandbox, see kapturefs-sandbox(1); the words are of the contract:

    new     the customer as the API has it now, byte for byte
    old     as it was when it was fetched: stale, but better than nothing
    EIO ... that errno

A set of words means that each of them keeps the contract. A customer whose answer is fresh always
shows the old bytes, at once: so there is no word for that state.
"""

import dataclasses

LOCATION = 'http://127.0.0.1:9/elsewhere'
FAILED = '{"message": "Something else","status": "failed"}'
BUSY = '{"Customer Details": "Server is busy","status": "failed"}'
FAULT = '{"Customer Details": "Internal Server Error","status": "failed"}'


@dataclasses.dataclass(frozen=True, eq=False)
class Fault:
    case: str               # of the catalogue of failures
    name: str
    plan: tuple = ()
    cold: object = 'new'    # a word or a set of words
    expired: object = 'old'
    second: object = None   # by the second key, where that is different; cold and expired
    source: str = 'http'    # or 'tls'; 'stopped': the sandbox is not there; 'proxy': one refuses
    recovers: bool = True   # within a probe of the breaker; else the server has asked for a pause
    is_heavy: bool = False  # one cell after another and in more time, not to measure the processor
    is_heard: bool = True   # by the client of one request; else only the next one on its connection
    quick: bool = False     # in the selection that every test run has

    @property
    def timeout(self):
        """Seconds that the mounts get; short, since most of the time is spent waiting for them."""
        return 8 if self.is_heavy else 2

    @staticmethod
    def asks_nobody(state, operation):
        """What is fresh is not asked for, and .meta tells what is known, whatever it is."""
        return state == 'fresh' or (state, operation) == ('expired', '.meta')

    def healed(self, state, operation):
        """The words that a cell may show when the fault is over."""
        words = {'old'} if self.asks_nobody(state, operation) else {'new'}
        # What was not recognised is fresh for as long as anything.
        return words | {self.second} if self.second and operation == 'second key' else words

    def expected(self, state, operation):
        """The words that a cell may show."""
        if self.asks_nobody(state, operation):
            words = 'old'
        elif self.second and operation == 'second key':
            words = self.second
        else:
            words = self.cold if state == 'cold' else self.expired
        words = {words} if isinstance(words, str) else set(words)
        if 'ENOENT' in words and (state, operation) == ('expired', 'readdir'):
            # A listing that finds its customer gone: the C libraries take ENOENT for its end.
            words = words - {'ENOENT'} | {'ESTALE'}
        return words


def rule(**members):
    return (members,)


def broken(case, name, cold='EIO', quick=False, **members):
    """The reply does not come, or not whole: the API cannot be reached."""
    return Fault(case, name, rule(**members), cold, 'old', quick=quick)


def wrong(case, name, errno='EPROTO', quick=False, **members):
    """A whole reply, and not the documented one: it says nothing of the customer."""
    return Fault(case, name, rule(**members), errno, 'old', quick=quick)


def definite(case, name, errno, quick=False, **members):
    """A whole reply that says why there is no customer: an old answer does not stand in."""
    return Fault(case, name, rule(**members), errno, errno, quick=quick)


def large(case, name, errno, quick=False, **members):
    """One that is wrong, and takes its time to be read."""
    return Fault(case, name, rule(**members), errno, 'old', is_heavy=True, quick=quick)


def harmless(case, name, quick=False, **members):
    return Fault(case, name, rule(**members), 'new', 'new', quick=quick)


def untrusted(case, name, fate, quick=False):
    return Fault(case, name, rule(connection=fate), 'EPROTO', 'old', source='tls', quick=quick)


def refused(case, name, status, quick=False):
    """The proxy answers so to CONNECT, or hangs up."""
    return Fault(case, name, (status,), 'EHOSTUNREACH', 'old', source='proxy', quick=quick)


FAULTS = [
    # The network
    Fault('N1', 'nobody listens', (), 'EHOSTUNREACH', 'old', source='stopped', quick=True),
    broken('N7', 'reset when connecting', {'EHOSTUNREACH', 'EIO'}, connection='reset'),
    broken('N7', 'reset after the request', quick=True, reset_at=0),
    broken('N7', 'reset in the head', reset_at='headers'),
    broken('N7', 'reset in the body', quick=True, reset_at='body'),
    broken('N7', 'closed when connecting', connection='close'),
    broken('N8', 'closed unanswered', cut_at=0),
    harmless('N8', 'closed unanswered once', quick=True, cut_at=0, count=1),
    broken('N9', 'no answer', 'ETIMEDOUT', quick=True, hang=True),
    broken('N9', 'stall in the head', 'ETIMEDOUT', stall_at='headers'),
    broken('N9', 'stall in the body', 'ETIMEDOUT', stall_at='body'),
    broken('N9', 'stall before the last byte', 'ETIMEDOUT', stall_at='end'),
    broken('N10', 'byte by byte, slowly', 'ETIMEDOUT', drip_ms=20),
    harmless('N11', 'pieces of seven bytes', quick=True, drip_bytes=7),
    broken('N12', 'cut in the body', 'EPROTO', quick=True, cut_at='body'),
    broken('N12', 'cut before the last byte', 'EPROTO', cut_at='end'),
    broken('N12', 'half-closed in the body', 'EPROTO', half_close_at='body'),
    Fault('N12', 'cut without a length', rule(framing='close', cut_at='body'), 'EPROTO',
          'old'),
    Fault('N12', 'cut in the head', rule(cut_at='headers'), 'EPROTO', 'old'),
    broken('T6', 'silence when connecting', 'ETIMEDOUT', connection='silence'),
    harmless('A19', 'half a second late', delay_ms=500),
    Fault('A19', 'later than patience', rule(delay_ms=1500), 'new', 'old', quick=True),
    broken('A19', 'later than the timeout', 'ETIMEDOUT', delay_ms=5000),
    # A proxy
    refused('N18', 'the proxy wants a password', 407, quick=True),
    refused('N18', 'the proxy does not allow it', 403),
    refused('N18', 'the proxy cannot reach the server', 502),
    refused('N18', 'the proxy hangs up', None),
    # HTTP
    definite('H1', 'status 401', 'EACCES', status=401),
    # Of one key it says nothing; of three in a row, that the token is no good.
    Fault('H1', 'status 403 with a page', rule(status=403, answer='html'), 'EACCES',
          {'old', 'EACCES'}, quick=True),
    wrong('H2', 'status 404 with a page', 'EIO', quick=True, status=404, answer='html'),
    wrong('H2', 'status 400', 'EINVAL', status=400),
    wrong('H2', 'status 418', 'EIO', status=418),
    # The pause that is asked for may take the rest of the time.
    broken('H3', 'status 429, retry after 1 s', {'EBUSY', 'ETIMEDOUT'}, quick=True, status=429,
           headers={'Retry-After': '1'}),
    broken('H4', 'status 429, retry in the past', 'EBUSY', status=429,
           headers={'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT'}),
    broken('H4', 'status 429, retry nonsense', 'EBUSY', status=429,
           headers={'Retry-After': '-1e999 soon'}),
    Fault('H4', 'status 503, retry in an hour', rule(status=503, headers={'Retry-After': '3600'}),
          'EIO', 'old', recovers=False),
    harmless('H6', 'status 503 once', quick=True, status=503, count=1),
    broken('H7', 'status 500', status=500),
    broken('H7', 'status 502 with a page', status=502, answer='html'),
    broken('H7', 'status 503', quick=True, status=503),
    broken('H7', 'status 504', status=504),
    Fault('H7', 'status 503 now and then', rule(status=503, probability=0.3), {'new', 'EIO'},
          {'new', 'old'}),
    wrong('H8', 'a page', quick=True, answer='html'),
    wrong('H9', 'nothing', answer='empty'),
    wrong('H9', 'status 204', status=204),
    wrong('H10', 'redirect elsewhere', quick=True, status=302, headers={'Location': LOCATION}),
    wrong('H10', 'redirect to itself', status=307,
          headers={'Location': '/search-customer-by-customer-id.html'}),
    large('H11', 'five megabytes of headers', 'EPROTO', padding=5000),
    Fault('H11', 'ten thousand interim answers', rule(interim=10000), 'EPROTO',
          'old'),
    large('H12', 'nine megabytes', 'EFBIG', answer='huge', size=9 << 20),
    large('H12', 'chunks without end', 'EFBIG', framing='endless'),
    large('H12', 'a gzip bomb', 'EFBIG', quick=True, answer='gzip-bomb', size=9 << 20),
    broken('H13', 'longer than it is', 'EPROTO', length_by=100),
    wrong('H13', 'shorter than it is', length_by=-20),
    Fault('H13', 'two lengths', rule(headers={'Content-Length': '40'}), {'new', 'EIO', 'EPROTO'},
          {'new', 'old'}),
    broken('H13', 'a chunk of no size', {'EIO', 'EPROTO'}, framing='wrong-chunk'),
    harmless('H13', 'in chunks', framing='chunked', drip_bytes=100),
    wrong('H14', 'not UTF-8', quick=True, answer='not-utf8'),
    # Nobody can tell whose phone number it is but the API.
    Fault('H15', 'another customer', rule(answer='swapped'), 'EPROTO', 'old', second='other',
          quick=True),
    # Connections that are kept
    harmless('H18', 'a reply that nobody asked for', quick=True, then='reply'),
    harmless('H18', 'half a reply that nobody asked for', then='half-reply'),
    harmless('H18', 'status 408 that nobody asked for', then='timeout'),
    Fault('H18', 'a reply that nobody asked for, by TLS', rule(then='reply'), 'new', 'new',
          source='tls', quick=True),
    Fault('H18', 'half a reply that nobody asked for, by TLS', rule(then='half-reply'), 'new',
          'new', source='tls'),
    Fault('N14', 'connections that go silent', rule(then='deaf'), 'new', {'new', 'old'},
          is_heard=False, quick=True),
    # TLS
    untrusted('T1', 'a self-signed certificate', 'self-signed', quick=True),
    untrusted('T2', 'a certificate for another host', 'other-host'),
    untrusted('T3', 'an expired certificate', 'expired'),
    untrusted('T3', 'a certificate not yet valid', 'not-yet-valid'),
    untrusted('T4', 'TLS 1.1', 'tls1.1'),
    Fault('N7', 'reset in the body, below TLS', rule(reset_at='body'), 'EIO', 'old', source='tls'),
    # The API, and JSON
    definite('A1', 'the token is refused', 'EACCES', quick=True, answer='refused'),
    definite('A2', 'no such customer', 'ENOENT', quick=True, answer='absent'),
    wrong('A3', 'another failure', 'EIO', body=FAILED),
    wrong('A3', 'a failure in words', 'EIO', quick=True, body=BUSY),
    broken('A3', 'a fault in words', 'EIO', quick=True, status=500, body=FAULT),
    broken('A3', 'too many in words', 'EBUSY', quick=True, status=429, body=BUSY),
    broken('A3', 'an absence with status 503', 'EIO', status=503, answer='absent'),
    wrong('H8', 'a sentence', body='Try again later'),
    wrong('A5', 'an array for the customer', answer='wrong-types'),
    wrong('J1', 'half of the JSON', answer='cut-json'),
    wrong('J2', 'two documents', answer='twice'),
    wrong('J3', 'nested a thousand deep', quick=True, answer='deep'),
    large('J3', 'nested a million deep', 'EPROTO', answer='deep', size=1000000),
    large('J4', 'two million values', 'EFBIG', answer='many'),
]

assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def selection(everything):
    return FAULTS if everything else [fault for fault in FAULTS if fault.quick]
