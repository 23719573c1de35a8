/* SPDX-License-Identifier: MIT */
#include "api/sshkey.h"

#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "util/alloc.h"

#define LINE_MAX_LEN 2047
#define COMMENT_MAX 64
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* The parts of the blob after the type. */
enum sshkey_part { END, RAW32, CURVE, POINT, NUMBER, MODULUS, APPLICATION };

static const struct sshkey_type {
	const char *name;
	const char *curve;
	size_t point;		/* bytes of an uncompressed point */
	enum sshkey_part parts[4];
} key_types[] = {
	{ "ssh-ed25519", NULL, 0, { RAW32, END } },
	{ "ecdsa-sha2-nistp256", "nistp256", 65, { CURVE, POINT, END } },
	{ "ecdsa-sha2-nistp384", "nistp384", 97, { CURVE, POINT, END } },
	{ "ecdsa-sha2-nistp521", "nistp521", 133, { CURVE, POINT, END } },
	{ "ssh-rsa", NULL, 0, { NUMBER, MODULUS, END } },
	{ "sk-ssh-ed25519@openssh.com", NULL, 0, { RAW32, APPLICATION, END } },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65,
	  { CURVE, POINT, APPLICATION, END } },
};

struct blob {
	const unsigned char *at;
	size_t left;
};

/* The next length-prefixed string; -1: there is none. */
static int blob_take(struct blob *blob, const unsigned char **ret, size_t *ret_len)
{
	uint32_t len;

	if (blob->left < 4)
		return -1;
	len = (uint32_t)blob->at[0] << 24 | (uint32_t)blob->at[1] << 16 |
	      (uint32_t)blob->at[2] << 8 | blob->at[3];
	if (len > blob->left - 4)
		return -1;
	*ret = blob->at + 4;
	*ret_len = len;
	blob->at += 4 + len;
	blob->left -= 4 + len;
	return 0;
}

static int text_equals(const unsigned char *data, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(data, text, len);
}

/* The number of bits of a positive number in its shortest form; 0: it is not one. */
static size_t number_bits(const unsigned char *data, size_t len)
{
	size_t bits;

	if (len == 0 || (data[0] & 0x80))
		return 0;
	if (data[0] == 0) {
		if (len == 1 || !(data[1] & 0x80))
			return 0;
		data++;
		len--;
	}
	bits = (len - 1) * 8;
	for (unsigned char top = data[0]; top; top >>= 1)
		bits++;
	return bits;
}

static int part_is(enum sshkey_part part, const struct sshkey_type *type, const unsigned char *data,
		   size_t len)
{
	size_t bits;

	switch (part) {
	case RAW32:
		return len == 32;
	case CURVE:
		return text_equals(data, len, type->curve);
	case POINT:
		return len == type->point && data[0] == 4;
	case NUMBER:
		bits = number_bits(data, len);
		return bits >= 2 && bits <= 64 && (data[len - 1] & 1);
	case MODULUS:
		bits = number_bits(data, len);
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && (data[len - 1] & 1);
	case APPLICATION:
		return len > 0 && len <= 64 && !memchr(data, '\0', len);
	case END:
		break;
	}
	return 0;
}

static int blob_is(const struct sshkey_type *type, const unsigned char *data, size_t len)
{
	struct blob blob = { data, len };
	const unsigned char *item;
	size_t item_len;

	if (blob_take(&blob, &item, &item_len) || !text_equals(item, item_len, type->name))
		return 0;
	for (const enum sshkey_part *part = type->parts; *part != END; part++) {
		if (blob_take(&blob, &item, &item_len) ||
		    !part_is(*part, type, item, item_len)) {
			return 0;
		}
	}
	return blob.left == 0;
}

/* Words of [A-Za-z0-9._@:+-], one space between them. */
static int comment_is(const char *s, size_t len)
{
	if (len == 0 || len > COMMENT_MAX || s[0] == ' ' || s[len - 1] == ' ')
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || strchr("._@:+-", s[i]) ||
		      (s[i] == ' ' && s[i + 1] != ' '))) {
			return 0;
		}
	}
	return 1;
}

static const struct sshkey_type *type_find(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
		size_t len = strlen(key_types[i].name);

		if (!strncmp(line, key_types[i].name, len) && line[len] == ' ')
			return &key_types[i];
	}
	return NULL;
}

/* OpenSSL's decoder tolerates white space and padding; encoding again detects both. */
static int base64_is(const char *text, size_t len, unsigned char *out, size_t *ret_len)
{
	unsigned char again[LINE_MAX_LEN + 5];
	int decoded;

	if (len == 0 || len % 4)
		return 0;
	decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (decoded < 0)
		return 0;
	*ret_len = (size_t)decoded - (text[len - 1] == '=') - (text[len - 2] == '=');
	EVP_EncodeBlock(again, out, (int)*ret_len);
	return !memcmp(again, text, len);
}

int sshkey_check(const char *line, char *out, size_t size, struct api_error *error)
{
	unsigned char data[LINE_MAX_LEN];
	const struct sshkey_type *type;
	const char *base64;
	const char *end;
	size_t len = strlen(line);
	size_t data_len;

	out[0] = '\0';
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len == 0 || len > LINE_MAX_LEN || len >= size) {
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must be one OpenSSH public key of at most %d bytes",
				     LINE_MAX_LEN);
	}
	memcpy(out, line, len);
	out[len] = '\0';
	type = type_find(out);
	if (!type) {
		out[0] = '\0';
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must begin with ssh-ed25519, ssh-rsa, "
				     "ecdsa-sha2-nistp256/384/521 or an sk- type of OpenSSH");
	}
	base64 = out + strlen(type->name) + 1;
	end = strchr(base64, ' ');
	if (!end) {
		end = out + len;
	} else if (!comment_is(end + 1, (size_t)(out + len - end - 1))) {
		out[0] = '\0';
		return api_error_set(error, 400, "invalid_public_key",
				     "the comment of sshPublicKey must be 1 to %d characters of "
				     "[A-Za-z0-9._@:+-] and single spaces",
				     COMMENT_MAX);
	}
	if (!base64_is(base64, (size_t)(end - base64), data, &data_len) ||
	    !blob_is(type, data, data_len)) {
		out[0] = '\0';
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must be exactly 'type base64 [comment]' with a "
				     "complete key of that type; an RSA key must have %d to %d bits",
				     RSA_BITS_MIN, RSA_BITS_MAX);
	}
	return 0;
}
