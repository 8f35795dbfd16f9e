# SPDX-License-Identifier: MIT
"""What the contract allows a mount to show: a model of it in a page, without time.

Answers are either as good as new or expired, by the options: so nobody needs to wait. The model is
told what the API was asked and what it has answered, and judges whether asking was right, and
whether what is shown follows from the answers so far.
"""

import dataclasses
import errno

from values import Broken

FAILED_KEYS = 3     # different ones in a row, and the API may be left alone


@dataclasses.dataclass(frozen=True)
class Found:
    number: int
    version: int


@dataclasses.dataclass(frozen=True)
class Absent:
    pass


@dataclasses.dataclass(frozen=True)
class Failed:
    error: int
    may_pass: bool      # an old answer stands in
    counts: bool = False    # it is the API's failure, and not one reply's
    shuts_door: bool = False


@dataclasses.dataclass
class Options:
    """Of the mount: whether answers keep, rather than for how long."""
    is_fresh: bool = True       # customers that are known; ttl
    is_absence_fresh: bool = True
    serves_stale: bool = True
    offline: bool = False


class Reference:
    def __init__(self):
        self.records = {}   # number: version
        self.keys = {}      # (kind, text): number
        self.forced = set()     # keys that were to be renewed, and could not be
        self.absent = set()
        self.left_alone = {}    # number, or key of nobody who is known: its last failure
        self.options = Options()
        self.failed = set()
        self.door_is_shut = False

    def remount(self, options):
        """Whatever way the last one ended."""
        self.options = options
        self.failed = set()
        self.door_is_shut = False
        self.left_alone = {}

    def subject(self, key):
        """A customer is left alone under all its keys."""
        return self.keys.get(key, key)

    # What the API has answered

    def drop(self, number):
        self.records.pop(number, None)
        for key in [key for key, led in self.keys.items() if led == number]:
            del self.keys[key]
            self.forced.discard(key)

    def lead(self, key, number):
        self.keys[key] = number
        self.forced.discard(key)
        self.absent.discard(key)

    def take(self, key, answer):
        if isinstance(answer, Failed):
            if answer.shuts_door:
                self.failed = set()
            if answer.counts:
                self.failed.add(key)
            self.door_is_shut |= answer.shuts_door
            if not answer.shuts_door:
                self.left_alone[self.subject(key)] = answer
            return
        self.failed = set()
        self.left_alone.pop(self.subject(key), None)
        if isinstance(answer, Found):
            self.records[answer.number] = answer.version
            self.lead(('id', str(answer.number)), answer.number)
            self.lead(key, answer.number)
            return
        if key[0] == 'id' and key in self.keys:
            self.drop(self.keys[key])
        self.keys.pop(key, None)
        self.forced.discard(key)
        self.absent.add(key)

    def forget(self, key):
        self.left_alone.pop(self.subject(key), None)
        if key in self.keys:
            self.drop(self.keys[key])
        self.absent.discard(key)

    def force(self, key):
        """Somebody wanted it renewed and got an error: that customer's answers may be expired."""
        if key in self.keys:
            number = self.keys[key]
            self.forced |= {other for other, led in self.keys.items() if led == number}
        self.absent.discard(key)

    # What may be shown

    def is_fresh(self, key):
        if key in self.keys:
            return self.options.is_fresh and key not in self.forced
        return key in self.absent and self.options.is_absence_fresh

    def known(self, key):
        """A Found or an errno, from what is known alone."""
        if key in self.keys:
            number = self.keys[key]
            return Found(number, self.records[number])
        return errno.ENOENT if key in self.absent else errno.ENETDOWN

    def without_asking(self, key):
        """The outcomes that are right although the API has not been asked."""
        if self.options.offline or self.is_fresh(key):
            return {self.known(key)}
        outcomes = set()
        if key in self.forced:
            outcomes.add(self.known(key))   # the kernel may still have it
        if self.door_is_shut:
            return outcomes | {errno.EACCES}
        if len(self.failed) >= FAILED_KEYS:
            if key in self.keys and self.options.serves_stale:
                return {self.known(key)}
            outcomes |= {errno.EIO, errno.EPROTO}
        # For how long is not the model's matter: asking is as right as leaving it alone.
        if self.subject(key) in self.left_alone:
            outcomes |= self.after_asking(key, self.left_alone[self.subject(key)])
        return outcomes

    def after_asking(self, key, answer):
        if isinstance(answer, Found):
            return {answer}
        if isinstance(answer, Absent):
            return {errno.ENOENT}
        stale = key in self.keys and self.options.serves_stale
        if answer.may_pass and stale and not self.door_is_shut:
            return {self.known(key)}
        return {answer.error}

    def related(self, key):
        """What a look by the key may ask for: it, and the id of who is found by it."""
        return {key, ('id', str(self.keys[key]))} if key in self.keys else {key}

    def outcomes(self, key, asked):
        """What a look-up may show after what was asked for it, [(key, answer)], is taken in."""
        allowed = set()
        related = self.related(key)
        for asked_key, answer in asked:
            if asked_key not in related:
                raise Broken(f'{key}: asked for {asked_key}')
            if self.options.offline or self.is_fresh(asked_key):
                raise Broken(f'{key}: the API was asked needlessly: {asked}')
            self.take(asked_key, answer)
            allowed |= self.after_asking(asked_key, answer)
            related |= self.related(key)
        if key not in [asked_key for asked_key, _ in asked]:
            allowed |= self.without_asking(key)
        if not allowed:
            raise Broken(f'{key}: nothing is known that is good, and the API was not asked')
        return allowed
