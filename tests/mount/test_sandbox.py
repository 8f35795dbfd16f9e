# SPDX-License-Identifier: MIT
"""The sandbox is the documented API, and a test can look behind it."""

import json
import pathlib
import subprocess
import threading

import pytest

import harness
from expected import decode, details_of

REFUSED = b'{"message": "Invalid Auth Key","status": "failed"}'
ABSENT = (b'{"Customer Details": "Information given by you does not exist in our sytsem.",'
          b'"status": "failed"}')

# Of the sample of the vendor's page: each member and the JSON type it has there.
DOCUMENTED = json.loads('''{
    "id": 0, "cmId": 0, "isOrganization": true, "name": "", "website": "", "address": " ",
    "state": "", "city": "", "country": "", "latitude": "", "longitude": "", "currentStatus": "N",
    "generationDate": "", "creatorId": 0, "channelPartnerId": 0, "remarks": "", "ratePlanId": 0,
    "customerCode": "", "isChannelPartner": false, "pinCode": "", "campaignId": 0,
    "campaignItemId": 0, "campaignActivityId": 0, "totalNoOfEnquiries": 1,
    "feedbackOnCustomer": "0", "contacts": [], "imageReferenceId": "", "classification": "",
    "customerType": "", "customerLevel": 0, "zone": 0, "companyParentId": 0, "assignedToId": 0,
    "maxCreditAmt": 0.0, "maxCreditPeriod": 0, "historyEmpId": 0, "channelPartnerEmpId": 0,
    "deleted": false, "companyStatus": "A", "isExistingCustomer": false,
    "isExistingContact": false, "syncStatus": false, "syncdLocationId": "0", "crossRemarks": "",
    "syncedStepNumber": 0, "outStandingAmount": 0.0, "salesAdminZone": 0, "referralId": 0,
    "isApi": false}''')


def kind(value):
    return 'number' if type(value) in (int, float) else type(value).__name__


def same_json(one, other):
    return json.loads(one) == json.loads(other)


def test_customer_has_the_documented_members_in_the_documented_types(sandbox):
    for row in sandbox.customers():
        status, reply = sandbox.ask(kapture_customer_id=row['id'])
        reply = json.loads(reply)
        assert (status, reply['status'], set(reply)) == (
            200, 'success', {'Customer Details', 'status'})
        details = reply['Customer Details']
        assert {name: kind(value) for name, value in details.items() if name in DOCUMENTED} == {
            name: kind(value) for name, value in DOCUMENTED.items()}
        assert str(details['id']) == row['id']


def test_amounts_keep_their_fraction(sandbox):
    _, reply = sandbox.ask(kapture_customer_id=sandbox.customers(1)[0]['id'])
    assert '.' in decode(details_of(reply))['maxCreditAmt']


def test_customer_is_found_by_each_of_its_keys(sandbox):
    for row in sandbox.customers():
        for member, name in (('phone', 'phone'), ('email_id', 'email')):
            if row[name]:
                _, reply = sandbox.ask(**{member: row[name]})
                assert str(json.loads(reply)['Customer Details']['id']) == row['id']


def test_customers_are_as_varied_as_real_ones(sandboxes):
    sandbox = sandboxes(customers=200)
    details = [json.loads(sandbox.ask(kapture_customer_id=row['id'])[1])['Customer Details']
               for row in sandbox.customers(200)]
    assert {len(customer['contacts']) for customer in details} == {0, 1, 2, 3, 4}
    assert any('\n' in customer['remarks'] for customer in details)
    assert any(ord(letter) > 0x900 for customer in details for letter in json.dumps(
        customer, ensure_ascii=False))
    assert len({customer['id'] for customer in details}) == 200
    for customer in details:
        primary = [contact['isPrimaryContact'] for contact in customer['contacts']]
        assert primary.count(True) <= 1


def test_equal_seeds_make_equal_customers_and_others_make_others(sandboxes):
    replies = []
    for seed in (3, 3, 4):
        sandbox = sandboxes(customers=3, seed=seed)
        replies.append([sandbox.ask(kapture_customer_id=row['id'])[1]
                        for row in sandbox.customers(3)])
    assert replies[0] == replies[1] != replies[2]


def test_absent_customer_is_refused_word_for_word(sandbox):
    status, reply = sandbox.ask(kapture_customer_id='999999999999')
    assert status == 200
    assert same_json(reply, ABSENT)


def test_wrong_or_missing_token_is_refused_word_for_word(sandbox):
    id_ = sandbox.customers(1)[0]['id']
    assert same_json(sandbox.ask(token='wrong', kapture_customer_id=id_)[1], REFUSED)
    body = json.dumps([{'kapture_customer_id': id_}]).encode()
    assert same_json(sandbox.call('/search-customer-by-customer-id.html', body)[1], REFUSED)


def test_requests_are_counted_and_the_count_can_be_reset(sandbox):
    id_ = sandbox.customers(1)[0]['id']
    before = sandbox.requests()
    sandbox.ask(kapture_customer_id=id_)
    sandbox.ask(kapture_customer_id=id_)
    assert sandbox.requests() == before + 2
    sandbox.reset()
    assert sandbox.requests() == 0


def test_behaviour_can_be_changed_for_some_requests(sandbox):
    id_ = sandbox.customers(1)[0]['id']
    sandbox.behave(status=503, body='down', count=2)
    assert [sandbox.ask(kapture_customer_id=id_)[0] for _ in range(3)] == [503, 503, 200]


def test_customer_can_be_changed_and_deleted(sandbox):
    id_ = sandbox.customers(1)[0]['id']
    sandbox.change(id=id_, set={'city': 'Elsewhere'})
    assert json.loads(sandbox.ask(kapture_customer_id=id_)[1])['Customer Details']['city'] \
        == 'Elsewhere'
    sandbox.change(id=id_, deleted=True)
    assert same_json(sandbox.ask(kapture_customer_id=id_)[1], ABSENT)


def test_sandbox_is_not_reachable_from_elsewhere(sandbox):
    port = int(sandbox.url.rsplit(':', 1)[1].rstrip('/'))
    listening = []
    for table in ('tcp', 'tcp6'):
        for line in pathlib.Path(f'/proc/net/{table}').read_text().splitlines()[1:]:
            fields = line.split()
            address, local_port = fields[1].split(':')
            if int(local_port, 16) == port and fields[3] == '0A':
                listening.append(address)
    assert listening == ['0100007F']


def test_curl_command_of_the_page_works(sandbox):
    row = next(row for row in sandbox.customers() if row['phone'] and row['email'])
    output = subprocess.run(
        ['curl', '--silent', '--noproxy', '*', '--location',
         f'{sandbox.url}/search-customer-by-customer-id.html',
         '--header', f'Authorization: Basic {harness.TOKEN}',
         '--header', 'Content-Type: application/json',
         '--header', 'Cookie: JSESSIONID=; _KAPTURECRM_SESSION=',
         '--data-raw', json.dumps([{'kapture_customer_id': row['id'], 'email_id': row['email'],
                                    'phone': row['phone']}])],
        capture_output=True, timeout=30, check=True).stdout
    assert json.loads(output)['Customer Details']['id'] == int(row['id'])


def test_mistaken_requests_are_answered(sandbox):
    path = '/search-customer-by-customer-id.html'
    headers = {'Authorization': f'Basic {harness.TOKEN}', 'Content-Type': 'application/json'}
    for body in (b'', b'x', b'{}', b'[]', b'[{}]', b'[1]', b'[' * 100000, b'[{"phone": null}]'):
        status, _ = sandbox.call(path, body, headers)
        assert status in (200, 400), body
    assert sandbox.call('/nowhere', headers=headers)[0] == 404


@pytest.mark.parametrize('rule, name', [('delay_ms', 'Before'), ('read_ms', 'After')])
def test_slow_answer_is_of_when_it_was_read(sandbox, rule, name):
    number = sandbox.customers(1)[0]['id']
    sandbox.change(id=int(number), set={'name': 'Before'})
    sandbox.behave(**{rule: 500})
    replies = []
    asking = threading.Thread(
        target=lambda: replies.append(sandbox.ask(kapture_customer_id=number)))
    asking.start()
    harness.wait_until(lambda: sandbox.statistics()['rules'][0]['fired'] == 1, 'it was asked')
    sandbox.change(id=int(number), set={'name': 'After'})
    asking.join(harness.END_SECONDS)
    assert json.loads(replies[0][1])['Customer Details']['name'] == name
