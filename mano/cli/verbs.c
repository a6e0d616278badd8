/* SPDX-License-Identifier: BSD-3-Clause */
/* Verbs and options of sluice: the one place that names them. See verbs.h. */
#include "cli/verbs.h"

#include <string.h>

const struct cli_option cli_options[] = {
	{ "server", 's', "unix:PATH|URL", false, true, "where sluiced is" },
	{ "context", 'C', "NAME", false, true, "a context to take that from (sluice context)" },
	{ "cacert", OPTION_IDENTITY + CLI_CACERT, "FILE", false, true,
	  "of the authority that an https server must be of" },
	{ "cert", OPTION_IDENTITY + CLI_CERT, "FILE", false, true, "certificate to show to it" },
	{ "key", OPTION_IDENTITY + CLI_KEY, "FILE", false, true, "its key" },
	{ "token", OPTION_IDENTITY + CLI_TOKEN, "TOKEN|@FILE", false, true,
	  "token to show to it; @: to be read from a file" },
	{ "output", 'o', "FORM", true, true, "table, wide, json, yaml or name" },
	{ "quiet", 'q', NULL, true, true, "no progress and no remarks, errors only" },
	{ "verbose", 'v', NULL, true, true, "print each request as curl" },
	{ "version", 'V', NULL, false, true, "print the version of sluice alone" },
	{ "help", 'h', NULL, true, true, "help of all, or of the verb that is named with it" },
	{ "file", 'f', "FILE", true, false, "libconfig, or JSON if it ends in .json; - is standard input" },
	{ "dry-run", 'd', NULL, false, false, "say what would change, change nothing" },
	{ "timeout", 't', "SECONDS", false, true,
	  "how long to wait for an answer and for the end of an operation (30; checking a change has a "
	  "minute more)" },
	{ "write", 'w', "FILE", true, false,
	  "where captured packets or a backup (- is standard output) or the bundle go" },
	{ "fix", 'x', NULL, false, false, "mend what can be mended without harm" },
	{ "force", 'O', NULL, false, false, "although services run" },
	{ "wait", 'y', "[CONDITION]", false, false,
	  "until there is something, or all of it is ready, degraded, stopped, deleted ...: operations are "
	  "awaited anyway" },
	{ "no-wait", 'n', NULL, false, false, "begin the operation, do not wait for its end" },
	{ "filter", 'F', "EXPRESSION", false, false,
	  "attributes of a list: (eq,state,ready);(in,kind,nat,firewall)" },
	{ "limit", 'L', "N", false, false, "so many at most of a list; else all pages are read" },
	{ "watch", 'W', NULL, false, false,
	  "print it anew whenever it changes, of logs what is added, until interrupted" },
	{ "last", 'l', "N", false, false, "the last N of events, lines, entries; then end" },
	{ "once", '1', NULL, false, false, "a single time" },
	{ "before", 'b', "NAME", false, false, "in front of this member of the chain" },
	{ "after", 'a', "NAME", false, false, "behind this member of the chain" },
	{ "build", 'B', "PATH", false, false, "the executable of one process" },
	{ "libexec", 'X', "DIR", false, false, "a folder with executables of all kinds" },
	{ "revision", 'r', "A[..B]", false, false, "from one revision to another, or to what is wanted now" },
	{ "confirm", 'k', "TIME", false, false,
	  "undo the change after that time (60s, 5m) unless sluice confirm comes first" },
	{ "comment", 'm', "TEXT", false, false, "why, for the history" },
	{ "role", OPTION_ROLE, "ROLE", false, false, "viewer, operator or admin" },
	{ "expires", OPTION_EXPIRES, "TIME", false, false,
	  "when it ends: 90d, 12h, or 2030-01-31T12:00:00Z; else never" },
	{ "packets", 'c', "N", false, false, "how many packets at most" },
	{ "seconds", 'S', "N", false, false, "how long at most" },
	{ NULL, 0, NULL, false, false, NULL },
};

#define CHANGES "dry-run wait no-wait"
#define REVISES CHANGES " confirm comment"

const struct cli_verb cli_verbs[] = {
	{ "get", "get NOUN [SERVICE[/NAME]]",
	  "services, vnfs, chains, ops, nodes, sessions, rules, mappings, ...", "filter limit watch wait",
	  "sluice get services\tall services and their states\n"
	  "sluice get vnf edge/nat -o yaml\tone function\n"
	  "sluice get session edge --filter '(eq,protocol,tcp)' --limit 20\tsome of its sessions\n"
	  "sluice get vnfs edge --watch\tas they change\n"
	  "sluice get service edge --wait=ready --timeout 60\tuntil it is ready\n"
	  "sluice get service edge --wait=deleted\tuntil it is gone\n",
	  command_get, false },
	{ "describe", "describe service|vnf|chain|op NAME", "all that a person wants to know of one of them",
	  "watch",
	  "sluice describe service edge\tstate, processes, ports, sessions, revisions, events\n"
	  "sluice describe vnf edge/fw --watch\tone function, each second\n"
	  "sluice describe op 12\twhat it did and why it failed\n",
	  command_describe, false },
	{ "apply", "apply -f FILE", "make it so: all of the file, or nothing", "file " REVISES,
	  "sluice apply -f edge.cfg\tand wait until it runs\n"
	  "sluice apply -f edge.cfg --dry-run\twhat would change\n"
	  "sluice apply -f edge.cfg --confirm 60s\tundone in a minute unless confirmed\n",
	  command_apply, false },
	{ "diff", "diff -f FILE | SERVICE[/VNF] [--revision A[..B]]",
	  "what apply would change, or what a revision did; exit 8 if anything", "file revision",
	  "sluice diff -f edge.cfg\tone change a line\n"
	  "sluice diff edge\twhat runs otherwise than is wanted\n"
	  "sluice diff edge --revision 3..5\tfrom one revision to another\n"
	  "sluice diff edge/fw --revision 3..running\tor to what runs\n",
	  command_diff, false },
	{ "validate", "validate -f FILE", "check a file; every error with its line", "file",
	  "sluice validate -f edge.cfg\tsays FILE:LINE: PATH: what is wrong\n", command_validate, false },
	{ "delete", "delete service NAME | -f FILE", "take a service down", "file " CHANGES,
	  "sluice delete service edge\tstops its processes\n"
	  "sluice delete -f edge.cfg\tall services of a file\n",
	  command_delete, false },
	{ "chain", "chain insert|remove|reorder|set SERVICE/CHAIN NAME...",
	  "change the functions that a chain crosses", "before after " REVISES,
	  "sluice chain insert edge/all fw --before nat\tput a function into a chain\n"
	  "sluice chain remove edge/all fw\ttake it out\n"
	  "sluice chain reorder edge/all lan nat fw wan\tthe same members in another order\n",
	  command_chain, false },
	{ "config", "config get|set|unset|diff SERVICE/VNF [PATH [VALUE] | -f FILE]",
	  "one function's configuration", "file " REVISES,
	  "sluice config get edge/fw\tas it runs\n"
	  "sluice config get edge/fw 'rules[ping].action'\tone value of it\n"
	  "sluice config set edge/fw 'rules[ping].action' drop\tanother\n"
	  "sluice config set edge/fw 'rules[ssh]' '{\"protocol\": \"tcp\", \"destinationPorts\": 22, "
	  "\"action\": "
	  "\"accept\"}'\tone rule more, the last\n"
	  "sluice config unset edge/fw 'rules[ssh]'\tand away with it\n"
	  "sluice config diff edge/fw -f fw.cfg\twhat a file would change\n",
	  command_config, false },
	{ "upgrade", "upgrade SERVICE[/VNF] [--build PATH | --libexec DIR]",
	  "its processes from another build, with their sessions; back by itself if that fails",
	  "build libexec " CHANGES,
	  "sluice upgrade edge --libexec /opt/sluice-2/libexec/sluice\tall processes of a service\n"
	  "sluice upgrade edge/nat --build /opt/sluice-2/libexec/sluice/sluice-nat\tone of them\n"
	  "sluice upgrade edge\tback to what is installed\n",
	  command_upgrade, false },
	{ "history", "history SERVICE[/VNF]", "its revisions: who, when, why", "",
	  "sluice history edge\tof a service\n"
	  "sluice history edge/fw\tthose by which one function changed\n",
	  command_history, false },
	{ "rollback", "rollback SERVICE[/VNF] [REVISION]",
	  "bring a revision back, as a new one; the last before, if none is named", REVISES,
	  "sluice rollback edge\twhat was there before, or what awaits a confirmation is undone\n"
	  "sluice rollback edge/fw 3\tone function's configuration\n",
	  command_rollback, false },
	{ "confirm", "confirm SERVICE", "keep what was changed with --confirm", "",
	  "sluice confirm edge\tbefore its time is over\n", command_confirm, false },
	{ "heal", "heal SERVICE[/VNF]", "kill and start anew", CHANGES,
	  "sluice heal edge/nat\tthe process that it runs in\n", command_heal, false },
	{ "restart", "restart SERVICE[/VNF]", "stop gently and start", CHANGES,
	  "sluice restart edge\tall processes of a service\n", command_restart, false },
	{ "op", "op list|show|wait|retry|fail|rollback [ID]",
	  "operations: what was changed; decide those that failed half-way", "filter limit " CHANGES,
	  "sluice op list\tthe last ones\n"
	  "sluice op wait 12 --timeout 60\tuntil it has ended\n",
	  command_op, false },
	{ "events", "events [SERVICE[/VNF]]", "what happens, as it happens", "last",
	  "sluice events\tuntil interrupted\n"
	  "sluice events edge\tof one service and its functions\n"
	  "sluice events --last 20 -o json\tthe last ones, one object a line\n",
	  command_events, false },
	{ "logs", "logs [SERVICE[/VNF]]", "what a process has logged, or sluiced itself", "last watch",
	  "sluice logs edge --last 20\tof the service's own process\n"
	  "sluice logs edge/fw --watch\tof the process that it runs in, and what is added\n",
	  command_logs, false },
	{ "top", "top", "functions, chains, workers and ports, live: rates, latency, busy shares", "once",
	  "sluice top\teach second\n"
	  "sluice top --once -o json\tone second, for a script\n",
	  command_top, false },
	{ "trace", "trace SERVICE[/CHAIN] [FILTER...]",
	  "the walk of packets: tcp, from PREFIX, to PREFIX, port N, in PORT", "packets seconds",
	  "sluice trace edge tcp from 192.0.2.0/24 port 443\twhere they went, and why\n", command_trace,
	  false },
	{ "capture", "capture SERVICE[/VNF] [at NAME] [FILTER...] -w FILE|-",
	  "pcapng of packets at ports, or around a VNF", "write packets seconds",
	  "sluice capture edge -w edge.pcapng --seconds 10\tall ports\n"
	  "sluice capture edge/nat tcp port 443 -w - | tcpdump -r -\tbefore and behind a function\n",
	  command_capture, false },
	{ "backup", "backup -w FILE|-", "all that sluiced remembers, as one file", "write",
	  "sluice backup -w sluice.backup\tservices, revisions, operations; an SQLite database\n",
	  command_backup, false },
	{ "restore", "restore FILE", "a backup in place of what sluiced remembers", "force dry-run",
	  "sluice restore sluice.backup\ton a host without services\n"
	  "sluice restore sluice.backup --force\tservices that are not in it end\n",
	  command_restore, false },
	{ "doctor", "doctor", "what this host lacks, and how to mend it", "fix dry-run",
	  "sluice doctor\texit 1 if anything is missing\n"
	  "sluice doctor --fix --dry-run\twhat would be mended\n"
	  "sluice doctor --fix\tfolders, sockets and files of the dead, missing hugepages\n",
	  command_doctor, false },
	{ "support-bundle", "support-bundle [-w FILE]",
	  "one file for those who help: descriptors, states, metrics, events, logs; no secrets, no sessions",
	  "write",
	  "sluice support-bundle\tsluice-support-TIME.tar.gz, here\n"
	  "sluice support-bundle -w /tmp/edge.tar.gz\tthere\n",
	  command_support_bundle, false },
	{ "explain", "explain [KIND[.MEMBER...]]", "what may be written in a descriptor or configuration", "",
	  "sluice explain\tkinds that can be explained\n"
	  "sluice explain chain.path\tone member: type, range, default, meaning\n"
	  "sluice explain firewall.rules\tall members of a list of a function\n",
	  command_explain, false },
	{ "token", "token list|create|show|revoke [NAME]", "tokens that let their owners in",
	  "role expires filter limit",
	  "sluice token create ci --role operator --expires 90d\tprinted this once\n"
	  "sluice token revoke ci\tfrom now on it lets nobody in\n",
	  command_token, false },
	{ "whoami", "whoami", "who one is to sluiced, and with which role", "",
	  "sluice whoami\tsubject and role\n", command_whoami, false },
	{ "audit", "audit", "who changed what, newest first", "last filter limit",
	  "sluice audit --last 20\tthe newest\n"
	  "sluice audit --filter '(eq,who,ci);(gte,status,400)' -o json\twhat a token was refused\n",
	  command_audit, false },
	{ "context", "context list|set|use|delete [NAME]", "which sluiced is spoken to", "dry-run",
	  "sluice context set lab --server unix:/run/lab/sluiced.sock\tremember one\n"
	  "sluice context set far --server https://192.0.2.1:8443 --cacert ca.crt --token @far.token\tover "
	  "TLS\n"
	  "sluice context use lab\ttake it from now on\n",
	  command_context, true },
	{ "completion", "completion bash|zsh|fish", "completion for a shell", "",
	  "eval \"$(sluice completion bash)\"\tfor this shell\n", command_completion, true },
	{ "help", "help [VERB]", "this, or help of a verb", "", "sluice help chain\thelp of one verb\n",
	  command_help, true },
	{ "version", "version", "versions of both ends", "", "sluice version -o json\tfor a script\n",
	  command_version, false },
	{ NULL, NULL, NULL, NULL, NULL, NULL, false },
};

const struct cli_verb *verb_find(const char *name)
{
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

const struct cli_option *option_find(const char *word)
{
	for (const struct cli_option *option = cli_options; option->name; option++)
		if ((strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0) ||
		    (option->has_short && word[0] == '-' && word[1] == option->letter && !word[2]))
			return option;
	return NULL;
}

const char *verb_name(unsigned i)
{
	return cli_verbs[i].name;
}

const char *option_name(unsigned i)
{
	return cli_options[i].name;
}

bool option_wants_word(const struct cli_option *option)
{
	return option->argument && option->argument[0] != '[';
}

bool verb_takes(const struct cli_verb *verb, const struct cli_option *option)
{
	size_t length = strlen(option->name);

	if (option->common)
		return true;
	for (const char *p = verb->options; (p = strstr(p, option->name)); p += length)
		if ((p == verb->options || p[-1] == ' ') && (p[length] == ' ' || !p[length]))
			return true;
	return false;
}
