/* SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/contexts.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/file.h"
#include "util/text.h"

#define SETTINGS_BYTES_MAX (64u << 10)
#define TOKEN_WHAT "the token file"

struct file_settings {
	char *url;
	char *token_file;
	char *ca_file;
	char *account;
	char *class_name;
};

/* The one file that is read. */
struct source {
	char *path;    /* NULL: there is none */
	int must;      /* it must exist */
	char *context; /* NULL: it is no context's */
	const char *context_from;
	int first; /* it overrides the environment */
};

struct file_reader {
	struct file_text in;
	size_t at; /* in the file: the next line */
	const char *path;
	int line; /* the current one */
	struct file_settings *out;
	struct err *err; /* the first error; kind ERR_NONE: none so far */
};

static char *line_read(char *str, int num, void *stream)
{
	struct file_reader *reader = stream;
	const char *from = reader->in.text + reader->at;
	const char *end;
	size_t len;

	if (reader->err->kind || reader->at >= reader->in.len)
		return NULL;
	end = memchr(from, '\n', reader->in.len - reader->at);
	len = end ? (size_t)(end - from) + 1 : reader->in.len - reader->at;
	reader->line++;
	/* inih would parse the rest of a long line as another line. */
	if (len >= (size_t)num) {
		err_set(reader->err, ERR_INVALID, "%s:%d: the line is longer than %d bytes",
			reader->path, reader->line, num - 2);
		return NULL;
	}
	reader->at += len;
	memcpy(str, from, len);
	str[len] = '\0';
	return str;
}

static int value_take(void *data, const char *section, const char *name, const char *value)
{
	struct file_reader *reader = data;
	struct file_settings *out = reader->out;
	const struct {
		const char *name;
		char **value;
	} keys[] = {
		{ "url", &out->url },	       { "token_file", &out->token_file },
		{ "ca_file", &out->ca_file },  { "account", &out->account },
		{ "class", &out->class_name },
	};
	size_t i;

	if (reader->err->kind)
		return 0;
	if (*section) {
		err_set(reader->err, ERR_INVALID,
			"%s:%d: a setting in section [%.40s]; this file "
			"has no sections",
			reader->path, reader->line, section);
		return 0;
	}
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name))
			continue;
		if (*keys[i].value || !*value) {
			err_set(reader->err, ERR_INVALID, "%s:%d: '%s' is %s", reader->path,
				reader->line, name, *value ? "given twice" : "empty");
			return 0;
		}
		*keys[i].value = xstrdup(value);
		return 1;
	}
	err_set(reader->err, ERR_INVALID,
		"%s:%d: unknown setting '%.40s'; the settings are url, "
		"token_file, ca_file, account and class",
		reader->path, reader->line, name);
	return 0;
}

/* `must` is 0 for the default path, where the file may be missing. */
static int settings_read(const char *path, int must, struct file_settings *out, struct err *err)
{
	struct err first = { 0 };
	struct file_reader reader = { .path = path, .out = out, .err = &first };
	int bad;

	if (file_load(path, "the settings file", FILE_PIPES, SETTINGS_BYTES_MAX, &reader.in,
		      &first)) {
		if (!must && (first.native == ENOENT || first.native == ENOTDIR))
			return 0;
		if (err)
			*err = first;
		return -1;
	}
	bad = ini_parse_stream(line_read, &reader, value_take, &reader);
	file_text_fini(&reader.in);
	if (!first.kind && bad)
		err_set(&first, ERR_INVALID, "%s:%d: not of the form 'key = value'", path, bad);
	if (!first.kind)
		return 0;
	if (err)
		*err = first;
	return -1;
}

static const char *env_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* A variable without the white space that files of variables leave around it; the caller frees. */
static char *env_trimmed(const char *name)
{
	const char *value = env_get(name);
	size_t len = value ? text_trim(&value, strlen(value)) : 0;

	return len ? xstrndup(value, len) : NULL;
}

/* A path in the settings file: ~/ is the home directory; relative to the file's directory. */
static char *path_resolve(const char *path, const char *file)
{
	const char *home = env_get("HOME");
	const char *slash = strrchr(file, '/');

	if (!strncmp(path, "~/", 2) && home)
		return xasprintf("%s/%s", home, path + 2);
	if (path[0] == '/' || !slash)
		return xstrdup(path);
	return xasprintf("%.*s/%s", (int)(slash - file), file, path);
}

/* The token without white space around it. Errors never contain it. */
int settings_parse_token(const char *text, const char *from, char **ret, struct err *err)
{
	size_t len = text_trim(&text, strlen(text));

	if (len == 0)
		return err_set(err, ERR_INVALID, "the token from %s is empty", from);
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return err_set(err, ERR_INVALID,
				       "the token from %s must be printable ASCII "
				       "without spaces",
				       from);
	}
	*ret = xstrndup(text, len);
	return 0;
}

int settings_read_token(const char *path, char **ret, struct err *err)
{
	auto_file_text struct file_text file = { 0 };
	auto_close int fd = -1;
	struct stat st;

	fd = file_open(path, TOKEN_WHAT, FILE_PIPES, &st, err);
	if (fd < 0)
		return -1;
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
		text_warning("every user of this machine can read the token file '%s'; "
			     "run chmod 600 on it",
			     path);
	if (file_read(fd, path, TOKEN_WHAT, FILE_PIPES, SETTINGS_TOKEN_MAX, &file, err) < 0)
		return -1;
	return settings_parse_token(file.text, path, ret, err);
}

static int token_take(const char *value, const char *from, struct settings *ret, struct err *err)
{
	if (settings_parse_token(value, from, &ret->token, err))
		return -1;
	ret->token_from = xstrdup(from);
	return 0;
}

static int token_take_file(const char *path, const char *from, struct settings *ret,
			   struct err *err)
{
	if (settings_read_token(path, &ret->token, err))
		return err_prefix(err, "%s: ", from);
	ret->token_from = xasprintf("%s (%s)", path, from);
	return 0;
}

static int source_choose(const struct settings_flags *flags, struct source *ret, struct err *err)
{
	const char *name = flags->context;

	*ret = (struct source){ .context_from = "--context", .first = name != NULL };
	if (name && (flags->config || flags->url))
		return err_set(err, ERR_INVALID, "--context and %s are mutually exclusive",
			       flags->config ? "--config" : "--url");
	if (name) {
		ret->context = xstrdup(name);
	} else if (flags->config) {
		ret->path = xstrdup(flags->config);
		ret->must = 1;
		return 0;
	} else if ((ret->context = env_trimmed("LESSOR_CONTEXT")) != NULL) {
		ret->context_from = "LESSOR_CONTEXT";
	} else if (context_current(&ret->context, err)) {
		return -1;
	} else {
		ret->context_from = "lessor context use";
	}
	if (ret->context && !strcmp(ret->context, CONTEXT_NONE))
		free(take(ret->context));
	if (!ret->context) {
		ret->path = contexts_path("lessor.conf");
		return 0;
	}
	if (context_require(ret->context, err))
		return err_prefix(err, "%s: ", ret->context_from);
	ret->path = context_conf_path(ret->context);
	ret->must = 1;
	return 0;
}

static int url_choose(const struct settings_flags *flags, const struct file_settings *file,
		      const struct source *source, struct settings *ret, struct err *err)
{
	const char *file_path = source->path;
	const struct {
		const char *value;
		const char *from;
	} places[] = {
		{ flags->url, "--url" },
		{ source->first ? NULL : env_get("LESSOR_URL"), "LESSOR_URL" },
		{ source->first ? NULL : env_get("CRABBOX_COORDINATOR"), "CRABBOX_COORDINATOR" },
		{ file->url, file_path },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(places); i++) {
		const char *value = places[i].value;
		size_t len = value ? text_trim(&value, strlen(value)) : 0;

		if (!len)
			continue;
		ret->url = xstrndup(value, len);
		ret->url_from = xstrdup(places[i].from);
		return 0;
	}
	if (source->context)
		return err_set(err, ERR_INVALID,
			       "the context '%s' has no URL of lessord: %s needs url = ...",
			       source->context, file_path);
	return err_set(err, ERR_INVALID,
		       "no URL of lessord given; run lessor login --url URL, or set LESSOR_URL and "
		       "LESSOR_TOKEN, or write url = ... and token_file = ... to %s",
		       file_path ? file_path : "a file for --config");
}

/* A context's own token: nobody is logged in without it. */
static int token_take_own(const struct file_settings *file, const struct source *source,
			  struct settings *ret, struct err *err)
{
	auto_free char *own = context_token_path(source->context);
	auto_free char *path = path_resolve(file->token_file, source->path);

	if (own && !strcmp(own, path) && access(path, F_OK) < 0)
		return 0;
	return token_take_file(path, source->path, ret, err);
}

static int token_choose(const struct settings_flags *flags, const struct file_settings *file,
			const struct source *source, struct settings *ret, struct err *err)
{
	int from_file = source->path && !strcmp(ret->url_from, source->path);
	auto_free char *other_url = env_trimmed("CRABBOX_COORDINATOR");
	auto_free char *token_file = env_trimmed("LESSOR_TOKEN_FILE");
	auto_free char *path = NULL;

	if (flags->without_token)
		return 0;
	if (flags->token_file)
		return token_take_file(flags->token_file, "--token-file", ret, err);
	if (source->first)
		return file->token_file ? token_take_own(file, source, ret, err) : 0;
	if (env_get("LESSOR_TOKEN"))
		return token_take(env_get("LESSOR_TOKEN"), "LESSOR_TOKEN", ret, err);
	if (token_file)
		return token_take_file(token_file, "LESSOR_TOKEN_FILE", ret, err);
	/* A token for that coordinator must not be sent anywhere else. */
	if (env_get("CRABBOX_COORDINATOR_TOKEN") && other_url && !strcmp(other_url, ret->url))
		return token_take(env_get("CRABBOX_COORDINATOR_TOKEN"), "CRABBOX_COORDINATOR_TOKEN",
				  ret, err);
	if (!file->token_file)
		return 0;
	if (source->context)
		return from_file ? token_take_own(file, source, ret, err) : 0;
	path = path_resolve(file->token_file, source->path);
	return token_take_file(path, source->path, ret, err);
}

/* A wrong file is refused even if the URL needs none; a wrong variable of curl's is not. */
static int ca_choose(const struct settings_flags *flags, const struct file_settings *file,
		     const char *file_path, struct settings *ret, struct err *err)
{
	auto_free char *variable = env_trimmed("LESSOR_CA_FILE");
	auto_free char *path = NULL;

	if (flags->ca_file)
		return ca_load(flags->ca_file, "--ca-file", 0, &ret->ca, err);
	if (variable)
		return ca_load(variable, "LESSOR_CA_FILE", 0, &ret->ca, err);
	if (file->ca_file) {
		path = path_resolve(file->ca_file, file_path);
		return ca_load(path, "ca_file", 0, &ret->ca, err);
	}
	return strncasecmp(ret->url, "https:", 6) == 0 ? ca_from_environment(&ret->ca, err) : 0;
}

static void file_settings_fini(struct file_settings *file)
{
	free(file->url);
	free(file->token_file);
	free(file->ca_file);
	free(file->account);
	free(file->class_name);
}

static int source_load(const struct settings_flags *flags, struct source *source,
		       struct settings *ret, struct err *err)
{
	struct file_settings file = { 0 };
	int result = 0;

	if (source->path)
		result = settings_read(source->path, source->must, &file, err);
	if (result == 0)
		result = url_choose(flags, &file, source, ret, err);
	if (result == 0)
		result = token_choose(flags, &file, source, ret, err);
	/* What a context says is about its own server. */
	if (result == 0 && source->context && strcmp(ret->url_from, source->path) != 0) {
		free(take(file.ca_file));
		free(take(file.account));
		free(take(file.class_name));
	} else if (source->context) {
		ret->context = take(source->context);
		ret->context_from = xstrdup(source->context_from);
	}
	if (result == 0)
		result = ca_choose(flags, &file, source->path, ret, err);
	ret->account = take(file.account);
	ret->class_name = take(file.class_name);
	file_settings_fini(&file);
	return result;
}

int settings_load(const struct settings_flags *flags, struct settings *ret, struct err *err)
{
	struct source source;
	int result;

	*ret = (struct settings){ 0 };
	result = source_choose(flags, &source, err);
	if (result == 0)
		result = source_load(flags, &source, ret, err);
	free(source.path);
	free(source.context);
	return result;
}

int settings_load_context(const char *name, int with_token, struct settings *ret, struct err *err)
{
	const struct settings_flags flags = { .context = name, .without_token = !with_token };

	return settings_load(&flags, ret, err);
}

void settings_fini(struct settings *settings)
{
	if (settings->token)
		explicit_bzero(settings->token, strlen(settings->token));
	free(settings->url);
	free(settings->url_from);
	free(settings->token);
	free(settings->token_from);
	ca_unref(settings->ca);
	free(settings->context);
	free(settings->context_from);
	free(settings->account);
	free(settings->class_name);
	*settings = (struct settings){ 0 };
}
