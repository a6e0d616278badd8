/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the files of a document into one text. The scanner knows just enough of libconfig's lexical rules to tell
 * numbers, strings, names and comments apart exactly as libconfig does; what it does not know it passes on, for
 * libconfig to refuse. Everything lives in the caller's struct source; one thread.
 */
#include "config/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/number.h"
#include "config/text_file.h"
#include "util/memory.h"

/* One file being scanned. Text before `from` is in the whole already. */
struct scan {
	struct source *source;
	struct errors *errors;
	const struct scan *includer; /* NULL for the outermost */
	const char *file;
	const char *begin, *p, *from;
	unsigned line, from_line;
	bool may_include;
	bool fatal; /* no sense in asking libconfig */
};

static bool scan_file(struct source *source, const struct scan *includer, const char *file, unsigned line,
                      struct errors *errors);

static void complain(struct scan *s, unsigned line, const char *code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static void complain(struct scan *s, unsigned line, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	errors_vadd(s->errors, NULL, code, s->file, line, format, args);
	va_end(args);
}

static void add_stretch(struct scan *s)
{
	struct source *source = s->source;

	source->stretches =
	        memory_grow(source->stretches, source->stretches_count, sizeof(*source->stretches));
	source->stretches[source->stretches_count++] =
	        (struct stretch){ .whole = source->lines + 1, .line = s->line, .file = s->file };
}

static void append(struct source *source, const char *text, size_t length)
{
	char *whole = realloc(source->text, source->length + length + 1);

	if (!whole)
		abort();
	memcpy(whole + source->length, text, length);
	source->text = whole;
	source->length += length;
	whole[source->length] = '\0';
}

void source_end_line(struct source *source)
{
	if (source->length == 0 || source->text[source->length - 1] == '\n')
		return;
	append(source, "\n", 1);
	source->lines++;
}

/* Puts what was scanned since the last time into the whole text. */
static void flush(struct scan *s)
{
	append(s->source, s->from, (size_t)(s->p - s->from));
	s->source->lines += s->line - s->from_line;
	s->from = s->p;
	s->from_line = s->line;
}

static void skip_line(struct scan *s)
{
	s->p += strcspn(s->p, "\n");
}

static void skip_comment(struct scan *s)
{
	unsigned began = s->line;

	for (s->p += 2; *s->p; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return;
		}
		s->line += *s->p == '\n';
	}
	complain(s, began, "syntax", "a comment begins here and never ends: expected */");
	s->fatal = true;
}

static void skip_string(struct scan *s)
{
	unsigned began = s->line;

	for (s->p++; *s->p; s->p++) {
		if (*s->p == '"') {
			s->p++;
			return;
		}
		if (s->p[0] == '\\' && (s->p[1] == 'x' || s->p[1] == 'X') && s->p[2] == '0' && s->p[3] == '0')
			complain(s, s->line, "nul-not-allowed", "a string cannot hold the character \\x00");
		if (s->p[0] == '\\' && s->p[1])
			s->p++;
		s->line += *s->p == '\n';
	}
	complain(s, began, "syntax", "a string begins here and never ends: expected \"");
	s->fatal = true;
}

static void skip_number(struct scan *s)
{
	enum number_fault fault;
	size_t length = number_scan(s->p, &fault);

	if (fault == NUMBER_NEEDS_L)
		complain(s, s->line, "integer-needs-L",
		         "%.*s does not fit 32 bits: write %.*sL for a 64-bit integer", (int)length, s->p,
		         (int)length, s->p);
	else if (fault == NUMBER_TOO_LARGE)
		complain(s, s->line, "out-of-range",
		         "%.*s does not fit 64 bits: expected -9223372036854775808 to 9223372036854775807",
		         (int)length, s->p);
	s->p += length;
}

static void open_bracket(struct scan *s)
{
	struct source *source = s->source;

	s->p++;
	if (source->depth == CONF_DEPTH) {
		complain(s, s->line, "too-deep", "nested deeper than %d brackets", CONF_DEPTH);
		s->fatal = true;
		return;
	}
	source->members[++source->depth] = 0;
}

static void close_bracket(struct scan *s)
{
	s->p++;
	if (s->source->depth > 0)
		s->source->depth--;
}

static void count_member(struct scan *s)
{
	s->p++;
	if (++s->source->members[s->source->depth] <= SOURCE_MEMBERS)
		return;
	complain(s, s->line, "too-many-members",
	         "more than %d members in one group: write a list ( ) of groups with a name each",
	         SOURCE_MEMBERS);
	s->fatal = true;
}

/* A path in the folder of the including file, unless it is absolute. */
static char *beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path[0] == '/' || !slash)
		return text_copy(path);
	return text_format("%.*s/%s", (int)(slash - file), file, path);
}

/* The text between the quotes, with \" and \\ resolved; NULL if the line ends first. Moves behind the quote. */
static char *include_path(struct scan *s)
{
	size_t room = strcspn(s->p, "\n"), length = 0;
	char *path = memory_new(room + 1, 1);

	for (; *s->p && *s->p != '\n' && *s->p != '"'; s->p++) {
		if (s->p[0] == '\\' && (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		path[length++] = *s->p;
	}
	if (*s->p++ == '"')
		return path;
	s->p--;
	free(path);
	return NULL;
}

static bool includes_itself(const struct scan *s, const char *file)
{
	for (; s; s = s->includer)
		if (!strcmp(s->file, file))
			return true;
	return false;
}

static unsigned include_depth(const struct scan *s)
{
	unsigned depth = 0;

	for (; s->includer; s = s->includer)
		depth++;
	return depth;
}

static void include(struct scan *s, const char *path)
{
	char *file = beside(s->file, path);

	if (!s->may_include)
		complain(s, s->line, "include-not-allowed",
		         "@include is for files: this text came from none");
	else if (includes_itself(s, file))
		complain(s, s->line, "include-cycle", "%s includes itself", file);
	else if (include_depth(s) == SOURCE_INCLUDES)
		complain(s, s->line, "include-too-deep", "files include each other deeper than %d",
		         SOURCE_INCLUDES);
	else if (!scan_file(s->source, s, file, s->line, s->errors))
		s->fatal = true;
	free(file);
}

/*
 * At a `@`: an include at the beginning of a line is replaced by its file. Anything else ends the reading here: after an
 * include that was taken out it could stand at the beginning of a line for libconfig, which would follow it, and which
 * ends the process if it leads to a folder.
 */
static void include_directive(struct scan *s)
{
	const char *begin = s->p;

	while (begin > s->begin && (begin[-1] == ' ' || begin[-1] == '\t'))
		begin--;
	size_t gap = strncmp(s->p, "@include", 8) ? 0 : strspn(s->p + 8, " \t");
	if ((begin > s->begin && begin[-1] != '\n') || gap == 0 || s->p[8 + gap] != '"') {
		complain(s, s->line, "syntax",
		         "a @ stands only in @include \"FILE\" at the beginning of a line");
		s->fatal = true;
		return;
	}
	flush(s);
	s->p += 8 + gap + 1;
	char *path = include_path(s);
	if (path)
		include(s, path);
	else
		complain(s, s->line, "syntax", "the name of the included file does not end: expected \"");
	free(path);
	source_end_line(s->source);
	s->from = s->p;
	add_stretch(s);
}

static bool name_begins(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

static void skip_name(struct scan *s)
{
	s->p += strspn(s->p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*_-");
}

static void scan_token(struct scan *s)
{
	char c = *s->p;

	if (name_begins(c))
		skip_name(s);
	else if (c == '"')
		skip_string(s);
	else if (c == '#' || (c == '/' && s->p[1] == '/'))
		skip_line(s);
	else if (c == '/' && s->p[1] == '*')
		skip_comment(s);
	else if (strchr("{([", c))
		open_bracket(s);
	else if (strchr("})]", c))
		close_bracket(s);
	else if (c == '=' || c == ':')
		count_member(s);
	else if (c == '@')
		include_directive(s);
	else if (strchr("+-.0123456789", c))
		skip_number(s);
	else
		s->line += *s->p++ == '\n';
}

static void skip_mark(struct scan *s)
{
	s->p = s->from = text_behind_mark(s->p);
	if (!text_is_utf16(s->p))
		return;
	complain(s, s->line, "not-utf-8", "the file is UTF-16: save it as UTF-8");
	s->fatal = true;
}

static bool scan_text(struct scan *s)
{
	skip_mark(s);
	add_stretch(s);
	while (*s->p && !s->fatal)
		scan_token(s);
	flush(s);
	return !s->fatal;
}

/* The bytes of a file, NUL-terminated; NULL with an errno value. Reads pipes too, up to the bound. */
static char *load(const char *file, size_t bound, size_t *length, int *error)
{
	FILE *stream = fopen(file, "re");
	char *text = NULL, *part = NULL;
	size_t room = 0, got = 0, more;

	if (!stream) {
		*error = errno;
		return NULL;
	}
	do {
		room += room ? room : 65536;
		part = realloc(text, room + 1);
		if (!part)
			abort();
		text = part;
		more = fread(text + got, 1, room - got, stream);
		got += more;
	} while (more > 0 && got <= bound);
	*error = ferror(stream) ? errno : got > bound ? EFBIG : 0;
	fclose(stream);
	text[got] = '\0';
	*length = got;
	if (*error) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *keep_name(struct source *source, const char *file)
{
	source->files = memory_grow(source->files, source->files_count, sizeof(*source->files));
	return source->files[source->files_count++] = text_copy(file);
}

static bool scan_file(struct source *source, const struct scan *includer, const char *file, unsigned line,
                      struct errors *errors)
{
	size_t length = 0;
	int error;
	char *text = load(file, SOURCE_BYTES - source->length, &length, &error);

	if (!text) {
		errors_add(errors, NULL, "cannot-read", includer ? includer->file : file, line,
		           "cannot read %s: %s", file, strerror(error));
		return false;
	}
	struct scan s = { .source = source,
		          .errors = errors,
		          .includer = includer,
		          .file = keep_name(source, file),
		          .begin = text,
		          .p = text,
		          .from = text,
		          .line = 1,
		          .from_line = 1,
		          .may_include = true };
	bool fine = scan_text(&s);
	if (fine && s.p != text + length) {
		complain(&s, s.line, "nul-not-allowed", "the file holds a NUL byte: is it a text?");
		fine = false;
	}
	free(text);
	return fine;
}

bool source_read_file(struct source *source, const char *file, struct errors *errors)
{
	memset(source, 0, sizeof(*source));
	append(source, "", 0);
	return scan_file(source, NULL, file, 0, errors);
}

bool source_read_text(struct source *source, const char *text, const char *name, struct errors *errors)
{
	memset(source, 0, sizeof(*source));
	append(source, "", 0);
	if (strlen(text) > SOURCE_BYTES) {
		errors_add(errors, NULL, "too-large", name, 0, "longer than %zu bytes", SOURCE_BYTES);
		return false;
	}
	struct scan s = { .source = source,
		          .errors = errors,
		          .file = keep_name(source, name ? name : "text"),
		          .begin = text,
		          .p = text,
		          .from = text,
		          .line = 1,
		          .from_line = 1 };
	return scan_text(&s);
}

static const struct stretch *find_stretch(const struct source *source, unsigned whole)
{
	size_t low = 0, high = source->stretches_count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (source->stretches[middle].whole <= whole)
			low = middle;
		else
			high = middle;
	}
	return &source->stretches[low];
}

void source_place(const struct source *source, unsigned whole, const char **file, unsigned *line)
{
	const struct stretch *stretch = find_stretch(source, whole);

	*file = stretch->file;
	*line = stretch->line + (whole > stretch->whole ? whole - stretch->whole : 0);
}

char *source_line(const struct source *source, unsigned whole)
{
	const char *p = source->text;

	for (; whole > 1 && *p; whole--) {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	p += strspn(p, " \t");
	size_t length = strcspn(p, "\r\n");
	return text_copy_n(p, length < 60 ? length : 60);
}

void source_free(struct source *source)
{
	for (size_t i = 0; i < source->files_count; i++)
		free(source->files[i]);
	free(source->files);
	free(source->stretches);
	free(source->text);
	memset(source, 0, sizeof(*source));
}
