/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "kapturefs/command/status_page.h"

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

static const char *find_line(const char *page, const char *label)
{
	size_t length = strlen(label);

	while (*page && (strncmp(page, label, length) != 0 || page[length] != ' '))
		page = next_line(page);
	return page;
}

static void copy_words(const char *line, char *ret, size_t size)
{
	size_t length = strcspn(line, "\n");
	size_t skipped = length < STATUS_LABEL_WIDTH ? length : STATUS_LABEL_WIDTH;

	length -= skipped;
	if (length >= size)
		length = size - 1;
	memcpy(ret, line + skipped, length);
	ret[length] = '\0';
}

void status_find(const char *page, const char *label, char *ret, size_t size)
{
	copy_words(find_line(page, label), ret, size);
}

bool status_find_below(const char *page, const char *label, int number, char *ret, size_t size)
{
	const char *line = find_line(page, label);

	for (int i = 0; i < number; i++) {
		line = next_line(line);
		if (*line != ' ')
			return false;
	}
	copy_words(line, ret, size);
	return true;
}
