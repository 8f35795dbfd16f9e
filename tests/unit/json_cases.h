#pragma once
/* SPDX-License-Identifier: MIT */
/* What RFC 8259 allows and what it does not, one case a line. */

#include <stddef.h>

/* A literal and its length, NUL bytes within included. */
#define JSON(text) text, sizeof(text) - 1

struct json_accepted {
	const char *text;
	size_t length;
	const char *armoured;
};

struct json_refused {
	const char *text;
	size_t length;
	size_t offset;
};

/* An answer as the API sends it. */
static const char json_answer[] =
        "{\"status\": \"success\", \"message\": \"\",\n"
        " \"Customer Details\": {\"id\": 191121684, \"name\": \"Zo\xc3\xab \\\"Z\\\" "
        "\\ud83d\\ude00\",\n"
        "  \"maxCreditAmt\": 0.0, \"city\": null, \"active\": true, \"blocked\": false,\n"
        "  \"balance\": -12.50e+3, \"contacts\": [{\"id\": 209432475, \"phone\": \"9380491326\"}, "
        "{}],\n"
        "  \"note\": \"a\\u0000b\\/\", \"tags\": []}}\n";

static const struct json_accepted json_accepted[] = {
	/* Any value is a text, blanks around it are four. */
	{ JSON("null"), "null" },
	{ JSON("true"), "true" },
	{ JSON("false"), "false" },
	{ JSON("\"\""), "\"s\"" },
	{ JSON("[]"), "[]" },
	{ JSON("{}"), "{}" },
	{ JSON(" \t\r\n7\n\r\t "), "\"n7\"" },
	{ JSON("\xef\xbb\xbf[]"), "[]" },
	{ JSON("\xef\xbb\xbf \"\xef\xbb\xbf\""), "\"s\xef\xbb\xbf\"" },
	/* Numbers are what was sent. */
	{ JSON("0"), "\"n0\"" },
	{ JSON("-0"), "\"n-0\"" },
	{ JSON("-0.0"), "\"n-0.0\"" },
	{ JSON("0.0"), "\"n0.0\"" },
	{ JSON("10"), "\"n10\"" },
	{ JSON("1234567890"), "\"n1234567890\"" },
	{ JSON("9007199254740993"), "\"n9007199254740993\"" },
	{ JSON("12345678901234567890123"), "\"n12345678901234567890123\"" },
	{ JSON("1e400"), "\"n1e400\"" },
	{ JSON("0e0"), "\"n0e0\"" },
	{ JSON("0E+00"), "\"n0E+00\"" },
	{ JSON("-1.50E-007"), "\"n-1.50E-007\"" },
	{ JSON("[1]"), "[\"n1\"]" },
	{ JSON("[ 1 , 2.5 ]"), "[\"n1\",\"n2.5\"]" },
	{ JSON("[true,false,null]"), "[true,false,null]" },
	{ JSON("[[],[[]],{}]"), "[[],[[]],{}]" },
	/* Objects, and names that are used twice or are empty. */
	{ JSON("{\"a\":1}"), "{\"a\":\"n1\"}" },
	{ JSON("{ \"a\" : \"b\" , \"c\" : { } }"), "{\"a\":\"sb\",\"c\":{}}" },
	{ JSON("{\"a\":1,\"a\":2,\"\":3}"), "{\"a\":\"n1\",\"a\":\"n2\",\"\":\"n3\"}" },
	/* Escapes stay escapes, but for the two that a C string cannot hold. */
	{ JSON("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"s\\\"\\\\\\/\\b\\f\\n\\r\\t\"" },
	{ JSON("\"\\u00e9\\u00E9\\uFFFF\\u0002\""), "\"s\\u00e9\\u00E9\\uFFFF\\u0002\"" },
	{ JSON("\"\\ud83d\\ude00\\uDBFF\\uDFFF\""), "\"s\\ud83d\\ude00\\uDBFF\\uDFFF\"" },
	/* Half of such a pair is U+FFFD, and three bytes of its own in a name. */
	{ JSON("\"\\ud800\""), "\"s\xef\xbf\xbd\"" },
	{ JSON("\"\\udc00\""), "\"s\xef\xbf\xbd\"" },
	{ JSON("\"Jos\\uD83D abc\""), "\"sJos\xef\xbf\xbd abc\"" },
	{ JSON("\"\\ud800\\n\""), "\"s\xef\xbf\xbd\\n\"" },
	{ JSON("\"\\ud800\\ud800\""), "\"s\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ JSON("\"\\ud800\\ud83d\\ude00\""), "\"s\xef\xbf\xbd\\ud83d\\ude00\"" },
	{ JSON("\"\\ud800\\u0041\""), "\"s\xef\xbf\xbd\\u0041\"" },
	{ JSON("\"\\ud800\\u0000\""), "\"s\xef\xbf\xbd\\u00010\"" },
	{ JSON("\"\\udc00\\ud800\""), "\"s\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ JSON("{\"\\udfff\":\"\\udfff\"}"), "{\"\xed\xbf\xbf\":\"s\xef\xbf\xbd\"}" },
	{ JSON("\"\\u0000\""), "\"s\\u00010\"" },
	{ JSON("\"\\u0001\""), "\"s\\u00011\"" },
	{ JSON("\"a\\u00000\\u00011b\""), "\"sa\\u000100\\u000111b\"" },
	{ JSON("{\"\\u0000\":\"\\\\u0000\"}"), "{\"\\u00010\":\"s\\\\u0000\"}" },
	/* What looks like the armour is not taken for it. */
	{ JSON("[\"n1\",\"s\",\"\"]"), "[\"sn1\",\"ss\",\"s\"]" },
	/* UTF-8 to its limits, and DEL. */
	{ JSON("\"\x7f\xc2\x80\xdf\xbf\""), "\"s\x7f\xc2\x80\xdf\xbf\"" },
	{ JSON("\"\xe0\xa0\x80\xed\x9f\xbf\""), "\"s\xe0\xa0\x80\xed\x9f\xbf\"" },
	{ JSON("\"\xee\x80\x80\xef\xbf\xbf\""), "\"s\xee\x80\x80\xef\xbf\xbf\"" },
	{ JSON("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), "\"s\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
	{ JSON("\"\xe2\x80\xa8\xe2\x80\xa9\""), "\"s\xe2\x80\xa8\xe2\x80\xa9\"" },
};

static const struct json_refused json_refused[] = {
	/* Nothing, or not a value. */
	{ JSON(""), 0 },
	{ JSON(" \n"), 2 },
	{ JSON("\xef\xbb\xbf"), 3 },
	{ JSON("\xef\xbb[]"), 0 },
	{ JSON("\xef\xbb\xbf\xef\xbb\xbf[]"), 3 },
	{ JSON(" \xef\xbb\xbf[]"), 1 },
	{ JSON("\xff\xfe[\0]\0"), 0 },
	{ JSON("[\0]\0"), 1 },
	{ JSON("\0"), 0 },
	{ JSON("<html>"), 0 },
	{ JSON("abc"), 0 },
	{ JSON("'a'"), 0 },
	{ JSON("\\u005b]"), 0 },
	/* Words. */
	{ JSON("True"), 0 },
	{ JSON("nul"), 3 },
	{ JSON("nulll"), 4 },
	{ JSON("tru"), 3 },
	{ JSON("truth"), 3 },
	{ JSON("falsE"), 4 },
	{ JSON("[nan]"), 2 },
	{ JSON("undefined"), 0 },
	/* Numbers. */
	{ JSON("NaN"), 0 },
	{ JSON("Infinity"), 0 },
	{ JSON("-Infinity"), 1 },
	{ JSON("01"), 1 },
	{ JSON("-01"), 2 },
	{ JSON("00"), 1 },
	{ JSON("1."), 2 },
	{ JSON("1.e1"), 2 },
	{ JSON("-1.x"), 3 },
	{ JSON(".5"), 0 },
	{ JSON("-.5"), 1 },
	{ JSON("+1"), 0 },
	{ JSON("-"), 1 },
	{ JSON("--1"), 1 },
	{ JSON("- 1"), 1 },
	{ JSON("1e"), 2 },
	{ JSON("1e+"), 3 },
	{ JSON("1E-x"), 3 },
	{ JSON("1e1.5"), 3 },
	{ JSON("1ee1"), 2 },
	{ JSON("1e+-1"), 3 },
	{ JSON("0x10"), 1 },
	{ JSON("1_000"), 1 },
	{ JSON("1,5"), 1 },
	{ JSON("1 000"), 2 },
	{ JSON("[1a]"), 2 },
	{ JSON("[-]"), 2 },
	{ JSON("1\0"), 1 },
	{ JSON("\xef\xbc\x91"), 0 },
	/* Arrays. */
	{ JSON("["), 1 },
	{ JSON("]"), 0 },
	{ JSON("[1"), 2 },
	{ JSON("[1,"), 3 },
	{ JSON("[1,]"), 3 },
	{ JSON("[,1]"), 1 },
	{ JSON("[,]"), 1 },
	{ JSON("[1,,2]"), 3 },
	{ JSON("[1 2]"), 3 },
	{ JSON("[1;2]"), 2 },
	{ JSON("[1}"), 2 },
	{ JSON("[\"a\":1]"), 4 },
	{ JSON("[1\f]"), 2 },
	{ JSON("[\xc2\xa0]"), 1 },
	{ JSON("[\v]"), 1 },
	/* Objects. */
	{ JSON("{"), 1 },
	{ JSON("}"), 0 },
	{ JSON("{]"), 1 },
	{ JSON("{\"a\""), 4 },
	{ JSON("{\"a\":"), 5 },
	{ JSON("{\"a\":1"), 6 },
	{ JSON("{\"a\":1,"), 7 },
	{ JSON("{\"a\":1,}"), 7 },
	{ JSON("{,}"), 1 },
	{ JSON("{\"a\":1,,\"b\":2}"), 7 },
	{ JSON("{\"a\" 1}"), 5 },
	{ JSON("{\"a\"::1}"), 5 },
	{ JSON("{\"a\":}"), 5 },
	{ JSON("{\"a\"}"), 4 },
	{ JSON("{\"a\",\"b\"}"), 4 },
	{ JSON("{\"a\"=1}"), 4 },
	{ JSON("{\"a\":1 \"b\":2}"), 7 },
	{ JSON("{\"a\":1]"), 6 },
	{ JSON("{a:1}"), 1 },
	{ JSON("{'a':1}"), 1 },
	{ JSON("{1:1}"), 1 },
	{ JSON("{null:1}"), 1 },
	{ JSON("{[]:1}"), 1 },
	{ JSON("{\"a\nb\":1}"), 3 },
	{ JSON("{\"\\x\":1}"), 3 },
	/* Something after the end. */
	{ JSON("[]x"), 2 },
	{ JSON("[]]"), 2 },
	{ JSON("[][]"), 2 },
	{ JSON("{} {}"), 3 },
	{ JSON("1 2"), 2 },
	{ JSON("\"a\"b"), 3 },
	{ JSON("{}\0"), 2 },
	{ JSON("{}\n\0"), 3 },
	{ JSON("{},"), 2 },
	{ JSON("{}\x1a"), 2 },
	/* Comments. */
	{ JSON("/* c */ 1"), 0 },
	{ JSON("// c\n1"), 0 },
	{ JSON("# c\n1"), 0 },
	{ JSON("1 // c"), 2 },
	{ JSON("[1 /* c */]"), 3 },
	/* Strings: ends and bytes that must be escaped. */
	{ JSON("\""), 1 },
	{ JSON("\"a"), 2 },
	{ JSON("\"a'"), 3 },
	{ JSON("\"a\nb\""), 2 },
	{ JSON("\"a\tb\""), 2 },
	{ JSON("\"\0\""), 1 },
	{ JSON("\"\x01\""), 1 },
	{ JSON("\"\x1f\""), 1 },
	/* Escapes. */
	{ JSON("\"\\\""), 3 },
	{ JSON("\"\\"), 2 },
	{ JSON("\"\\\0\""), 2 },
	{ JSON("\"\\a\""), 2 },
	{ JSON("\"\\'\""), 2 },
	{ JSON("\"\\0\""), 2 },
	{ JSON("\"\\x41\""), 2 },
	{ JSON("\"\\\n\""), 2 },
	{ JSON("\"\\U0041\""), 2 },
	{ JSON("\"\\\xc3\xa9\""), 2 },
	{ JSON("\"\\u\""), 3 },
	{ JSON("\"\\u00\""), 5 },
	{ JSON("\"\\u004\""), 6 },
	{ JSON("\"\\u004"), 6 },
	{ JSON("\"\\u00g0\""), 5 },
	{ JSON("\"\\u+041\""), 3 },
	{ JSON("\"\\u 041\""), 3 },
	{ JSON("\"\\u-001\""), 3 },
	{ JSON("\"\\u0x41\""), 4 },
	/* Behind half of a surrogate pair, as anywhere. */
	{ JSON("\"\\ud800"), 7 },
	{ JSON("\"\\ud800\\u\""), 9 },
	{ JSON("\"\\ud800\\udc0\""), 12 },
	{ JSON("\"\\ud800\\x\""), 8 },
	/* Not UTF-8. */
	{ JSON("\"\x80\""), 1 },
	{ JSON("\"\xbf\""), 1 },
	{ JSON("\"\xc0\x80\""), 1 },
	{ JSON("\"\xc1\xbf\""), 1 },
	{ JSON("\"\xc3\""), 1 },
	{ JSON("\"a\xc3"), 2 },
	{ JSON("\"\xe0\x9f\xbf\""), 1 },
	{ JSON("\"\xe2\x82\""), 1 },
	{ JSON("\"\xed\xa0\x80\""), 1 },
	{ JSON("\"\xed\xbf\xbf\""), 1 },
	{ JSON("\"\xf0\x8f\xbf\xbf\""), 1 },
	{ JSON("\"\xf0\x9f\x98\""), 1 },
	{ JSON("\"\xf4\x90\x80\x80\""), 1 },
	{ JSON("\"\xf5\x80\x80\x80\""), 1 },
	{ JSON("\"\xfe\""), 1 },
	{ JSON("\"\xff\""), 1 },
	{ JSON("{\"caf\xe9\":1}"), 5 },
};
