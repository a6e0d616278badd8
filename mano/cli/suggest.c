/* SPDX-License-Identifier: BSD-3-Clause */
/* The word that was probably meant. Pure functions. */
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned two = a < b ? a : b;

	return two < c ? two : c;
}

/* Distance of two short words: letters put in, left out, exchanged (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	unsigned row[LONGEST + 1], size = (unsigned)strlen(b);

	if (size > LONGEST)
		return LONGEST;
	for (unsigned j = 0; j <= size; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= size; j++) {
			unsigned above = row[j];

			row[j] = least(row[j - 1] + 1, above + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[size];
}

const char *suggest(const char *wrong, const char *(*word)(unsigned i))
{
	const char *best = NULL;
	unsigned nearest = 3;

	for (unsigned i = 0; word(i); i++) {
		unsigned far = distance(wrong, word(i));

		if (far < nearest && far < strlen(word(i))) {
			nearest = far;
			best = word(i);
		}
	}
	return best;
}

void suggest_print(const char *what, const char *wrong, const char *(*word)(unsigned i))
{
	const char *like = suggest(wrong, word);

	fprintf(stderr, "sluice: no %s \"%s\"", what, wrong);
	if (like)
		fprintf(stderr, ", do you mean \"%s\"?", like);
	fprintf(stderr, "\n");
}
