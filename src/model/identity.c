/* SPDX-License-Identifier: MIT */
/*
 * The part of record that turns ordinals, times and changes into bytes and back.
 *
 * All numbers as base-128 varints, signed ones in zigzag:
 *
 *   2                     version
 *   members, next ordinal
 *   (run, delta)...       ordinals: so many in a row, the first delta beyond the one due
 *   (run, delta)...       times: so many alike, in milliseconds later than the time before
 *   (run, delta)...       changes: so many alike, so many more than those before
 *   changes, delta        of the primary contact; its time, later than the customer's
 *   8 bytes               checksum of the customer's JSON and the bytes above, little endian
 *
 * The members stand in the order of the JSON, where neighbours mostly came together. Version 1 was
 * without changes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/model/node.h"
#include "kapturefs/model/record_parts.h"

enum {
	VERSION = 2,
	VERSION_WITHOUT_CHANGES = 1,
	CHECKSUM_LENGTH = 8,
	VARINT_BITS = 7,
};

/* FNV-1a (Fowler, Noll, Vo): damage to one byte always shows, other damage but once in 2^64. */
static uint64_t checksum(const struct record *record, const char *bytes, size_t length)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < record->json_length; i++)
		sum = (sum ^ (unsigned char)record->json[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static int put_unsigned(struct buffer *buffer, uint64_t number)
{
	unsigned char bytes[sizeof(number) * 8 / VARINT_BITS + 1];
	size_t length = 0;

	for (; number > 0x7f; number >>= VARINT_BITS)
		bytes[length++] = (unsigned char)(number | 0x80);
	bytes[length++] = (unsigned char)number;
	return buffer_append(buffer, bytes, length);
}

/* @number is the difference of two, modulo 2^64; small ones of either sign are short. */
static int put_signed(struct buffer *buffer, uint64_t number)
{
	return put_unsigned(buffer, number >> 63 ? ~(number << 1) : number << 1);
}

static int put_run(struct buffer *buffer, uint32_t length, uint64_t delta)
{
	int r = put_unsigned(buffer, length);

	return r ? r : put_signed(buffer, delta);
}

static const struct member *in_document(const struct record *record, uint32_t place)
{
	return &record->members[record->by_document[place]];
}

static int put_ordinals(struct buffer *buffer, const struct record *record)
{
	uint64_t expected = 0;
	uint32_t length;
	int r = 0;

	for (uint32_t i = 0; !r && i < record->count; i += length) {
		uint64_t first = in_document(record, i)->ordinal;

		for (length = 1; i + length < record->count; length++) {
			if (in_document(record, i + length)->ordinal != first + length)
				break;
		}
		r = put_run(buffer, length, first - expected);
		expected = first + length;
	}
	return r;
}

/* What members have each: so many alike, by so much more than those before. */
typedef uint64_t number_fn(const struct member *member);

static uint64_t time_of(const struct member *member)
{
	return (uint64_t)member->changed_ms;
}

static uint64_t changes_of(const struct member *member)
{
	return member->changes;
}

static int put_numbers(struct buffer *buffer, const struct record *record, number_fn *number_of)
{
	uint64_t before = 0;
	uint32_t length;
	int r = 0;

	for (uint32_t i = 0; !r && i < record->count; i += length) {
		uint64_t number = number_of(in_document(record, i));

		for (length = 1; i + length < record->count; length++) {
			if (number_of(in_document(record, i + length)) != number)
				break;
		}
		r = put_run(buffer, length, number - before);
		before = number;
	}
	return r;
}

static int put_checksum(struct buffer *buffer, const struct record *record)
{
	uint64_t sum = checksum(record, buffer->data, buffer->length);
	unsigned char bytes[CHECKSUM_LENGTH];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(sum >> (8 * i));
	return buffer_append(buffer, bytes, sizeof(bytes));
}

int record_save_identity(const struct record *record, char **ret, size_t *ret_length)
{
	cleanup(buffer_fini) struct buffer buffer;
	int r;

	buffer_init(&buffer, SIZE_MAX);
	r = put_unsigned(&buffer, VERSION);
	if (!r)
		r = put_unsigned(&buffer, record->count);
	if (!r)
		r = put_unsigned(&buffer, record->next_ordinal);
	if (!r)
		r = put_ordinals(&buffer, record);
	if (!r)
		r = put_numbers(&buffer, record, time_of);
	if (!r)
		r = put_numbers(&buffer, record, changes_of);
	if (!r)
		r = put_unsigned(&buffer, record->primary.changes);
	if (!r)
		r = put_signed(&buffer, (uint64_t)record->primary.changed_ms -
		                                (uint64_t)record->members[0].changed_ms);
	if (!r)
		r = put_checksum(&buffer, record);
	if (r)
		return r;

	*ret_length = buffer.length;
	*ret = buffer_steal(&buffer);
	return 0;
}

/* Reading */

/* Bytes that are taken from the front; after a failure there are none. */
struct reader {
	const unsigned char *bytes;
	size_t length;
	bool failed;
};

static uint64_t take_unsigned(struct reader *reader)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64 && reader->length; shift += VARINT_BITS) {
		unsigned char byte = *reader->bytes++;

		reader->length--;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return number;
	}
	reader->failed = true;
	reader->length = 0;
	return 0;
}

static uint64_t take_signed(struct reader *reader)
{
	uint64_t number = take_unsigned(reader);

	return number & 1 ? ~(number >> 1) : number >> 1;
}

/* Take a run of at most @length_max; 0 if there is none. */
static uint32_t take_run(struct reader *reader, uint32_t length_max, uint64_t *ret_delta)
{
	uint64_t length = take_unsigned(reader);

	*ret_delta = take_signed(reader);
	return reader->failed || length > length_max ? 0 : (uint32_t)length;
}

struct head {
	uint64_t version;
	uint64_t count; /* of members */
	uint64_t next_ordinal;
};

static int take_head(struct reader *reader, struct head *ret)
{
	ret->version = take_unsigned(reader);
	ret->count = take_unsigned(reader);
	ret->next_ordinal = take_unsigned(reader);
	if (reader->failed || ret->version < VERSION_WITHOUT_CHANGES || ret->version > VERSION ||
	    ret->count > UINT32_MAX || ret->next_ordinal > NODE_ORDINAL_MAX + 1)
		return -EILSEQ;
	return 0;
}

static int take_ordinals(struct reader *reader, const struct record *record,
                         struct identity *identity)
{
	uint64_t next = 0;
	uint64_t delta;

	for (uint32_t i = 0; i < record->count;) {
		uint32_t length = take_run(reader, record->count - i, &delta);

		next += delta;
		if (!length || next > identity->next_ordinal ||
		    length > identity->next_ordinal - next)
			return -EILSEQ;
		while (length-- > 0)
			identity->ordinals[record->by_document[i++]] = (uint32_t)next++;
	}
	return 0;
}

typedef void take_number_fn(struct identity *identity, uint32_t index, uint64_t number);

static void take_time(struct identity *identity, uint32_t index, uint64_t number)
{
	identity->times_ms[index] = (int64_t)number;
}

static void take_changes(struct identity *identity, uint32_t index, uint64_t number)
{
	identity->changes[index] = (uint32_t)number;
}

/* The inverse of put_numbers(), of numbers up to @number_max. */
static int take_numbers(struct reader *reader, const struct record *record,
                        struct identity *identity, take_number_fn *take, uint64_t number_max)
{
	uint64_t number = 0;
	uint64_t delta;

	for (uint32_t i = 0; i < record->count;) {
		uint32_t length = take_run(reader, record->count - i, &delta);

		number += delta;
		if (!length || number > number_max)
			return -EILSEQ;
		while (length-- > 0)
			take(identity, record->by_document[i++], number);
	}
	return 0;
}

/* What was before there were changes became the primary contact with the last change of any. */
static void guess_primary(const struct record *record, struct identity *identity)
{
	identity->primary.changed_ms = identity->times_ms[record->contacts];
}

static int take_primary(struct reader *reader, struct identity *identity)
{
	uint64_t changes = take_unsigned(reader);

	identity->primary.changed_ms =
	        (int64_t)(take_signed(reader) + (uint64_t)identity->times_ms[0]);
	identity->primary.changes = (uint32_t)changes;
	return reader->failed || changes > UINT32_MAX ? -EILSEQ : 0;
}

static bool is_intact(const struct record *record, const char *bytes, size_t length)
{
	const unsigned char *end = (const unsigned char *)bytes + length - CHECKSUM_LENGTH;
	uint64_t sum = 0;

	for (unsigned i = 0; i < CHECKSUM_LENGTH; i++)
		sum |= (uint64_t)end[i] << (8 * i);
	return sum == checksum(record, bytes, length - CHECKSUM_LENGTH);
}

static int take_identity(struct reader *reader, const struct record *record,
                         struct identity *identity)
{
	struct head head;
	int r;

	r = take_head(reader, &head);
	if (r || head.count != record->count)
		return -EILSEQ;

	identity->next_ordinal = (uint32_t)head.next_ordinal;
	r = take_ordinals(reader, record, identity);
	if (!r)
		r = take_numbers(reader, record, identity, take_time, UINT64_MAX);
	if (!r && head.version != VERSION_WITHOUT_CHANGES)
		r = take_numbers(reader, record, identity, take_changes, UINT32_MAX);
	if (!r && head.version != VERSION_WITHOUT_CHANGES)
		r = take_primary(reader, identity);
	else if (!r)
		guess_primary(record, identity);
	if (r)
		return r;
	return reader->length || identity->ordinals[0] != 0 ? -EILSEQ : 0;
}

int record_load_identity(struct record *record, const char *bytes, size_t length)
{
	cleanup(identity_fini) struct identity identity = { 0 };
	struct reader reader = { .bytes = (const unsigned char *)bytes };
	int r;

	if (length < CHECKSUM_LENGTH || !is_intact(record, bytes, length))
		return -EILSEQ;

	reader.length = length - CHECKSUM_LENGTH;
	r = identity_init(&identity, record->count);
	if (!r)
		r = take_identity(&reader, record, &identity);
	return r ? r : record_identify(record, &identity);
}

/* The customer itself stands first, so its time is the first run's. */
int record_identity_changed_ms(const char *bytes, size_t length, int64_t *ret)
{
	struct reader reader = { .bytes = (const unsigned char *)bytes, .length = length };
	struct head head;
	uint64_t delta;
	uint32_t run;

	if (take_head(&reader, &head))
		return -EILSEQ;
	for (uint64_t i = 0; i < head.count; i += run) {
		run = take_run(&reader, (uint32_t)(head.count - i), &delta);
		if (!run)
			return -EILSEQ;
	}
	if (!take_run(&reader, (uint32_t)head.count, &delta))
		return -EILSEQ;
	*ret = (int64_t)delta;
	return 0;
}

int record_identity_next_ordinal(const char *bytes, size_t length, uint32_t *ret)
{
	struct reader reader = { .bytes = (const unsigned char *)bytes, .length = length };
	uint64_t next_ordinal;

	(void)take_unsigned(&reader); /* version, members */
	(void)take_unsigned(&reader);
	next_ordinal = take_unsigned(&reader);
	if (reader.failed || next_ordinal > NODE_ORDINAL_MAX + 1)
		return -EILSEQ;
	*ret = (uint32_t)next_ordinal;
	return 0;
}
