/* SPDX-License-Identifier: MIT */
/*
 * secure_delete wipes a row where it is deleted. But when SQLite moves rows to other pages, to
 * balance them, it leaves what they were in the gap of the page where they have been, until other
 * rows are put there; and when the row is deleted later, nobody knows of that. (Of 5,000 rows that
 * were deleted from 20,000 changed ones, up to ten could still be read.)
 *
 * So the gap is wiped whenever a page is written into the file, by a function that stands before
 * the write of SQLite's own VFS. Not in the log, whose checksums would not hold: that is cut.
 */

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "kapturefs/io/database_wipe.h"

enum { FILE_HEADER_SIZE = 100 };

static const sqlite3_io_methods *of_the_system;
static sqlite3_io_methods wiping;

/* A page that maps others begins as a B-tree's may, and is told by its place. */
static bool is_map(uint32_t number)
{
	return number >= 2 && (number - 2) % (DATABASE_PAGE_SIZE / 5 + 1) == 0;
}

static size_t read_16(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/*
 * Overflow and free pages begin with the number of another. Its first byte is none of these in a
 * file of less than 128 GiB, and no file of ours grows to that.
 */
static size_t header_size(const unsigned char *header)
{
	switch (header[0]) {
	case 2: /* inner, of an index */
	case 5: /* inner, of a table */
		return 12;
	case 10:
	case 13: /* leaves */
		return 8;
	default:
		return 0;
	}
}

void database_wipe_page(unsigned char page[DATABASE_PAGE_SIZE], uint32_t number)
{
	const unsigned char *header = page + (number == 1 ? FILE_HEADER_SIZE : 0);
	size_t size = header_size(header);
	size_t start = (size_t)(header - page) + size + 2 * read_16(header + 3);
	size_t end = read_16(header + 5);

	if (size && !is_map(number) && start < end && end <= DATABASE_PAGE_SIZE)
		memset(page + start, 0, end - start);
}

static int write_wiped(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
	unsigned char page[DATABASE_PAGE_SIZE];
	int code;

	if (length != DATABASE_PAGE_SIZE || offset % DATABASE_PAGE_SIZE)
		return of_the_system->xWrite(file, bytes, length, offset);
	memcpy(page, bytes, sizeof(page));
	database_wipe_page(page, (uint32_t)(offset / DATABASE_PAGE_SIZE) + 1);
	code = of_the_system->xWrite(file, page, length, offset);
	explicit_bzero(page, sizeof(page));
	return code;
}

int database_wipe_writes(sqlite3 *database)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (code)
		return code;
	if (!of_the_system) {
		of_the_system = file->pMethods;
		wiping = *of_the_system;
		wiping.xWrite = write_wiped;
		/* A later SQLite may have methods that there is no place for. */
		if (wiping.iVersion > 3)
			wiping.iVersion = 3;
	}
	/* One VFS has one set of methods. */
	assert(file->pMethods == of_the_system);
	file->pMethods = &wiping;
	return SQLITE_OK;
}
