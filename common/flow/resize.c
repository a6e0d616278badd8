/* SPDX-License-Identifier: BSD-3-Clause */
/* From tables of one size to those of another. See resize.h. */
#include "flow/resize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "flow/carry.h"
#include "flow/table_private.h"
#include "util/errors.h"

/* What the file says of itself. False with errno set: it cannot be read. */
static bool read_header(const char *file, struct flow_header *header)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;
	int failed;

	if (fd < 0)
		return false;
	failed = flock(fd, LOCK_SH | LOCK_NB) != 0 ? errno : 0;
	n = failed ? 0 : pread(fd, header, sizeof(*header), 0);
	if (!failed && n != (ssize_t)sizeof(*header))
		failed = n < 0 ? errno : EINVAL;
	close(fd);
	errno = failed;
	return !failed;
}

bool flow_fits(const struct flow_options *options)
{
	struct flow_header found, planned;

	if (!read_header(options->file, &found))
		return errno == ENOENT || errno == EWOULDBLOCK;
	flow_plan(options, &planned);
	return flow_same_geometry(&found, &planned);
}

struct flow_table *flow_table_found(const char *file, struct errors *errors)
{
	struct flow_options options = { .file = file };
	struct flow_header found, planned;
	bool sound = read_header(file, &found);

	if (sound) {
		options.sessions_v4 = found.capacity[0];
		options.sessions_v6 = found.capacity[1];
		options.slot_bytes = found.slot_bytes;
		options.hash_seed = found.seed;
		flow_plan(&options, &planned);
		sound = flow_same_geometry(&found, &planned);
		errno = EINVAL;
	}
	if (!sound) {
		errors_add(errors, file, "no-sessions", NULL, 0, "no session memory: %s", strerror(errno));
		return NULL;
	}
	return flow_table_new(&options, errors);
}

static uint32_t slots_of(const struct flow_table *a, const struct flow_table *b)
{
	return a->header->slot_bytes < b->header->slot_bytes ? a->header->slot_bytes : b->header->slot_bytes;
}

enum flow_result flow_copy(struct flow_table *to, struct flow_table *from, struct session *s, uint32_t now)
{
	struct tuple forward, answer;
	struct flow_carry carry;
	struct session *copy;
	enum flow_result result;

	session_tuple(s, 0, &forward);
	session_tuple(s, 1, &answer);
	flow_carry_out(s, now, &carry);
	result = flow_carry_in(to, &forward, &carry, now, &copy);
	if (result != FLOW_OK)
		return result;
	memcpy(session_slot(copy, 0), session_slot(s, 0), slots_of(to, from));
	copy->layout = s->layout;
	copy->path = s->path;
	copy->bucket = s->bucket;
	copy->flags |= s->flags & (SESSION_WALK | SESSION_REWRITTEN);
	result = flow_commit(to, copy, s->flags & SESSION_ONEWAY ? NULL : &answer);
	if (result != FLOW_OK)
		flow_abandon(to, copy);
	return result;
}
