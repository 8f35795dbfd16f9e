#pragma once
/* SPDX-License-Identifier: MIT */
/* Values that tell whose they are, of which version, and whether they are whole. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/payload.h"
#include "kapturefs/model/record.h"

enum { VALUE_SIZE = 512, VALUE_FILL_MAX = 300 };

static inline unsigned value_sum(const char *text, size_t length)
{
	unsigned sum = 1;

	for (size_t i = 0; i < length; i++)
		sum = sum * 31 + (unsigned char)text[i];
	return sum;
}

/** The value of a customer's field at @version. */
static inline const char *value_print(char room[VALUE_SIZE], unsigned customer, unsigned version)
{
	int length =
	        snprintf(room, VALUE_SIZE, "%u:%u:%.*s", customer, version,
	                 (int)(version * 53 % VALUE_FILL_MAX),
	                 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
	                 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
	                 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
	                 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
	                 "vvvvvvvvvvvvvvvvvvvv");

	snprintf(room + length, VALUE_SIZE - (size_t)length, ":%u",
	         value_sum(room, (size_t)length));
	return room;
}

/** Whether the bytes of a file are a whole value, or one of the small ones beside them. */
static inline bool value_is_whole(const char *bytes, size_t length)
{
	static const char *const small[] = { "42\n", "43\n", "421\n",  "431\n",
		                             "1\n",  "2\n",  "true\n", "0.0\n" };
	char expected[VALUE_SIZE];
	char text[VALUE_SIZE];
	unsigned customer;
	unsigned version;

	for (size_t i = 0; i < array_length(small); i++) {
		if (length == strlen(small[i]) && memcmp(bytes, small[i], length) == 0)
			return true;
	}
	if (length < 2 || length >= sizeof(text) || bytes[length - 1] != '\n')
		return false;
	memcpy(text, bytes, length - 1);
	text[length - 1] = '\0';
	if (sscanf(text, "%u:%u:", &customer, &version) != 2)
		return false;
	return strcmp(value_print(expected, customer, version), text) == 0;
}

/** A customer at @version, in one of several shapes; of another account if @is_foreign. */
static inline struct record *value_record(unsigned customer, unsigned version, bool is_foreign)
{
	char value[VALUE_SIZE];
	char json[4 * VALUE_SIZE];
	struct record *record = NULL;
	int length;

	value_print(value, customer, version);
	length = snprintf(json, sizeof(json), "{\"id\":%u,\"cmId\":%d,\"name\":\"%s\"", customer,
	                  is_foreign ? 2 : 1, value);
	if (version & 1)
		length += snprintf(json + length, sizeof(json) - (size_t)length,
		                   ",\"nested\":{\"deep\":\"%s\",\"sum\":0.0}", value);
	else
		length += snprintf(json + length, sizeof(json) - (size_t)length,
		                   ",\"nested\":\"%s\"", value);
	if (version & 2)
		length += snprintf(json + length, sizeof(json) - (size_t)length,
		                   ",\"contacts\":[{\"id\":%u1,\"isPrimaryContact\":true}]",
		                   customer);
	if (version & 4)
		length += snprintf(json + length, sizeof(json) - (size_t)length,
		                   ",\"tags\":[\"%s\",null,\"\"]", value);
	snprintf(json + length, sizeof(json) - (size_t)length, "}");
	if (payload_read_customer(json, strlen(json), &record))
		abort();
	return record;
}
