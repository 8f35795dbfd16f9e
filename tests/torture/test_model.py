# SPDX-License-Identifier: MIT
"""Random histories of a mount, each step judged by the reference model.

MODEL_EXAMPLES says how many histories, MODEL_SEED which; without a seed, always the same ones.
With MODEL_SHRINK one that fails is made shorter, which takes minutes.
"""

import dataclasses
import os
import pathlib
import tempfile
import types

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (RuleBasedStateMachine, initialize, precondition, rule,
                                 run_state_machine_as_test)

import api as api_module
import values
import world as world_module
from mounted import Mounted
from reference import Found, Options
from values import Broken

EXAMPLES = int(os.environ.get('MODEL_EXAMPLES', '25'))
SEED = os.environ.get('MODEL_SEED')
SOON = '3'      # any seed leads to each planted lie, this one in a third of the time
PHASES = [hypothesis.Phase.generate]
if 'MODEL_SHRINK' in os.environ:
    PHASES.append(hypothesis.Phase.shrink)
STEPS = 30
NUMBERS = [7, 8]
COUNTED = {'looks': 0}

numbers = st.sampled_from(NUMBERS)
kinds = st.sampled_from(['id', 'phone', 'email'])
options = st.builds(Options, st.booleans(), st.booleans(), st.booleans(),
                    st.sampled_from([False, False, False, True]))


class History(RuleBasedStateMachine):
    """Each rule is a step: of the API, of the mount, or of who looks at it."""

    world_class = world_module.World
    mounted_class = Mounted

    def __init__(self):
        super().__init__()
        self.api = api_module.Api()
        self.world = self.world_class(self.api, NUMBERS)
        self.directory = tempfile.TemporaryDirectory(prefix='kapturefs-model-')
        self.mounted = self.mounted_class(self.world, pathlib.Path(self.directory.name))

    def teardown(self):
        try:
            self.mounted.close()
        finally:
            self.api.close()
            self.directory.cleanup()
            COUNTED['looks'] += self.mounted.looks

    def key(self, kind, number):
        return kind, {'id': str(number), 'phone': self.world.phones[number],
                      'email': values.email_of(number)}[kind]

    @initialize(chosen=options)
    def begin(self, chosen):
        self.mounted.mount(chosen)

    # Who looks

    @rule(kind=kinds, number=numbers, way=st.sampled_from(sorted(Mounted.WAYS)))
    def look(self, kind, number, way):
        self.mounted.look(self.key(kind, number), way)

    @rule(kind=kinds, number=numbers, way=st.sampled_from(sorted(Mounted.WAYS)))
    def look_again(self, kind, number, way):
        self.mounted.look(self.key(kind, number), way)

    @rule(kind=kinds)
    def list_keys(self, kind):
        self.mounted.list_keys(kind)

    @rule(kind=kinds, number=numbers)
    def open_and_keep(self, kind, number):
        self.mounted.open_and_keep(self.key(kind, number))

    @rule()
    def read_what_is_kept(self):
        self.mounted.read_what_is_kept()

    @rule(all_kinds=st.lists(st.tuples(kinds, numbers), min_size=2, max_size=6, unique=True))
    def look_at_once(self, all_kinds):
        self.mounted.look_at_once([self.key(*one) for one in all_kinds])

    # What is done to the mount

    @rule(chosen=options, is_sudden=st.booleans())
    def remount(self, chosen, is_sudden):
        self.mounted.remount(chosen, is_sudden)

    @rule(kind=kinds, number=numbers)
    def refresh(self, kind, number):
        self.mounted.refresh(self.key(kind, number))

    @rule(kind=kinds, number=numbers)
    def forget(self, kind, number):
        self.mounted.forget(self.key(kind, number))

    # What happens at the API

    @rule(number=numbers)
    def change(self, number):
        self.world.versions[number] += 1

    @rule(number=numbers)
    def come_or_go(self, number):
        self.world.gone ^= {number}

    @rule(one=numbers, other=numbers)
    def swap_phones(self, one, other):
        phones = self.world.phones
        if one == other:
            return
        phones[one], phones[other] = phones[other], phones[one]
        for number in (one, other):
            self.world.versions[number] += 1

    @rule(fault=st.sampled_from(sorted(world_module.FAULTS)))
    def begin_fault(self, fault):
        self.world.fault = fault

    @precondition(lambda self: self.world.fault)
    @rule()
    def end_fault(self):
        self.world.fault = None


def settings(examples, **more):
    return hypothesis.settings(max_examples=examples, stateful_step_count=STEPS, deadline=None,
                               derandomize=SEED is None, database=None, report_multiple_bugs=False,
                               suppress_health_check=list(hypothesis.HealthCheck), **more)


def run(machine, examples, seed=SEED, **more):
    if seed is not None:
        machine = hypothesis.seed(int(seed))(machine)
    run_state_machine_as_test(machine, settings=settings(examples, **more))


def test_every_history_is_as_the_contract_allows():
    COUNTED['looks'] = 0
    print(f'MODEL_SEED={SEED}')     # it is shown when this fails
    run(History, EXAMPLES, phases=PHASES)
    print(f'{EXAMPLES} histories, {COUNTED["looks"]} times somebody looked')
    assert COUNTED['looks'] >= EXAMPLES


def test_a_listing_that_finds_its_customer_gone_is_judged_as_an_absence(api, tmp_path):
    world = world_module.World(api, NUMBERS)
    mounted = Mounted(world, tmp_path)
    mounted.mount(Options(is_fresh=False))
    try:
        mounted.look(('phone', world.phones[7]), 'tree')
        world.gone.add(7)
        mounted.look(('phone', world.phones[7]), 'tree')
    finally:
        mounted.close()


class ScriptedMounted(Mounted):
    """Its key leads from customer 7 to customer 8; `shown` are the values that are read."""

    def __init__(self, *shown):
        super().__init__(types.SimpleNamespace(owner=lambda key: 8), None)
        self.reference.keys['phone', '1'] = 7
        self.shown = list(shown)

    def numbers_of(self, key):
        return sorted(super().numbers_of(key))

    def read_next(self, _, number):
        return values.version_of(self.shown.pop(0), 'name', number)

    WAYS = {'next': read_next}


def test_key_that_comes_to_lead_elsewhere_between_two_reads_shows_nothing_foreign():
    old, new = values.make('name', 7, 1).encode(), values.make('name', 8, 2).encode()
    assert ScriptedMounted(new, old, old).see(('phone', '1'), 'next') == Found(7, 1)
    assert ScriptedMounted(new, old, new, new).see(('phone', '1'), 'next') == Found(8, 2)


def test_what_is_cut_or_of_a_third_customer_is_found_all_the_same():
    good, third = values.make('name', 7, 1).encode(), values.make('name', 9, 1).encode()
    with pytest.raises(Broken, match='foreign'):
        ScriptedMounted(third, third, third, third).see(('phone', '1'), 'next')
    with pytest.raises(Broken, match='not a value'):
        ScriptedMounted(third, good[:-1], good).see(('phone', '1'), 'next')


@pytest.mark.parametrize('fault', world_module.FAULTS)
def test_each_fault_is_what_the_model_takes_it_for(api, tmp_path, fault):
    """By every key, and for the breaker, which three different keys can open."""
    world = world_module.World(api, NUMBERS)
    mounted = Mounted(world, tmp_path)
    mounted.mount(Options(is_fresh=False, is_absence_fresh=False, serves_stale=False))
    try:
        world.fault = fault
        for key in [('email', values.email_of(8)), ('email', values.email_of(7)),
                    ('phone', values.phone_of(8)), ('id', '7'), ('id', '8')]:
            mounted.look(key, 'name')
    finally:
        mounted.close()


# Each kind of lie must be found.

class ForeignWorld(world_module.World):
    def reply(self, answer):
        """By phone, once in a while, whoever comes next."""
        other = NUMBERS[(NUMBERS.index(answer.number) + 1) % len(NUMBERS)]
        return api_module.found(self.text(other if self.log[-1][0][0] == 'phone'
                                          else answer.number))


class MixedWorld(world_module.World):
    def reply(self, answer):
        return api_module.found(self.text(answer.number,
                                          person_version=max(1, answer.version - 1)))


class CutWorld(world_module.World):
    """Half of a value, and nobody can tell but the one who knows its checksum."""

    def reply(self, answer):
        text = self.text(answer.number)
        return api_module.found(text.replace(b' x', b' y', 1))


class StubbornMounted(Mounted):
    """A mount that keeps answers for longer than it was told."""

    def mount(self, chosen):
        super().mount(dataclasses.replace(chosen, is_fresh=False, offline=False))

    def options(self, chosen):
        return {**super().options(chosen), 'ttl': '300', 'negative_ttl': '300'}


class ForgetfulMounted(Mounted):
    """A mount that loses its cache when it is killed."""

    def mount(self, chosen):
        super().mount(dataclasses.replace(chosen, is_fresh=True))

    def end(self, is_sudden):
        super().end(is_sudden)
        if is_sudden:
            for path in self.directory.glob('cache.db*'):
                path.unlink()


class StaleMounted(Mounted):
    """A mount that serves what is too old rather than tell of an error."""

    def mount(self, chosen):
        super().mount(dataclasses.replace(chosen, is_fresh=False, serves_stale=False,
                                          offline=False))

    def options(self, chosen):
        return {**super().options(chosen), 'max_stale': '86400'}


@pytest.mark.parametrize('defect', [ForeignWorld, MixedWorld, CutWorld, StubbornMounted,
                                    ForgetfulMounted, StaleMounted])
def test_planted_lie_is_found(defect):
    which = 'world_class' if issubclass(defect, world_module.World) else 'mounted_class'
    machine = type('Planted', (History,), {which: defect})
    with pytest.raises(Broken):
        run(machine, 200, SEED or SOON, phases=[hypothesis.Phase.generate])
