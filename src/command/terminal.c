/* SPDX-License-Identifier: MIT */

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/command/terminal.h"

bool terminal_has_colours(FILE *stream)
{
	const char *refusal = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(fileno(stream)) && !(refusal && *refusal) && terminal &&
	       strcmp(terminal, "dumb") != 0;
}

bool terminal_has_unicode(void)
{
	return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ECMA-48, Select Graphic Rendition. */
const char *terminal_switch(bool has_colours, enum terminal_colour colour)
{
	static const char *const sequences[] = {
		[TERMINAL_PLAIN] = "\033[0m",  [TERMINAL_BOLD] = "\033[1m",
		[TERMINAL_DIM] = "\033[2m",    [TERMINAL_RED] = "\033[1;31m",
		[TERMINAL_GREEN] = "\033[32m", [TERMINAL_YELLOW] = "\033[33m",
	};

	return has_colours ? sequences[colour] : "";
}
