# SPDX-License-Identifier: MIT
"""Runs one fault: two mounts and a sandbox, all cells at once, then the time after the fault."""

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import tempfile
import threading
import time

import harness
from cells import OPERATIONS, STATES, Customer, look, warm
from proxy import Proxy

PATIENCE = 1
TTL = 1
# Of promise 1; a sanitizer's build is not held to the time of a real one.
SLACK = float(os.environ.get('FAULT_SLACK', '1'))
RUNS_MAX = 3        # of a fault, when the machine was too busy to judge by time
TICK = 0.05
BUSY = 0.5          # seconds by which a tick came too late
PROBE = 5           # the breaker's, at most
WATCHDOG = 60       # for all cells at once; a heavy fault's come one after the other
AT_ONCE = 3         # faults; each has up to 16 calls waiting
POLL = 0.1

OPTIONS = {'patience': str(PATIENCE), 'connect_timeout': '1', 'retries': '1', 'negative_ttl': '0'}


@dataclasses.dataclass
class Cell:
    word: str
    seconds: float
    limit: float
    expected: set
    after: str = ''     # the word when the fault was gone

    @property
    def is_good(self):
        return self.word in self.expected and self.seconds <= self.limit


@dataclasses.dataclass
class Result:
    cells: dict         # (operation, state): Cell
    rules: list         # the sandbox's counts of each rule, while the fault was there
    recovery: float     # seconds until every cell was well again; negative: not within the limit

    @property
    def is_good(self):
        return self.recovery >= 0 and all(cell.is_good for cell in self.cells.values())


def limit_of(fault, state, operation):
    words = fault.expected(state, operation)
    if state == 'fresh':
        return SLACK
    if state == 'expired' and words == {'old'}:
        # By its phone number, a customer is found by two keys, one after the other.
        return PATIENCE * (2 if operation == 'second key' else 1) + SLACK
    return fault.timeout + SLACK


class Metronome(threading.Thread):
    """Tells by how much the machine was too busy to do as little as wake up in time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.slowest = 0.0
        self.is_over = threading.Event()

    def run(self):
        while True:
            before = time.monotonic()
            if self.is_over.wait(TICK):
                return
            self.slowest = max(self.slowest, time.monotonic() - before - TICK)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.join()


class Server:
    """The sandbox of one fault, also when it speaks TLS or is stopped for a while."""

    def __init__(self, fault, directory, seed):
        self.fault = fault
        self.seed = seed
        self.authority = str(directory / 'ca.pem') if fault.source in ('tls', 'proxy') else None
        self.proxy = Proxy() if fault.source == 'proxy' else None
        self.start(0)

    def start(self, port):
        arguments = ['--ca', self.authority] if self.authority else []
        self.sandbox = harness.Sandbox(customers=64, seed=self.seed, port=port,
                                       arguments=arguments)
        self.url = self.sandbox.url
        self.port = int(self.url.rsplit(':', 1)[1])
        # One connection for all: it is from before the fault, and spared by it.
        self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        if self.authority:
            context = ssl.create_default_context(cafile=self.authority)
            self.connection = http.client.HTTPSConnection('127.0.0.1', self.port, timeout=20,
                                                          context=context)
        self.connection.connect()
        self.connection.auto_open = 0

    def request(self, path, values):
        """The body of the reply; a POST when there are values."""
        body = None if values is None else json.dumps(values)
        self.connection.request('POST' if body else 'GET', path, body, {
            'Content-Type': 'application/json', 'Authorization': f'Basic {harness.TOKEN}'})
        reply = self.connection.getresponse()
        text = reply.read()
        assert reply.status == 200, text
        return text

    def call(self, path, values=None):
        return json.loads(self.request(path, values))

    def ask(self, **members):
        return self.request('/search-customer-by-customer-id.html', [members])

    def begin(self):
        if self.fault.source == 'stopped':
            self.close()
            assert harness.errno_of(socket.create_connection, ('127.0.0.1', self.port)) != 0
        elif self.proxy:
            self.proxy.requests.clear()
            self.proxy.refuse(*self.fault.plan)
        else:
            self.call('/sandbox/behaviour', self.fault.plan)

    def rules(self):
        if self.fault.source == 'stopped':
            return []
        if self.proxy:
            return [{'fired': len(self.proxy.requests)}]
        return self.call('/sandbox/statistics')['rules']

    def end(self, customers):
        """The fault is gone. What has been changed stays changed."""
        if self.proxy:
            self.proxy.status = 200
            return
        if self.fault.source != 'stopped':
            self.call('/sandbox/behaviour', {})
            return
        self.start(self.port)
        for customer in customers:
            customer.change()

    def close(self):
        """The sandbox; what is in front of it stays until leave()."""
        self.connection.close()
        self.sandbox.close()

    def leave(self):
        self.close()
        if self.proxy:
            self.proxy.close()


class Run:
    """A fault, from the mounts to the recovery."""

    def __init__(self, fault, seed, directory):
        self.fault = fault
        self.seed = seed
        self.directory = directory
        self.mounts = {}
        self.customers = {}     # (operation, state): Customer
        self.hung = False

    def mount(self, stack, name, **options):
        directory = self.directory / name
        directory.mkdir()
        if self.server.authority:
            options['cafile'] = self.server.authority
        if self.server.proxy:
            options['proxy'] = self.server.proxy.url
        made = harness.Mount(self.server.url, directory, timeout=str(self.fault.timeout),
                             **OPTIONS, **options)
        stack.callback(made.close)
        return made

    def prepare(self, stack):
        self.server = Server(self.fault, self.directory, self.seed)
        stack.callback(self.server.leave)
        lasting = self.mount(stack, 'lasting')
        brief = self.mount(stack, 'brief', ttl=str(TTL))
        self.mounts = {'cold': lasting, 'fresh': lasting, 'expired': brief}
        self.choose_customers()
        for (operation, state), customer in self.customers.items():
            if state != 'cold':
                warm(self.mounts[state], operation, customer)
        expired = time.monotonic() + TTL
        for customer in self.customers.values():
            customer.change()
        # Nobody announces that an answer has expired.
        time.sleep(max(0, expired - time.monotonic()) + 0.01)

    def choose_customers(self):
        cells = [(operation, state) for operation in OPERATIONS for state in STATES]
        for keys in self.server.call('/sandbox/customers?from=0&count=64'):
            if not cells:
                break
            customer = Customer(self.server, keys)
            if keys['phone'] and customer.is_fit(json.loads(customer.versions['old'])):
                self.customers[cells.pop()] = customer
        assert not cells, 'too few customers that fit'

    def look(self, cell):
        operation, state = cell
        return look(self.mounts[state], operation, self.customers[cell])

    def bark(self):
        self.hung = True
        for mount in self.mounts.values():
            mount.abort()

    def cells(self, pool):
        futures = {cell: pool.submit(self.look, cell) for cell in self.customers}
        return {(operation, state): Cell(*future.result(), limit_of(self.fault, state, operation),
                                         self.fault.expected(state, operation))
                for (operation, state), future in futures.items()}

    def recover(self, pool, cells):
        """Look until every cell is well; how long that took, in seconds."""
        if 'EACCES' in self.fault.expected('cold', 'stat'):
            # A token that was refused is tried again after half a minute, or when told to.
            for mount in set(self.mounts.values()):
                mount.process.send_signal(signal.SIGHUP)
        before = time.monotonic()
        ill = list(cells)
        while ill and time.monotonic() < before + PROBE + self.fault.timeout + SLACK:
            words = pool.map(self.look, ill)
            for cell, (word, _) in zip(list(ill), list(words)):
                cells[cell].after = word
                if word in self.fault.healed(cell[1], cell[0]):
                    ill.remove(cell)
            if ill:
                time.sleep(POLL)
        return -1.0 if ill else time.monotonic() - before

    def run(self):
        patience = (self.fault.timeout + SLACK) * len(OPERATIONS) * 3 if self.fault.is_heavy else 0
        watchdog = threading.Timer(WATCHDOG + patience, self.bark)
        watchdog.daemon = True
        watchdog.start()
        with contextlib.ExitStack() as stack:
            stack.callback(watchdog.cancel)
            at_once = 1 if self.fault.is_heavy else len(OPERATIONS) * 3
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(at_once))
            self.prepare(stack)
            self.server.begin()
            cells = self.cells(pool)
            rules = self.server.rules()
            self.server.end(self.customers.values())
            recovery = self.recover(pool, cells) if self.fault.recovers else 0.0
        assert not self.hung, 'a call hung, and the mounts were aborted'
        return Result(cells, rules, recovery)


def run_once(fault, seed):
    with tempfile.TemporaryDirectory(prefix='kapturefs-fault-') as directory:
        return Run(fault, seed, pathlib.Path(directory)).run()


def run_fault(fault, seed):
    """Again if something is wrong and the machine was so busy that it may be the machine."""
    for _ in range(RUNS_MAX):
        with Metronome() as metronome:
            result = run_once(fault, seed)
        if result.is_good or metronome.slowest < BUSY:
            break
    return result


class Matrix:
    """All selected faults under all seeds, a few at a time, in the background."""

    def __init__(self, keys):
        self.keys = keys
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.futures = {key: self.pool.submit(run_fault, *key) for key in keys}

    def result(self, key):
        return self.futures[key].result()

    def close(self):
        self.pool.shutdown(cancel_futures=True)

    def finished(self):
        """{key: Result} of those that came to an end."""
        return {key: future.result() for key, future in self.futures.items()
                if future.done() and not future.cancelled() and not future.exception()}


SHORT = {'EHOSTUNREACH': 'EHOST', 'ETIMEDOUT': 'ETIME'}


def word_of(cell):
    word = SHORT.get(cell.word, cell.word)
    if cell.is_good:
        return word
    return f'{word} late' if cell.word in cell.expected else f'{word}!'


def table(results):
    """Lines of text: a block for each cache state, faults as rows, operations as columns."""
    lines = []
    for state in STATES:
        lines += ['', f'{state:<40}' + ''.join(f'{name:<12}' for name in OPERATIONS)
                  + 'slowest  well again']
        for (fault, seed), result in results.items():
            cells = [result.cells[name, state] for name in OPERATIONS]
            again = 'asked to wait' if not fault.recovers else \
                f'{result.recovery:5.1f} s' if result.recovery >= 0 else 'NEVER'
            lines.append(f'{fault.case:<4} {fault.name:<31} {seed:<3}'
                         + ''.join(f'{word_of(cell):<12}' for cell in cells)
                         + f'{max(cell.seconds for cell in cells):5.2f} s  {again}')
    cells = [cell for result in results.values() for cell in result.cells.values()]
    lines += ['', f'{len(cells)} cells of {len(results)} faults, '
                  f'{sum(not cell.is_good for cell in cells)} wrong']
    return lines
