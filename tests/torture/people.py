# SPDX-License-Identifier: MIT
"""The API of the coherence test: people of whom everything changes that can, one thing at a time.

It keeps all that was ever true, and what it has answered, so that whatever a mount shows can be
placed in time. No value is ever used twice: a word that is seen tells whose it is, and since when.
"""

import copy
import dataclasses
import json
import random
import threading
import time

import api as api_module
import harness

NUMBERS = [551, 552, 553]
PHONES = [f'98{digit * 8}' for digit in '12345678']
OWNERS = [551, 551, 551, 551, 552, 552, 553, None]      # of the phones
EMAILS = [f'{name}@example.com' for name in 'abc']
KEYS = ([('id', str(number)) for number in NUMBERS] + [('phone', phone) for phone in PHONES]
        + [('email', email) for email in EMAILS])
DAYS = ['2026-01-05', '2026-01-06']
PLACES = {'id': 'by-id', 'phone': 'by-phone', 'email': 'by-email'}
BIG = NUMBERS[0]    # has an essay, which takes several reads
FILLERS = 10000     # numbers from here on are of people who only take room
CONTACTS_MAX = 4
# Seconds until everybody knows of an answer; one is promised, the rest is for a busy machine.
SETTLED = 1.6 if not harness.HAS_SANITIZER else 3.0
# What anybody may ever have below his key, so that it can be looked for before it is there.
NAMES = [b'', b'id', b'cmId', b'name', b'city', b'extra', b'blank', b'essay', b'obj', b'obj/k',
         b'obj/m', b'obj/0', b'obj/1', b'contacts', b'contacts/primary']
NAMES += [b'contacts/%d%s' % (number * 10 + place, below) for number in NUMBERS
          for place in range(CONTACTS_MAX)
          for below in (b'', b'/id', b'/contactPerson', b'/isPrimaryContact')]


# Those in which nobody has others. To look at one that has may heal what goes wrong on the way.
LEAVES = [name for name in NAMES if name and not any(
    other.startswith(name + b'/') for other in NAMES)]


def place(key):
    return f'{PLACES[key[0]]}/{key[1]}'


def filler(number):
    """Somebody whose values cannot be packed."""
    text = random.Random(number).randbytes(10000).hex()
    return json.dumps({'id': number, 'cmId': api_module.ACCOUNT, 'text': text}).encode()


@dataclasses.dataclass
class Delivered:
    """An answer, and when it was asked for and given."""
    key: tuple
    number: int | None
    text: bytes | None
    asked: float
    given: float


@dataclasses.dataclass
class Hold:
    """The next question by a key is held back: before it is read, or what it is answered."""
    is_read_first: bool
    came: threading.Event
    gate: threading.Event


class People:
    def __init__(self, api):
        self.api = api
        self.lock = threading.RLock()
        self.counter = 0
        self.gone = set()
        self.now = {number: self.newborn(number) for number in NUMBERS}
        self.owners = {('phone', phone): number for phone, number in zip(PHONES, OWNERS)}
        self.owners |= {('email', email): number for email, number in zip(EMAILS, NUMBERS)}
        self.days = {day: [NUMBERS[index], NUMBERS[index + 1]] for index, day in enumerate(DAYS)}
        self.texts = {number: [] for number in NUMBERS}     # all that were ever true, in order
        self.leads = {key: [] for key in KEYS}              # likewise
        self.delivered = []
        self.is_broken = False
        self.holds = {}
        self.note()
        api.respond = self.respond

    # What is true

    def word(self):
        """As no other."""
        self.counter += 1
        rest, letters = self.counter, ''
        for _ in range(4):
            rest, digit = divmod(rest, 26)
            letters = chr(ord('a') + digit) + letters
        return f'zq{letters}xj'

    def contact(self, number, place_in_list):
        return {'id': number * 10 + place_in_list, 'contactPerson': self.word(),
                'isPrimaryContact': False}

    def newborn(self, number):
        contacts = [self.contact(number, 0), self.contact(number, 1)]
        contacts[0]['isPrimaryContact'] = True
        return {'id': number, 'cmId': api_module.ACCOUNT, 'name': self.word(),
                'city': self.word(), 'obj': {'k': self.word()}, 'contacts': contacts,
                **({'essay': self.big()} if number == BIG else {})}

    def big(self):
        return f'{self.word()} ' * (10000 + self.counter % 7 * 1000)

    def owner(self, key):
        number = int(key[1]) if key[0] == 'id' else self.owners.get(key)
        return None if number in self.gone else number

    def text(self, number):
        return json.dumps(self.now[number]).encode()

    def note(self):
        """Remember what is true from now on."""
        for number, texts in self.texts.items():
            if not texts or texts[-1] != self.text(number):
                texts.append(self.text(number))
        for key, leads in self.leads.items():
            if not leads or leads[-1] != self.owner(key):
                leads.append(self.owner(key))

    # What changes

    def change_name(self, person, number):
        person['name'] = self.word()

    def change_city(self, person, number):
        person['city'] = self.word()

    def change_big(self, person, number):
        if number == BIG:
            person['essay'] = self.big()
        else:
            person['name'] = f'{self.word()} ' * 900

    def come_or_go(self, person, number):
        """A member."""
        if person.pop('extra', person) is person:
            person['extra'] = self.word()

    def null_or_empty(self, person, number):
        person['blank'] = '' if person.get('blank', '') is None else None

    def kind(self, person, number):
        """Of a member: an object, a text, a list."""
        kinds = [{'k': self.word()}, self.word(), [self.word(), self.word()]]
        now = next(index for index, kind in enumerate(kinds)
                   if isinstance(person['obj'], type(kind)))
        person['obj'] = kinds[(now + 1 + self.counter % 2) % 3]

    def becomes_text(self, person, number):
        person['obj'] = self.word()

    def becomes_object(self, person, number):
        person['obj'] = {'k': self.word()}

    def member_of_object(self, person, number):
        if isinstance(person['obj'], dict):
            if person['obj'].pop('m', person) is person:
                person['obj']['m'] = self.word()
        else:
            self.kind(person, number)

    def contact_comes_or_goes(self, person, number):
        there = {contact['id'] % 10 for contact in person['contacts']}
        if len(there) < 3:
            free = [place for place in range(CONTACTS_MAX) if place not in there]
            person['contacts'].append(self.contact(number, free[self.counter % len(free)]))
        else:
            person['contacts'].pop(1)

    def order(self, person, number):
        person['contacts'].append(person['contacts'].pop(0))

    def primary(self, person, number):
        """Another contact is it."""
        marks = [contact['isPrimaryContact'] for contact in person['contacts']]
        for contact, mark in zip(person['contacts'], marks[-1:] + marks[:-1]):
            contact['isPrimaryContact'] = mark

    def change_contact(self, person, number):
        person['contacts'][-1]['contactPerson'] = self.word()

    CHANGES = {method.__name__: method for method in (
        change_name, change_city, change_big, come_or_go, null_or_empty, kind,
        becomes_text, becomes_object, member_of_object,
        contact_comes_or_goes, order, primary, change_contact)}

    def change(self, number, what):
        with self.lock:
            person = copy.deepcopy(self.now[number])
            self.CHANGES[what](self, person, number)
            self.now[number] = person
            self.note()

    def move(self, key, number):
        with self.lock:
            self.owners[key] = number
            self.note()

    def go_or_return(self, number):
        with self.lock:
            self.gone ^= {number}
            self.note()

    def change_day(self, day, number):
        with self.lock:
            listed = self.days[day]
            self.days[day] = ([other for other in listed if other != number]
                              if number in listed else [*listed, number])

    # What is answered

    def hold(self, key, is_read_first):
        hold = Hold(is_read_first, threading.Event(), self.api.gate())
        with self.lock:
            self.holds[key] = hold
        return hold

    def disarm(self, key):
        with self.lock:
            self.holds.pop(key, None)

    def answer(self, request):
        """(number, reply) by what is true now."""
        if self.is_broken:
            return None, api_module.Reply(b'{}', 503)
        if request.path == api_module.PAGE_PATH:
            day, offset, limit = request.page
            listed = self.days.get(day, [])
            return None, api_module.page(listed[offset:offset + limit], totalCount=len(listed))
        if request.key[0] == 'id' and int(request.key[1]) >= FILLERS:
            return None, api_module.found(filler(int(request.key[1])))
        number = self.owner(request.key) if request.key in self.leads else None
        if number is None:
            return None, api_module.Reply(api_module.ABSENT)
        return number, api_module.found(self.text(number))

    def respond(self, request):
        with self.lock:
            hold = self.holds.pop(request.key, None)
            number, reply = self.answer(request)
            text = self.texts[number][-1] if number else None
        if hold:
            hold.came.set()
            hold.gate.wait()
        with self.lock:
            if hold and not hold.is_read_first:
                number, reply = self.answer(request)
                text = self.texts[number][-1] if number else None
            if reply.status == 200:
                self.delivered.append(Delivered(request.key, number, text, request.time,
                                                time.monotonic()))
        return reply

    # What has been answered

    def answers_since(self, place_in_log):
        with self.lock:
            return self.delivered[place_in_log:]

    def settled_answers(self):
        """How many are so old that whatever they changed is seen everywhere."""
        now = time.monotonic()
        return sum(one.given < now - SETTLED for one in self.answers_since(0))

    def news_at(self):
        """When an answer was given last that differs from the one before it."""
        texts, leads, last = {}, {}, 0.0
        for one in self.answers_since(0):
            if leads.get(one.key, one) != one.number or \
                    one.number and texts.get(one.number) != one.text:
                last = one.given
            leads[one.key] = one.number
            texts[one.number] = one.text
        return last

    def was_asked_since(self, number, moment):
        """Whether an answer has told of somebody that was asked for after a moment."""
        return any(one.number == number and one.asked >= moment for one in self.answers_since(0))
