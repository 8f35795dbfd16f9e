/* SPDX-License-Identifier: MIT */
/*
 * While one stretch of the text is gone through, a thread reads the next, as to unpack it takes as
 * long as to make a table of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/export_parts.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/place.h"
#include "kapturefs/command/stack.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/store/cache_check.h"

enum {
	STRETCH_SIZE = 1 << 20,
	LINE_SIZE_MAX = 64 << 20, /* beyond any answer that is accepted */
};

#define FILE_IN_MOUNT "export/customers.ndjson"

static int complain(const char *path, const char *text, int status)
{
	terminal_complain("kapturefs: export: %s: %s", path, text);
	return status;
}

static const char *error_of_mount(int error)
{
	return error == -EBUSY ? "four others read what was cached before; try again in 10 seconds"
	                       : place_error(error);
}

static int open_mount(const char *path, const struct place *place, struct export_source *ret)
{
	struct config_complaint complaint;
	struct stat status;

	if (place->path[0])
		return complain(path, "below a mount; give its MOUNTPOINT", EXIT_USAGE);
	if (place_check_owner(place, &complaint))
		return complain(path, complaint.text, EXIT_LOCAL);
	ret->descriptor = openat(place->descriptor, FILE_IN_MOUNT, O_RDONLY | O_CLOEXEC);
	if (ret->descriptor < 0 || fstat(ret->descriptor, &status))
		return complain(path, error_of_mount(-errno),
		                errno == EBUSY ? EXIT_LOCAL : outcome_of(-errno));
	ret->size = (uint64_t)status.st_size;
	return EXIT_OK;
}

static int open_cache(const char *path, struct export_source *ret)
{
	char why[TRUST_WHY_SIZE];
	int r;

	r = cache_check_place(path, why);
	if (r)
		return complain(path, r < 0 ? strerror(-r) : why, EXIT_LOCAL);
	r = cache_open_existing(path, &ret->cache);
	if (r)
		return complain(path,
		                r == CACHE_BUSY ? "in use; give the MOUNTPOINT of its mount"
		                                : stack_cache_complaint(r),
		                EXIT_LOCAL);
	r = cache_export(ret->cache, clock_unix_ms(), &ret->text);
	if (r)
		return complain(path, strerror(-r), EXIT_LOCAL);
	ret->size = ret->text.size;
	return EXIT_OK;
}

int export_source_open(const char *path, struct export_source *ret)
{
	struct export_source source = { .descriptor = -1 };
	struct stat status;
	struct place place;
	int r;

	if (stat(path, &status))
		return complain(path, strerror(errno), EXIT_LOCAL);
	if (S_ISREG(status.st_mode)) {
		r = open_cache(path, &source);
	} else {
		r = place_find(path, &place);
		if (r == PLACE_OUTSIDE)
			return complain(path, "neither a mount of kapturefs nor a cache",
			                EXIT_LOCAL);
		if (r)
			return complain(path, strerror(-r), EXIT_LOCAL);
		r = open_mount(path, &place, &source);
		place_fini(&place);
	}
	if (!r) {
		source.ahead = malloc(STRETCH_SIZE);
		if (!source.ahead)
			r = complain(path, strerror(ENOMEM), EXIT_LOCAL);
	}
	if (r)
		export_source_fini(&source);
	else
		*ret = source;
	return r;
}

/* Have nothing be read. */
static void rest(struct export_source *source)
{
	if (source->is_in_thread)
		uv_thread_join(&source->thread);
	source->is_begun = source->is_in_thread = false;
}

void export_source_fini(struct export_source *source)
{
	rest(source);
	free(steal(&source->ahead));
	if (source->descriptor >= 0)
		close(source->descriptor);
	cache_close(steal(&source->cache));
	free(steal(&source->bytes));
}

void export_source_rewind(struct export_source *source)
{
	rest(source);
	source->offset = 0;
	source->start = 0;
	source->length = 0;
}

static int read_ahead(struct export_source *source)
{
	ssize_t length;

	if (source->cache)
		return cache_export_read(source->cache, source->text.generation, source->offset,
		                         source->ahead, STRETCH_SIZE, clock_unix_ms(),
		                         &source->ahead_length);
	length = pread(source->descriptor, source->ahead, STRETCH_SIZE, (off_t)source->offset);
	source->ahead_length = length < 0 ? 0 : (size_t)length;
	return length < 0 ? -errno : 0;
}

static void read_in_thread(void *userdata)
{
	struct export_source *source = userdata;

	source->ahead_result = read_ahead(source);
}

/* Where no thread is to be had, it is done here. */
static void begin_reading(struct export_source *source)
{
	source->is_in_thread = uv_thread_create(&source->thread, read_in_thread, source) == 0;
	if (!source->is_in_thread)
		read_in_thread(source);
	source->is_begun = true;
}

/* Have room for @size bytes behind those that have not been given out. */
static int make_room(struct export_source *source, size_t size)
{
	char *grown;

	if (source->start) {
		memmove(source->bytes, source->bytes + source->start, source->length);
		source->start = 0;
	}
	if (source->length + size <= source->capacity)
		return 0;
	if (source->length > LINE_SIZE_MAX)
		return -EFBIG;
	grown = realloc(source->bytes, source->length + size);
	if (!grown)
		return -ENOMEM;
	source->bytes = grown;
	source->capacity = source->length + size;
	return 0;
}

static int take_more(struct export_source *source, size_t *ret_length)
{
	int r;

	r = make_room(source, STRETCH_SIZE);
	if (r)
		return r;
	if (!source->is_begun)
		begin_reading(source);
	rest(source);
	if (source->ahead_result)
		return source->ahead_result;
	*ret_length = source->ahead_length;
	memcpy(source->bytes + source->length, source->ahead, *ret_length);
	source->length += *ret_length;
	source->offset += *ret_length;
	if (*ret_length)
		begin_reading(source);
	return 0;
}

int export_source_read(struct export_source *source, const char **ret, size_t *ret_length)
{
	size_t length = 0;
	int r;

	source->length = 0;
	r = take_more(source, &length);
	*ret = source->bytes;
	*ret_length = length;
	/* A file that ends before its size has been cut short. */
	return !r && !length && source->offset < source->size ? -EPROTO : r;
}

int export_source_line(struct export_source *source, const char **ret, size_t *ret_length)
{
	size_t searched = 0;
	const char *end;
	size_t length;
	int r;

	for (;;) {
		const char *begin = source->bytes ? source->bytes + source->start : "";

		end = source->length > searched
		              ? memchr(begin + searched, '\n', source->length - searched)
		              : NULL;
		if (end)
			break;
		searched = source->length;
		r = take_more(source, &length);
		if (r)
			return r;
		if (length)
			continue;
		*ret_length = 0;
		return source->length || source->offset < source->size ? -EPROTO : 0;
	}

	*ret = source->bytes + source->start;
	*ret_length = (size_t)(end - *ret) + 1;
	source->start += *ret_length;
	source->length -= *ret_length;
	return 0;
}
