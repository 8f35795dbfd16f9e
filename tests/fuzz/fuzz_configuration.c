/* SPDX-License-Identifier: MIT */
/*
 * What a user writes: the first byte says what it is, a configuration file, options as behind
 * `-o`, a SOURCE, or a file of secrets.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "kapturefs/config/file.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/config/source.h"
#include "kapturefs/config/table.h"

/* Stands at the end of every file of secrets, and in no complaint. */
static const char marker[] = "Zq7xPw2m";

/* A complaint is one line that a terminal can show, and there is one whenever there must be. */
static void check_outcome(int r, const struct config_complaint *complaint)
{
	assert_true(r == 0 || r == -EINVAL);
	if (!r)
		return;
	assert_in_range(strnlen(complaint->text, sizeof(complaint->text)), 1,
	                sizeof(complaint->text) - 1);
	assert_null(strpbrk(complaint->text, "\n\r\x1b"));
}

/* Every number is in its range, whatever was written. */
static void check_ranges(const struct config *config)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		char text[NUMBER_TEXT_SIZE];
		uint64_t number;
		uint64_t again;

		if (!option_is_number(option))
			continue;
		memcpy(&number, (const char *)config + option->offset, sizeof(number));
		assert_true(number == option->initial ||
		            (number >= option->minimum && number <= option->maximum));
		number_print(option_number_kind(option), number, text);
		assert_true(number_parse(option_number_kind(option), text, &again));
		assert_true(again == number);
	}
}

/* A file that is the user's own, in a directory that is, with @end behind the bytes. */
static void write_file(const struct input *input, const char *end, const char *path)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, input->bytes, input->length), input->length);
	assert_int_equal(write(descriptor, end, strlen(end)), strlen(end));
	close(descriptor);
}

static void check_file(const char *path)
{
	struct config_complaint complaint = { .text = "" };
	struct config_file file;
	int r = config_file_read(path, &file, &complaint);

	check_outcome(r, &complaint);
	if (r)
		return;
	assert_true(file.section_count > 0);
	for (size_t i = 0; i < file.section_count; i++) {
		struct config config;

		config_init(&config);
		/* A file that was read is good for every source. */
		assert_int_equal(config_file_apply(&file, i, &config, &complaint), 0);
		check_ranges(&config);
		if (i)
			assert_int_equal(config_file_find(&file, file.sections[i].base_url), i);
		config_fini(&config);
	}
	config_file_fini(&file);
}

static void check_options(const char *text)
{
	struct config_complaint complaint = { .text = "" };
	struct config config;

	config_init(&config);
	check_outcome(config_set_options(&config, text, "/etc", &complaint), &complaint);
	check_ranges(&config);
	config_fini(&config);
}

/* A source that was taken is spelled in a way that gives the same again. */
static void check_source(const char *text)
{
	struct config_complaint complaint = { .text = "" };
	struct config config;
	char *first;
	int r;

	config_init(&config);
	r = config_set_source(&config, text, &complaint);
	check_outcome(r, &complaint);
	if (!r) {
		first = strdup(config.base_url);
		assert_non_null(first);
		assert_non_null(config.host);
		assert_null(strchr(config.host, '/'));
		assert_int_equal(config_set_source(&config, first, &complaint), 0);
		assert_string_equal(config.base_url, first);
		free(first);
	}
	config_fini(&config);
}

static void check_secret(char *path, size_t place)
{
	struct config_complaint complaint = { .text = "" };
	struct config_secrets secrets = { 0 };
	struct config config = { 0 };
	char **const places[] = { &config.token_file, &config.header_file, &config.body_file };
	int r;

	*places[place] = path;
	r = place == 0 ? config_read_secrets(&config, &secrets, &complaint)
	               : config_check_secrets(&config, &complaint);
	check_outcome(r, &complaint);
	if (r)
		assert_null(strstr(complaint.text, marker));
	if (!r && place == 0)
		assert_null(strpbrk(secrets.token, "\r\n"));
	config_secrets_fini(&secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct input input = { bytes, length };
	uint8_t kind = input_byte(&input) % 6;
	cleanup(free_text) char *text = input_copy(&input, true);
	char directory[] = "/tmp/kapturefs-fuzz-XXXXXX";
	char path[sizeof(directory) + sizeof("/file")];

	if (kind == 1)
		check_options(text);
	if (kind == 2)
		check_source(text);
	if (kind == 1 || kind == 2)
		return 0;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	write_file(&input, kind == 0 ? "" : marker, path);
	if (kind == 0)
		check_file(path);
	else
		check_secret(path, kind - 3u);
	unlink(path);
	rmdir(directory);
	return 0;
}
