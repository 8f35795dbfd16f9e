#pragma once
/* SPDX-License-Identifier: MIT */
/* A word that is no name, and the name that was meant. */

/** Begin with the word alone. */
struct spelling {
	const char *word;
	const char *nearest; /* of the names that were tried; NULL if none is near */
	unsigned mistakes;   /* between the two */
};

/**
 * Try whether the word is @name misspelt, whatever the case, and nearer than the names before.
 * @name must outlive @spelling.
 *
 * Near is a beginning of two letters or more; or one mistake (a letter missing, added, replaced, or
 * exchanged with its neighbour), two in a name of six letters or more.
 */
void spelling_try(struct spelling *spelling, const char *name);
