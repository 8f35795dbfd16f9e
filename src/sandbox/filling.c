/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <string.h>

#include "kapturefs/sandbox/filling.h"

void fillings_add(struct fillings *fillings, const struct filling *filling)
{
	assert(fillings->count < array_length(fillings->of));
	assert(filling->unit_length);
	fillings->of[fillings->count++] = *filling;
}

uint64_t fillings_length(const struct fillings *fillings, const struct buffer *bytes)
{
	uint64_t length = bytes->length;

	for (unsigned i = 0; i < fillings->count; i++)
		length += fillings->of[i].length;
	return length;
}

/* One unit from @offset on, round its end, then what is there over and over. */
static void repeat(const struct filling *filling, uint64_t offset, char *ret, size_t length)
{
	size_t start = (size_t)(offset % filling->unit_length);
	size_t behind = filling->unit_length - start;
	size_t done = length < filling->unit_length ? length : filling->unit_length;

	memcpy(ret, filling->unit + start, done < behind ? done : behind);
	if (done > behind)
		memcpy(ret + behind, filling->unit, done - behind);
	while (done < length) {
		size_t piece = done < length - done ? done : length - done;

		memcpy(ret + done, ret, piece);
		done += piece;
	}
}

/* A run of the text: of the bytes where @filling is NULL. */
struct run {
	const struct filling *filling;
	uint64_t begin;
	uint64_t end;
	size_t place; /* of its first byte among the bytes */
};

/* The run that the byte at @offset is of. */
static struct run run_at(const struct fillings *fillings, const struct buffer *bytes,
                         uint64_t offset)
{
	struct run run = { .filling = NULL };

	for (unsigned i = 0; i < fillings->count; i++) {
		const struct filling *filling = &fillings->of[i];

		run.end = run.begin + (filling->at - run.place);
		if (offset < run.end)
			return run;
		run.begin = run.end;
		run.end += filling->length;
		run.filling = filling;
		run.place = filling->at;
		if (offset < run.end)
			return run;
		run.begin = run.end;
		run.filling = NULL;
	}
	run.end = run.begin + (bytes->length - run.place);
	return run;
}

void fillings_read(const struct fillings *fillings, const struct buffer *bytes, uint64_t offset,
                   char *ret, size_t length)
{
	while (length) {
		struct run run = run_at(fillings, bytes, offset);
		size_t piece = length;

		assert(offset < run.end);
		if (run.end - offset < piece)
			piece = (size_t)(run.end - offset);
		if (run.filling)
			repeat(run.filling, offset - run.begin, ret, piece);
		else
			memcpy(ret, bytes->data + run.place + (offset - run.begin), piece);
		offset += piece;
		ret += piece;
		length -= piece;
	}
}
