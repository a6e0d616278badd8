/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions of tables that had another size: whose number of workers, or of sessions, was another one. Before the workers turn; any one thread.
 */
#ifndef SLUICE_FLOW_RESIZE_H
#define SLUICE_FLOW_RESIZE_H

#include "flow/table.h"

/* Whether flow_table_new() would find the sessions of the options' file, or there are none to be found: no file, or one that another process has
 * open, of which flow_table_new() will complain. */
bool flow_fits(const struct flow_options *options);

/* Opens a table as large as its file says; NULL, with an error added if it is not such a file. */
struct flow_table *flow_table_found(const char *file, struct errors *errors);

/* Opens in `to` what `from` knows of a session, slots included. FLOW_CLASH: it is there already. `now` in milliseconds. */
enum flow_result flow_copy(struct flow_table *to, struct flow_table *from, struct session *s, uint32_t now);

#endif
