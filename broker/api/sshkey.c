/* SPDX-License-Identifier: MIT */
#include "api/sshkey.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "util/alloc.h"
#include "util/text.h"

#define LINE_MAX_LEN 2047
#define BLANKS " \t"
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

/* sshd ignores a comment, but control characters could hide a second line. */
static int line_is(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return 0;
	}
	return 1;
}

static const struct sshkey_type *type_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
		if (text_equals((const unsigned char *)name, len, key_types[i].name))
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
	size_t len = text_trim(&line, strlen(line));
	size_t type_len, base64_len, data_len;

	out[0] = '\0';
	if (len == 0 || len > LINE_MAX_LEN || len >= size || !line_is(line, len)) {
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must be one OpenSSH public key of at most %d bytes, "
				     "on one line without control characters",
				     LINE_MAX_LEN);
	}
	type_len = strcspn(line, BLANKS);
	type = type_find(line, type_len);
	if (!type) {
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must begin with ssh-ed25519, ssh-rsa, "
				     "ecdsa-sha2-nistp256/384/521 or an sk- type of OpenSSH");
	}
	base64 = line + type_len + strspn(line + type_len, BLANKS);
	base64_len = strcspn(base64, BLANKS "\r\n");
	if (!base64_is(base64, base64_len, data, &data_len) || !blob_is(type, data, data_len)) {
		return api_error_set(error, 400, "invalid_public_key",
				     "sshPublicKey must be 'type base64 [comment]' with a complete "
				     "key of that type; an RSA key must have %d to %d bits",
				     RSA_BITS_MIN, RSA_BITS_MAX);
	}
	snprintf(out, size, "%s %.*s", type->name, (int)base64_len, base64);
	return 0;
}
