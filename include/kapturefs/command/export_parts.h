#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of `export`: what its files share, and nobody else uses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/base/string_set.h"
#include "kapturefs/config/config.h"
#include "kapturefs/model/record.h"
#include "kapturefs/store/cache.h"

/* export_source.c: the text that is exported, of a mount or of a cache that nobody has mounted */

struct export_source {
	int descriptor; /* of the file in a mount, or -1 */
	struct cache *cache;
	struct cache_export text;
	uint64_t size;
	uint64_t offset; /* of what has been read */

	char *bytes; /* read and not given out yet */
	size_t start;
	size_t length;
	size_t capacity;

	/* What comes next, the thread's until it has ended. */
	bool is_begun;
	bool is_in_thread;
	uv_thread_t thread;
	char *ahead;
	size_t ahead_length;
	int ahead_result;
};

/**
 * Open what is at @path. Returns 0 with *@ret to be ended by export_source_fini(); or the exit
 * status, the reason told.
 */
int export_source_open(const char *path, struct export_source *ret) must_check;
void export_source_fini(struct export_source *source);

/** Begin again from the start: the text is the same. */
void export_source_rewind(struct export_source *source);

/**
 * The next stretch, borrowed until the next call; of length 0 at the end. Returns 0 or a negative
 * errno.
 */
int export_source_read(struct export_source *source, const char **ret,
                       size_t *ret_length) must_check;

/** The next line with its end, likewise. -EPROTO: the text ends in the middle of one. */
int export_source_line(struct export_source *source, const char **ret,
                       size_t *ret_length) must_check;

/* export_columns.c */

/**
 * Paths of values in a customer, or in a contact: `name`, `generationDate.year`. The names in them
 * are those of files, and besides `.` is `%2E` and `,` is `%2C`, so that no two paths are the same.
 */
struct export_columns {
	struct string_set names;
	size_t count_max; /* no more than so many are added; 0: EXPORT_COLUMNS_MAX */
	bool is_closed;   /* none at all */
};

/** Begin with the members that the API documents; of a contact @with_contacts, behind the id. */
int export_columns_document(struct export_columns *columns, bool with_contacts) must_check;

void export_columns_fini(struct export_columns *columns);

enum {
	EXPORT_COLUMNS_MAX = 16384,    /* what spreadsheets take */
	EXPORT_COLUMNS_OWN_MAX = 1024, /* that one customer adds to those of the others */
};

/**
 * The place of @name. Where it is not known it is added, or, once they are closed, SIZE_MAX.
 * Returns 0, -E2BIG beyond columns->count_max, or -ENOMEM.
 */
int export_columns_place(struct export_columns *columns, const char *name, size_t length,
                         size_t *ret) must_check;

/* export_choice.c */

/**
 * Read the @list of columns, separated by commas, into *@ret, which is empty and closed afterwards.
 * Returns 0, -EINVAL with the complaint, or -ENOMEM.
 */
int export_choice_read(const char *list, struct export_columns *ret,
                       struct config_complaint *complaint) must_check;

/** Whether there is a column of that name among @columns, which are closed. */
bool export_choice_has(struct export_columns *columns, const char *name);

/** Whether all the columns are among the @known ones, which are closed. */
bool export_choice_is_within(const struct export_columns *chosen, struct export_columns *known);

/**
 * The same, with a complaint about the first that is not: whether it is one of the @others, those
 * of the other table, or misspelt. Returns 0 or -EINVAL.
 */
int export_choice_check(const struct export_columns *chosen, struct export_columns *known,
                        struct export_columns *others,
                        struct config_complaint *complaint) must_check;

/* export_csv.c */

/** The name of the column with the id of a contact's customer. */
#define EXPORT_CUSTOMER "customer"

/** A value, as it is shown but for its escapes; of another than a string the text that was sent. */
struct export_cell {
	const char *text;
	size_t length;
	bool is_string;
	bool is_escaped; /* as it stands in JSON; see export_brief_decode() */
};

/** The paths that export_brief.c has met. */
struct export_brief {
	struct brief_node *nodes;
	uint32_t *buckets;
	uint32_t count;
	uint32_t capacity;
	uint32_t objects; /* that were gone through */
	uint32_t last;    /* node that was looked up */
};

struct export_csv {
	struct export_columns columns;
	bool with_contacts;
	bool is_safe; /* no cell is a formula */
	struct export_cell *cells;
	struct buffer row;
	struct buffer decoded;
	struct export_brief brief;
	bool *found; /* by export_csv_seek() */
};

/** What is done with the values of a customer, or of each of its contacts. */
struct export_visitor {
	/** Before the first; @customer is the id of the contact's customer, else NULL. */
	int (*begin)(struct export_csv *csv, const struct export_cell *customer);
	void (*value)(struct export_csv *csv, size_t column, const struct export_cell *cell);
	/** Behind the last. Both return 0 or a negative errno. */
	int (*end)(struct export_csv *csv);
};

void export_csv_init(struct export_csv *csv);
void export_csv_fini(struct export_csv *csv);

/**
 * Take note of the columns of the customer @json, as sent. Returns 0; -E2BIG if they are too many
 * or -ENAMETOOLONG if one is nested too deeply, none being taken; or another negative errno.
 */
int export_csv_survey(struct export_csv *csv, const char *json, size_t length) must_check;

/**
 * The place of the column with the path; as export_columns_place(). What a contact itself calls
 * EXPORT_CUSTOMER has a column whose name is escaped.
 */
int export_csv_column(struct export_csv *csv, const char *path, size_t length,
                      size_t *ret) must_check;

/** Set the places in @found of those columns, which are closed, that the customer has. Likewise. */
int export_csv_seek(struct export_csv *csv, const char *json, size_t length,
                    bool *found) must_check;

/** Have csv->row be the line of the columns' names. Returns as export_csv_survey(). */
int export_csv_head(struct export_csv *csv) must_check;

/** Have csv->row be the lines of the customer @json: one, or one a contact. Likewise. */
int export_csv_rows(struct export_csv *csv, const char *json, size_t length) must_check;

/** The same by way of a record, which takes ten times as long and any customer. */
int export_csv_visit_record(struct export_csv *csv, const struct export_visitor *visitor,
                            const char *json, size_t length) must_check;

/* export_words.c: the words that have to occur in a customer's values */

enum { EXPORT_WORDS_MAX = 16 };

struct export_words {
	struct buffer text;
	const char *words[EXPORT_WORDS_MAX]; /* folded, in text */
	size_t count;
	struct buffer folded; /* the values of the customer being looked at */
};

void export_words_init(struct export_words *words);
void export_words_fini(struct export_words *words);

/** The words in @text. Returns 0, -E2BIG if they are too many, or another negative errno. */
int export_words_add(struct export_words *words, const char *text) must_check;

/** Whether all of them occur in the customer @json: 1 or 0, or a negative errno. */
int export_words_match(struct export_words *words, const char *json, size_t length) must_check;

/* export_left.c: customers who cannot be rows, and whom the others do not wait for */

struct export_left {
	struct left_out *items; /* in the order of their lines */
	size_t count;
	size_t capacity;
	size_t next; /* who is due in this pass */
};

/** Begin a pass through the same lines. */
void export_left_rewind(struct export_left *left);

/** Whether the customer of the line, at or behind that of the last call, is left out. */
bool export_left_has(struct export_left *left, size_t line) must_check;

/**
 * Leave out the customer @json of a line behind those, for whom @error was returned. Returns 0;
 * @error if that is no matter of one customer; or -ENOMEM.
 */
int export_left_add(struct export_left *left, size_t line, const char *json, size_t length,
                    int error) must_check;

/** Tell who was left out, and why. Returns the exit status. */
int export_left_tell(const struct export_left *left) must_check;
void export_left_fini(struct export_left *left);

/* export_brief.c */

/** A customer that is not as nearly all are, and has to be read by way of a record. */
enum { EXPORT_NOT_BRIEF = 1 };

/**
 * Visit the values of the customer @json. Returns 0, EXPORT_NOT_BRIEF with some of them visited, or
 * a negative errno.
 */
int export_brief_walk(struct export_csv *csv, const struct export_visitor *visitor,
                      const char *json, size_t length) must_check;

/** The text of @cell, which is escaped. Returns 0 or -ENOMEM. */
int export_brief_decode(const struct export_cell *cell, struct buffer *ret) must_check;
void export_brief_fini(struct export_brief *brief);
