// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keyed hash is SHA-256 of the key and a message of fixed length, one block in all, so that no message continues
 * another one. A bit of an address is flipped by the hash of the bits before it.
 */
#include "user/record/anonymizer.h"

#include <sha2.h>
#include <stdlib.h>

#define MESSAGE 18 /* bytes: what it is of, how many bits, and the bits */
#define CACHED 4096

/* What a message is of. */
enum domain { OF_IPV4 = 4, OF_IPV6 = 6, OF_ID = 16, OF_NAME };

#define PSEUDONYM sizeof("anon-0123456789abcdef")

struct cached {
	int family; /* 0: free */
	uint8_t ip[16], anonymous[16];
};

struct anonymizer {
	uint8_t key[SHA256_DIGEST_LENGTH];
	struct cached cache[CACHED]; /* addresses that came last, by their last bytes */
	char host[PSEUDONYM], netns[PSEUDONYM], container[2][PSEUDONYM], pod[2][PSEUDONYM];
};

struct anonymizer *anonymizer_new(const void *key, size_t len)
{
	struct anonymizer *a = calloc(1, sizeof(*a));
	SHA2_CTX hash;

	if (!a)
		return NULL;
	SHA256Init(&hash);
	SHA256Update(&hash, key, len);
	SHA256Final(a->key, &hash);
	return a;
}

void anonymizer_free(struct anonymizer *a)
{
	if (a)
		explicit_bzero(a->key, sizeof(a->key));
	free(a);
}

static void keyed_hash(const struct anonymizer *a, const uint8_t message[MESSAGE], uint8_t digest[SHA256_DIGEST_LENGTH])
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	SHA256Update(&hash, a->key, sizeof(a->key));
	SHA256Update(&hash, message, MESSAGE);
	SHA256Final(digest, &hash);
}

/* ---- addresses ---- */

static void flip_bits(const struct anonymizer *a, int family, const uint8_t *ip, uint8_t *anonymous)
{
	unsigned bits = family == 4 ? 32 : 128;
	uint8_t message[MESSAGE] = {family == 4 ? OF_IPV4 : OF_IPV6}, *prefix = message + 2;
	uint8_t digest[SHA256_DIGEST_LENGTH];

	memcpy(anonymous, ip, bits / 8);
	for (unsigned i = 0; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		message[1] = (uint8_t)i;
		keyed_hash(a, message, digest);
		anonymous[i / 8] ^= digest[0] & 1 ? bit : 0;
		prefix[i / 8] |= ip[i / 8] & bit;
	}
}

void anonymize_address(struct anonymizer *a, int family, uint8_t *ip)
{
	size_t len = family == 4 ? 4 : 16;
	struct cached *c = &a->cache[(ip[len - 1] | ip[len - 2] << 8 | ip[0] << 3) % CACHED];

	if (c->family != family || memcmp(c->ip, ip, len) != 0) {
		c->family = family;
		memcpy(c->ip, ip, len);
		flip_bits(a, family, ip, c->anonymous);
	}
	memcpy(ip, c->anonymous, len);
}

/* ---- names ---- */

/* Of texts of any length: their own hash is the message. */
static void hash_text(const struct anonymizer *a, enum domain domain, const char *text,
		      uint8_t digest[SHA256_DIGEST_LENGTH])
{
	uint8_t message[MESSAGE] = {(uint8_t)domain};
	SHA2_CTX hash;

	SHA256Init(&hash);
	SHA256Update(&hash, a->key, sizeof(a->key));
	SHA256Update(&hash, (const uint8_t *)text, strlen(text));
	SHA256Final(digest, &hash);
	memcpy(message + 2, digest, MESSAGE - 2);
	keyed_hash(a, message, digest);
}

static void put_hex(char *text, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

static void replace_name(const struct anonymizer *a, const char **name, char pseudonym[PSEUDONYM])
{
	static const char prefix[] = "anon-";
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (!*name)
		return;
	hash_text(a, OF_NAME, *name, digest);
	memcpy(pseudonym, prefix, sizeof(prefix));
	put_hex(pseudonym + sizeof(prefix) - 1, digest, 8);
	*name = pseudonym;
}

/* event.id follows from addresses and the host's name: who guesses them could try. */
static void replace_id(const struct anonymizer *a, char id[EVENT_ID_SIZE])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (!*id)
		return;
	hash_text(a, OF_ID, id, digest);
	put_hex(id, digest, (EVENT_ID_SIZE - 1) / 2);
}

void anonymize_record(struct anonymizer *a, struct record *r)
{
	replace_id(a, r->id);
	for (int role = SOURCE; role <= DESTINATION; role++) {
		anonymize_address(a, r->family, r->end[role].ip);
		replace_name(a, &r->socket[role].names.container, a->container[role]);
		replace_name(a, &r->socket[role].names.pod, a->pod[role]);
	}
	if (r->icmp.known)
		anonymize_address(a, r->family, r->icmp.by);
	for (unsigned i = 0; i < r->related_count; i++) {
		replace_id(a, r->related[i].id);
		for (int role = SOURCE; r->related[i].family && role <= DESTINATION; role++)
			anonymize_address(a, r->related[i].family, r->related[i].ip[role]);
	}
	replace_name(a, &r->host, a->host);
	replace_name(a, &r->netns, a->netns);
}
