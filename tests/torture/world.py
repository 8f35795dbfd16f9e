# SPDX-License-Identifier: MIT
"""The API of the model test: customers who change, come and go, and swap their telephones."""

import errno
import threading

import api as api_module
import values
from reference import Absent, Failed, Found

PAGE = b'<html><body>Please log in.</body></html>'

# Name: what the daemon is to make of it.
FAULTS = {
    'fault': Failed(errno.EIO, True, counts=True),          # 503
    'closed': Failed(errno.EIO, True, counts=True),         # no reply at all
    'cut': Failed(errno.EPROTO, True),          # a whole object, less than was announced
    'page': Failed(errno.EPROTO, True, counts=True),
    'not found': Failed(errno.EIO, True, counts=True),      # 404 with a page
    'foreign': Failed(errno.EPROTO, True),      # another customer's answer
    'refused': Failed(errno.EACCES, False, shuts_door=True),
}


class World:
    def __init__(self, api, numbers):
        self.api = api
        self.versions = {number: 1 for number in numbers}
        self.gone = set()
        self.phones = {number: values.phone_of(number) for number in numbers}
        self.fault = None
        self.lock = threading.Lock()
        self.log = []       # (key, answer) as it is meant
        api.respond = self.respond

    def take_log(self):
        with self.lock:
            log, self.log = self.log, []
        return log

    def owner(self, key):
        kind, text = key
        if kind == 'phone':
            found = [number for number, phone in self.phones.items() if phone == text]
        else:
            found = [number for number in self.versions
                     if text == (str(number) if kind == 'id' else values.email_of(number))]
        return found[0] if found and found[0] not in self.gone else None

    def answer(self, key):
        if self.fault:
            return FAULTS[self.fault]
        number = self.owner(key)
        return Absent() if number is None else Found(number, self.versions[number])

    def text(self, number, **more):
        return values.customer(number, self.versions[number], self.phones[number], **more)

    def wrong_reply(self, key):
        number = self.owner(key) or min(self.versions)
        if self.fault == 'fault':
            return api_module.Reply(b'{}', 503)
        if self.fault == 'closed':
            return None
        if self.fault == 'cut':
            reply = api_module.found(self.text(number))
            reply.length = len(reply.body) + 100
            return reply
        if self.fault == 'refused':
            return api_module.Reply(api_module.REFUSED)
        if self.fault == 'foreign' and key[0] == 'id':
            other = min(set(self.versions) - {int(key[1])})
            return api_module.found(self.text(other))
        if self.fault == 'foreign':
            # Whose phone number it is, or address, only the API knows: so it is no customer at all.
            return api_module.Reply(b'{"Customer Details": {')
        return api_module.Reply(PAGE, 404 if self.fault == 'not found' else 200)

    def reply(self, answer):
        """Truthful; a planted defect is another one."""
        return api_module.found(self.text(answer.number))

    def respond(self, request):
        key = request.key
        with self.lock:
            answer = self.answer(key)
            self.log.append((key, answer))
            if isinstance(answer, Failed):
                return self.wrong_reply(key)
            return api_module.Reply(api_module.ABSENT) if isinstance(answer, Absent) \
                else self.reply(answer)
