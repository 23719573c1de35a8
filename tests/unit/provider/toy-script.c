/* SPDX-License-Identifier: MIT */
/*
 * Steps as text: what a plugin does, what the cloud does meanwhile, and the expected result of
 * each call. One step at a time, on the test's own thread.
 */
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>

#define ARGS_MAX 5
#define SCRIPT_MAX 2048

/* The step that is being run. */
static struct {
	struct toy *toy;
	const char *script;
	struct lessor_call *call;
	struct lessor_change change;
	int verdict;
} play;

static const char *case_name = "";

#define NUMBER(text) strtoll(text, NULL, 10)

static uint32_t kind_of(const char *name)
{
	return strcmp(name, "server") == 0 ? LESSOR_KIND_SERVER :
	       strcmp(name, "key") == 0	   ? LESSOR_KIND_KEY :
					     LESSOR_KIND_SENTINEL;
}

/* ---- requests ------------------------------------------------------------------------ */

/* A request that breaks a rule was not sent, and the plugin gets an error. */
static int was_let_out(const struct lessor_http_response *response)
{
	return response->outcome == LESSOR_DID_NOT_HAPPEN &&
	       response->error_class == LESSOR_CLASS_BUG ? -1 : 0;
}

static int read_own(char **args)
{
	struct lessor_http_response response;

	toy_get(play.call, args[1], 0, &response);
	return was_let_out(&response);
}

static int read_shared(char **args)
{
	struct lessor_http_response response;

	toy_get(play.call, args[1], 60000, &response);
	return was_let_out(&response);
}

/* What the last permitted change asks for. */
static char *change_body(void)
{
	json_t *body = json_object(), *labels = json_object();
	char *text;

	for (size_t i = 0; i < play.change.label_count; i++)
		json_object_set_new(labels, play.change.labels[i].key,
				    json_string(play.change.labels[i].value));
	json_object_set_new(body, "labels", labels);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

static int send(char **args)
{
	int is_put = strcmp(args[0], "PUT") == 0;
	int is_bare = strcmp(args[0], "DELETE") == 0 || strcmp(args[0], "EFFECT") == 0;
	const char *protection = play.change.what == LESSOR_CHANGE_UNPROTECT ? "{\"delete\":false}" :
									      "{\"delete\":true}";
	char *labels = is_put && play.change.label_count ? change_body() : NULL;
	const char *body = is_bare ? NULL : labels ? labels : strstr(args[1], "/protect") ? protection :
									       "{\"a\":1}";
	struct lessor_http_response response;

	toy_send(play.call, strcmp(args[0], "EFFECT") == 0 ? "GET" : args[0], args[1],
		 args[2] ? NUMBER(args[2]) : 0, body, &response);
	free(labels);
	return was_let_out(&response);
}

/* ---- the ledger ---------------------------------------------------------------------- */

static int intend(char **args)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	return lessor_intend(play.call, kind_of(args[1]), 1, &intent);
}

static int created(char **args)
{
	return lessor_created(play.call, NUMBER(args[1]), args[2], args[3] ? args[3] : "");
}

static int not_created(char **args)
{
	return lessor_not_created(play.call, NUMBER(args[1]), "the plugin says no");
}

static int unknown(char **args)
{
	return lessor_unknown(play.call, NUMBER(args[1]), "the plugin does not know");
}

static int not_seen(char **args)
{
	return lessor_not_seen(play.call, NUMBER(args[1]));
}

/* A false observation of the plugin's: a wrong name, no labels. */
static void lie(uint32_t kind, const char *id, struct lessor_observed *ret)
{
	toy_see(id, ret);
	ret->kind = kind;
	ret->name = "a-lie";
}

static int adopt(char **args)
{
	struct lessor_observed seen;

	lie(kind_of(args[1]), args[2], &seen);
	if (args[3])
		seen.name = args[3];
	return lessor_adopt(play.call, &seen);
}

static int permit(char **args)
{
	struct lessor_observed seen;

	lie(LESSOR_KIND_SERVER, args[2] ? args[2] : "666", &seen);
	return lessor_permit_delete(play.call, NUMBER(args[1]), &seen);
}

static int deleting(char **args)
{
	return lessor_deleting(play.call, NUMBER(args[1]), args[2] ? args[2] : "");
}

static int delete_unknown(char **args)
{
	return lessor_delete_unknown(play.call, NUMBER(args[1]), "the plugin does not know");
}

static int still_there(char **args)
{
	return lessor_still_there(play.call, NUMBER(args[1]), "the plugin says so");
}

static int gone(char **args)
{
	return lessor_gone(play.call, NUMBER(args[1]), "the plugin says so");
}

static int change(char **args)
{
	uint32_t what = strcmp(args[0], "label") == 0	? LESSOR_CHANGE_LABELS :
			strcmp(args[0], "protect") == 0 ? LESSOR_CHANGE_PROTECT :
							  LESSOR_CHANGE_UNPROTECT;
	struct lessor_observed seen;

	lie(LESSOR_KIND_SERVER, args[2] ? args[2] : "666", &seen);
	play.change = (struct lessor_change){ .size = sizeof(play.change) };
	return lessor_permit_change(play.call, NUMBER(args[1]), what, &seen, &play.change);
}

/* ready ID NAME: ends with DONE. */
static int ready(char **args)
{
	lessor_output(play.call, LESSOR_OUT_HOST, "192.0.2.1");
	if (args[1])
		lessor_output(play.call, LESSOR_OUT_SERVER_ID, args[1]);
	if (args[1] && args[2])
		lessor_output(play.call, LESSOR_OUT_SERVER_NAME, args[2]);
	play.verdict = LESSOR_DONE;
	return 0;
}

/* ---- meanwhile, in the cloud ----------------------------------------------------------- */

static int cloud_put(char **args)
{
	toy_put(play.toy, args[1], args[2], args[3]);
	return 0;
}

static int cloud_take(char **args)
{
	toy_take(play.toy, args[1]);
	return 0;
}

/* mark ID KEY [VALUE]: without a value the label is removed. */
static int cloud_label(char **args)
{
	toy_label(play.toy, args[1], args[2], args[3]);
	return 0;
}

static int cloud_answer(char **args)
{
	toy_answer(play.toy, args[1], args[2], (int)NUMBER(args[3]), args[4]);
	return 0;
}

static int cloud_lose(char **args)
{
	toy_lose(play.toy, args[1], args[2]);
	return 0;
}

static int cloud_unsent(char **args)
{
	toy_unsent(play.toy, args[1], args[2]);
	return 0;
}

static int cloud_heal(char **args)
{
	(void)args;
	play.toy->fault_count = 0;
	return 0;
}

/* The step's deadline passes: it can send nothing more. */
static int time_over(char **args)
{
	(void)args;
	play.toy->wall_ms = play.call->host->deadline(play.call);
	return 0;
}

/* So many ms pass while nothing is sent: it stood still, or waited for a commit. */
static int time_passes(char **args)
{
	play.toy->mono_ms += NUMBER(args[1]);
	return 0;
}

/* From now on the account is another process's: nothing claimed becomes durable. */
static int account_moves(char **args)
{
	(void)args;
	play.toy->is_moved = 1;
	return 0;
}

/* ---- the interpreter -------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(char **args);
} verbs[] = {
	/* a request: path [row] */
	{ "GET", read_own },	   /* a read of this step's own */
	{ "SHARED", read_shared }, /* a read that may be coalesced */
	{ "POST", send },
	{ "PUT", send }, /* with the labels of the change, if it has any */
	{ "DELETE", send },
	{ "EFFECT", send }, /* a GET that is declared to have one */
	/* to the ledger: row ... */
	{ "intend", intend },	/* kind */
	{ "created", created }, /* row id [action] */
	{ "not_created", not_created },
	{ "unknown", unknown },
	{ "not_seen", not_seen },
	{ "adopt", adopt },	  /* kind id [name] */
	{ "permit", permit },	  /* row [id]: what the plugin claims to have read is false */
	{ "deleting", deleting }, /* row [action] */
	{ "delete_unknown", delete_unknown },
	{ "still_there", still_there },
	{ "gone", gone },
	{ "label", change },
	{ "protect", change },
	{ "unprotect", change },
	{ "ready", ready }, /* [id [name]] */
	/* the cloud */
	{ "put", cloud_put },	    /* collection id name */
	{ "take", cloud_take },	    /* id */
	{ "mark", cloud_label },    /* id key [value] */
	{ "answer", cloud_answer }, /* method target status [body] */
	{ "lose", cloud_lose },	    /* method target */
	{ "unsent", cloud_unsent }, /* method target */
	{ "heal", cloud_heal },
	{ "late", time_over },
	{ "pass", time_passes }, /* ms */
	{ "moved", account_moves },
};

static void verb_run(char *text)
{
	char *rest = NULL, *args[ARGS_MAX + 1] = { 0 };
	int expected = *text == '!' ? -1 : *text == '=' ? 1 : 0;
	int count = 0, result;

	text += expected != 0;
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (count == ARGS_MAX)
			fail_msg("%s: too many words", case_name);
		args[count++] = word;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, args[0]) != 0)
			continue;
		result = verbs[i].run(args);
		if (result != expected)
			fail_msg("%s: %s %s answers %d, and not %d", case_name, args[0],
				 args[1] ? args[1] : "", result, expected);
		return;
	}
	fail_msg("%s: there is no verb '%s'", case_name, args[0]);
}

static int play_script(struct lessor_call *call, const struct lessor_lease *lease)
{
	char text[SCRIPT_MAX], *rest = NULL;

	(void)lease;
	play.call = call;
	play.verdict = 0;
	if (snprintf(text, sizeof(text), "%s", play.script) >= SCRIPT_MAX)
		fail_msg("%s: too long", case_name);
	for (char *verb = strtok_r(text, ";", &rest); verb; verb = strtok_r(NULL, ";", &rest)) {
		verb += strspn(verb, " ");
		if (*verb)
			verb_run(verb);
	}
	return play.verdict ? play.verdict :
			      lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "the script is over");
}

struct step *toy_play(struct toy *toy, enum step_op op, const char *script)
{
	play.toy = toy;
	play.script = script;
	play.change = (struct lessor_change){ 0 };
	return toy_run(toy, op, play_script);
}

/* ---- cases -------------------------------------------------------------------------------- */

void toy_start_case(struct toy *toy, const struct lessor_provider *table, uint32_t state)
{
	toy_start_as(toy, table, 0);
	account_set_sentinel(toy->account, TOY_SENTINEL);
	toy_put(toy, "marks", TOY_SENTINEL, "sentinel");
	if (!state)
		return;
	toy_row(toy, LESSOR_KIND_SERVER, state, lessor_state_is_unsettled(state) ? "" : "42");
	if (!lessor_state_is_unsettled(state))
		toy_put(toy, "servers", "42", "toy-1");
	if (state == LESSOR_STATE_DELETING || state == LESSOR_STATE_DELETE_UNKNOWN)
		snprintf(toy->rows[0].action, sizeof(toy->rows[0].action), "7");
}

static void case_check(const struct toy *toy, const struct step *step, const struct toy_case *c)
{
	uint32_t state = toy->row_count ? toy->rows[0].state : 0;

	if (c->violation && !step->violation)
		fail_msg("%s: no violation", c->what);
	if (c->violation && !strstr(step->reason, c->violation))
		fail_msg("%s: '%s' does not say '%s'", c->what, step->reason, c->violation);
	if (!c->violation && step->violation)
		fail_msg("%s: violation: %s", c->what, step->reason);
	if (state != c->after)
		fail_msg("%s: the row's state is %u, and not %u", c->what, state, c->after);
	/* the step's own copy follows */
	if (c->after && step->ledger.resources[0].state != c->after)
		fail_msg("%s: the step's copy of the row has another state", c->what);
}

void toy_cases(const struct lessor_provider *table, enum step_op op, const struct toy_case *cases,
	       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct toy toy;
		struct step *step;

		case_name = cases[i].what;
		toy_start_case(&toy, table, cases[i].state);
		step = toy_play(&toy, op, cases[i].script);
		case_check(&toy, step, &cases[i]);
		step_free(step);
		toy_stop(&toy);
	}
	case_name = "";
}
