/* SPDX-License-Identifier: MIT */
/*
 * The screen, drawn anew whenever something may have changed:
 *
 *   title    the mount
 *   health   with what is wrong, if anything is
 *   tables   a row a kind: now, in the last ten seconds, and a column of the graph a second
 *   waiting  as many as there is room for
 */

#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/text.h"
#include "kapturefs/command/status_page.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/command/top_screen.h"

enum {
	MEANWHILE = 10, /* seconds */
	LABEL_COLUMN = 2,
	NOW_COLUMN = 15,
	MEANWHILE_COLUMN = 25,
	GRAPH_COLUMN = 36,
	WORDS_SIZE_MAX = 1024,
	LINES_SMALL = 22,    /* fewer cannot show the tables */
	LINES_SPACIOUS = 32, /* room for lines between them */
};

enum colour { COLOUR_GOOD = 1, COLOUR_LIMITED, COLOUR_BAD, COLOUR_KERNEL, COLOUR_API, COLOUR_HITS };

/* Numbers */

static const struct top_sample *sample_ago(const struct top *top, size_t seconds)
{
	size_t back = seconds < top->count ? seconds : top->count - 1;

	return &top->samples[(top->count - 1 - back) % TOP_HISTORY];
}

static double rate_ago(const struct top *top, enum top_row row, size_t seconds)
{
	return top_rate(sample_ago(top, seconds + 1), sample_ago(top, seconds), row);
}

static double meanwhile_rate(const struct top *top, enum top_row row)
{
	return top_rate(sample_ago(top, MEANWHILE), sample_ago(top, 0), row);
}

static double hit_ratio_ago(const struct top *top, size_t seconds)
{
	return top_hit_ratio(sample_ago(top, seconds + 1), sample_ago(top, seconds));
}

static void print_seconds(double seconds, char *ret, size_t size)
{
	if (seconds < 0)
		snprintf(ret, size, "-");
	else if (seconds < 1e-3)
		snprintf(ret, size, "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(ret, size, "%.*f ms", seconds < 10e-3 ? 1 : 0, seconds * 1e3);
	else
		snprintf(ret, size, "%.1f s", seconds);
}

/* Drawing */

static void paint(const struct top *top, enum colour colour, bool is_on)
{
	if (!top->has_colours)
		return;
	if (is_on)
		attron(COLOR_PAIR(colour));
	else
		attroff(COLOR_PAIR(colour));
}

/* At most so many bytes that the line is not left; beyond ASCII there is only the graph. */
static void put(int line, int column, const char *text)
{
	if (line >= 0 && line < LINES && column < COLS)
		mvaddnstr(line, column, text, COLS - column);
}

static void draw_bar(const struct top *top, int line, int column, double part)
{
	static const char ascii[] = " ..::++##";
	int height = part <= 0 ? 0 : 1 + (int)(part * 7 + 0.5);
	char sign[] = { ascii[height > 8 ? 8 : height], '\0', '\0', '\0' };

	/* U+2581 to U+2588 fill one to eight parts of eight. */
	if (top->has_unicode && height > 0) {
		sign[0] = '\xe2';
		sign[1] = '\x96';
		sign[2] = (char)(0x80 + (height > 8 ? 8 : height));
	}
	mvaddstr(line, column, sign);
}

/* Room for seconds, the latest to the right. */
static int graph_width(const struct top *top)
{
	int room = COLS - GRAPH_COLUMN - 1;
	int known = (int)(top->count < TOP_HISTORY ? top->count : TOP_HISTORY) - 1;

	return known < room ? known : room;
}

static void draw_rates(const struct top *top, int line, enum top_row row, enum colour colour)
{
	int width = graph_width(top);
	double most = 1;

	for (int i = 0; i < width; i++) {
		double rate = rate_ago(top, row, (size_t)i);

		most = rate > most ? rate : most;
	}
	paint(top, colour, true);
	for (int i = 0; i < width; i++)
		draw_bar(top, line, COLS - 2 - i, rate_ago(top, row, (size_t)i) / most);
	paint(top, colour, false);
}

static void draw_rate_row(const struct top *top, int line, const char *label, enum top_row row,
                          enum colour colour)
{
	char number[32];

	put(line, LABEL_COLUMN, label);
	snprintf(number, sizeof(number), "%8.1f", rate_ago(top, row, 0));
	put(line, NOW_COLUMN, number);
	snprintf(number, sizeof(number), "%8.1f", meanwhile_rate(top, row));
	put(line, MEANWHILE_COLUMN, number);
	draw_rates(top, line, row, colour);
}

static void draw_heading(int line, const char *label, const char *now, const char *meanwhile)
{
	char padded[32];

	attron(A_BOLD);
	put(line, 1, label);
	attroff(A_BOLD);
	attron(A_DIM);
	snprintf(padded, sizeof(padded), "%8s", now);
	put(line, NOW_COLUMN, padded);
	snprintf(padded, sizeof(padded), "%8s", meanwhile);
	put(line, MEANWHILE_COLUMN, padded);
	attroff(A_DIM);
}

static void draw_latency_row(const struct top *top, int line, const char *label,
                             enum top_latency latency)
{
	static const double parts[] = { 0.5, 0.99 };
	static const int columns[] = { NOW_COLUMN, MEANWHILE_COLUMN };
	char seconds[16];
	char padded[32];

	put(line, LABEL_COLUMN, label);
	for (size_t i = 0; i < array_length(parts); i++) {
		print_seconds(top_quantile(sample_ago(top, MEANWHILE), sample_ago(top, 0), latency,
		                           parts[i]),
		              seconds, sizeof(seconds));
		snprintf(padded, sizeof(padded), "%8s", seconds);
		put(line, columns[i], padded);
	}
}

static void draw_ratio(int line, int column, double ratio)
{
	char number[32];

	if (ratio < 0)
		snprintf(number, sizeof(number), "%8s", "-");
	else
		snprintf(number, sizeof(number), "%6.1f %%", ratio * 100);
	put(line, column, number);
}

static void draw_hits(const struct top *top, int line)
{
	put(line, LABEL_COLUMN, "from cache");
	draw_ratio(line, NOW_COLUMN, hit_ratio_ago(top, 0));
	draw_ratio(line, MEANWHILE_COLUMN,
	           top_hit_ratio(sample_ago(top, MEANWHILE), sample_ago(top, 0)));
	paint(top, COLOUR_HITS, true);
	for (int i = 0; i < graph_width(top); i++)
		draw_bar(top, line, COLS - 2 - i, hit_ratio_ago(top, (size_t)i));
	paint(top, COLOUR_HITS, false);
}

static void draw_title(const struct top *top)
{
	char source[WORDS_SIZE_MAX];
	char title[WORDS_SIZE_MAX * 2];

	status_find(top->status, "source", source, sizeof(source));
	snprintf(title, sizeof(title), " kapturefs top   %s   %s", source, top->mountpoint);
	text_make_line(title);
	attron(A_REVERSE);
	mvhline(0, 0, ' ', COLS);
	put(0, 0, title);
	attroff(A_REVERSE);
}

static enum colour health_colour(const char *health)
{
	if (strcmp(health, "good") == 0)
		return COLOUR_GOOD;
	return strcmp(health, "limited") == 0 ? COLOUR_LIMITED : COLOUR_BAD;
}

/* Up to where the explanation begins. */
static void find_short(const struct top *top, const char *label, char *ret, size_t size)
{
	status_find(top->status, label, ret, size);
	ret[strcspn(ret, ":;,")] = '\0';
}

static void draw_health(const struct top *top)
{
	char health[32];
	char token[64];
	char breaker[64];
	char budget[128];
	char line[512];
	char reason[WORDS_SIZE_MAX];

	find_short(top, "health", health, sizeof(health));
	find_short(top, "token", token, sizeof(token));
	find_short(top, "breaker", breaker, sizeof(breaker));
	find_short(top, "budget", budget, sizeof(budget));
	if (strstr(budget, " requests"))
		*strstr(budget, " requests") = '\0';
	paint(top, health_colour(health), true);
	attron(A_BOLD);
	put(1, 1, top->has_unicode ? "●" : "*");
	put(1, 3, health);
	attroff(A_BOLD);
	if (status_find_below(top->status, "health", 1, reason, sizeof(reason)))
		put(2, 3, reason);
	paint(top, health_colour(health), false);
	snprintf(line, sizeof(line), "token %s   breaker %s   budget %s", token, breaker, budget);
	put(1, 12, line);
}

static void draw_waiting(const struct top *top, int line)
{
	char words[WORDS_SIZE_MAX];

	status_find(top->status, "waiting", words, sizeof(words));
	attron(A_BOLD);
	put(line, 1, "Waiting");
	attroff(A_BOLD);
	put(line, NOW_COLUMN, words);
	for (int i = 1; line + i < LINES - 1; i++) {
		if (!status_find_below(top->status, "waiting", i, words, sizeof(words)))
			break;
		put(line + i, LABEL_COLUMN, words);
	}
}

static void draw_tables(const struct top *top)
{
	static const struct {
		const char *label;
		enum top_row row;
		enum colour colour;
	} rows[] = {
		{ "look-ups", TOP_LOOKUP, COLOUR_KERNEL },
		{ "attributes", TOP_ATTRIBUTES, COLOUR_KERNEL },
		{ "listings", TOP_LISTING, COLOUR_KERNEL },
		{ "reads", TOP_READ, COLOUR_KERNEL },
		{ "links", TOP_LINK, COLOUR_KERNEL },
		{ "others", TOP_OTHER, COLOUR_KERNEL },
		{ "found", TOP_FOUND, COLOUR_API },
		{ "absent", TOP_ABSENT, COLOUR_API },
		{ "failed", TOP_FAILED, COLOUR_API },
	};
	int space = LINES >= LINES_SPACIOUS;
	int line = 3 + space;

	draw_heading(line++, "Kernel", "now /s", "10 s /s");
	for (size_t i = 0; i < array_length(rows); i++) {
		if (rows[i].row == TOP_FOUND) {
			line += space;
			draw_heading(line++, "API", "now /s", "10 s /s");
		}
		draw_rate_row(top, line++, rows[i].label, rows[i].row, rows[i].colour);
	}
	draw_hits(top, line++);
	line += space;
	draw_heading(line++, "Latency", "50 %", "99 %");
	draw_latency_row(top, line++, "kernel", TOP_KERNEL);
	draw_latency_row(top, line++, "API", TOP_API);
	line += space;
	draw_waiting(top, line);
}

static void draw_foot(const struct top *top)
{
	attron(top->is_paused ? A_BOLD : A_DIM);
	put(LINES - 1, 1,
	    top->is_paused ? "q quit   space go on   paused"
	                   : "q quit   space pause   a column is a second");
	attroff(A_BOLD | A_DIM);
}

/* In as many words as there is room for. */
static void draw_too_small(void)
{
	static const char *const words[] = { "The window is too small; q ends.",
		                             "too small; q ends", "q ends", "q" };
	size_t i = 0;

	while (i + 1 < array_length(words) && (int)strlen(words[i]) > COLS)
		i++;
	put(0, 0, words[i]);
}

void top_draw(const struct top *top)
{
	erase();
	if (LINES < LINES_SMALL || COLS < GRAPH_COLUMN + 8) {
		draw_too_small();
	} else {
		draw_title(top);
		draw_health(top);
		draw_tables(top);
		draw_foot(top);
	}
	refresh();
}

void top_begin_screen(struct top *top)
{
	top->has_unicode = terminal_has_unicode();
	initscr();
	raw();
	noecho();
	keypad(stdscr, true);
	curs_set(0);
	top->has_colours = terminal_has_colours(stdout) && has_colors();
	if (!top->has_colours)
		return;
	start_color();
	use_default_colors();
	init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
	init_pair(COLOUR_LIMITED, COLOR_YELLOW, -1);
	init_pair(COLOUR_BAD, COLOR_RED, -1);
	init_pair(COLOUR_KERNEL, COLOR_CYAN, -1);
	init_pair(COLOUR_API, COLOR_MAGENTA, -1);
	init_pair(COLOUR_HITS, COLOR_GREEN, -1);
}
