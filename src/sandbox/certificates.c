/* SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "kapturefs/sandbox/certificates.h"

enum { DAY = 86400, YEAR = 365 * DAY, KEY_ID_SIZE_MAX = 64 };

define_cleanup(gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);

static void certificate_free(gnutls_x509_crt_t certificate)
{
	if (certificate)
		gnutls_x509_crt_deinit(certificate);
}
define_cleanup(gnutls_x509_crt_t, certificate_free);

/* A certificate and the key that it is for. */
struct pair {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

static void pair_fini(struct pair *pair)
{
	certificate_free(pair->certificate);
	gnutls_x509_privkey_deinit(pair->key);
}

static int to_errno(int r)
{
	if (r >= 0)
		return 0;
	return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EIO;
}

static int make_key(gnutls_x509_privkey_t *ret)
{
	int r = gnutls_x509_privkey_init(ret);

	if (r < 0)
		return r;
	return gnutls_x509_privkey_generate(*ret, GNUTLS_PK_ECDSA,
	                                    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int name_host(gnutls_x509_crt_t certificate, bool is_other)
{
	const char *host = is_other ? "sandbox.invalid" : "localhost";
	const struct in_addr address = { .s_addr = htonl(INADDR_LOOPBACK) };
	int r;

	r = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host,
	                                         (unsigned)strlen(host), GNUTLS_FSAN_SET);
	if (r < 0 || is_other)
		return r;
	return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &address,
	                                            sizeof(address), GNUTLS_FSAN_APPEND);
}

static int set_times(gnutls_x509_crt_t certificate, enum certificate which)
{
	time_t now = time(NULL);
	time_t begin = which == CERTIFICATE_NOT_YET_VALID ? now + DAY : now - YEAR;
	time_t finish = which == CERTIFICATE_EXPIRED ? now - DAY : now + YEAR;
	int r;

	r = gnutls_x509_crt_set_activation_time(certificate, begin);
	return r < 0 ? r : gnutls_x509_crt_set_expiration_time(certificate, finish);
}

/* All but the names and the signature. */
static int begin_certificate(gnutls_x509_privkey_t key, enum certificate which, const char *name,
                             gnutls_x509_crt_t *ret)
{
	unsigned char serial[] = { 1, (unsigned char)which, 0, 0, 0, 0, 0, 0 };
	int r;

	r = gnutls_rnd(GNUTLS_RND_NONCE, serial + 2, sizeof(serial) - 2);
	if (r >= 0)
		r = gnutls_x509_crt_init(ret);
	if (r >= 0)
		r = gnutls_x509_crt_set_version(*ret, 3);
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(*ret, serial, sizeof(serial));
	if (r >= 0)
		r = set_times(*ret, which);
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(*ret, GNUTLS_OID_X520_COMMON_NAME, 0, name,
		                                  (unsigned)strlen(name));
	return r < 0 ? r : gnutls_x509_crt_set_key(*ret, key);
}

/* Whose key signs which is told on both sides: strict clients, such as Python 3.13, insist. */
static int link_keys(gnutls_x509_crt_t certificate, const struct pair *authority)
{
	unsigned char id[KEY_ID_SIZE_MAX];
	size_t size = sizeof(id);
	int r;

	r = gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA1, id, &size);
	if (r >= 0)
		r = gnutls_x509_crt_set_subject_key_id(certificate, id, size);
	size = sizeof(id);
	if (r >= 0)
		r = gnutls_x509_privkey_get_key_id(authority->key, GNUTLS_KEYID_USE_SHA1, id,
		                                   &size);
	return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(certificate, id, size);
}

static int sign(gnutls_x509_crt_t certificate, const struct pair *authority)
{
	int r = link_keys(certificate, authority);

	return r < 0 ? r
	             : gnutls_x509_crt_sign2(certificate, authority->certificate, authority->key,
	                                     GNUTLS_DIG_SHA256, 0);
}

static int make_authority(struct pair *ret)
{
	int r;

	r = make_key(&ret->key);
	if (r >= 0)
		r = begin_certificate(ret->key, CERTIFICATE_GOOD, "kapturefs sandbox",
		                      &ret->certificate);
	if (r >= 0)
		r = gnutls_x509_crt_set_ca_status(ret->certificate, 1);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(ret->certificate, GNUTLS_KEY_KEY_CERT_SIGN);
	return r < 0 ? r : sign(ret->certificate, ret);
}

static int copy_pem(const gnutls_datum_t *pem, char **ret)
{
	*ret = strndup((const char *)pem->data, pem->size);
	return *ret ? 0 : GNUTLS_E_MEMORY_ERROR;
}

static int export_certificate(gnutls_x509_crt_t certificate, char **ret)
{
	gnutls_datum_t pem;
	int r;

	r = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
	if (r < 0)
		return r;
	r = copy_pem(&pem, ret);
	gnutls_free(pem.data);
	return r;
}

static int export_key(gnutls_x509_privkey_t key, char **ret)
{
	gnutls_datum_t pem;
	int r;

	r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
	if (r < 0)
		return r;
	r = copy_pem(&pem, ret);
	gnutls_free(pem.data);
	return r;
}

static int make_certificate(const struct pair *authority, gnutls_x509_privkey_t key,
                            enum certificate which, char **ret)
{
	cleanup(certificate_freep) gnutls_x509_crt_t certificate = NULL;
	struct pair itself;
	int r;

	r = begin_certificate(key, which, "localhost", &certificate);
	if (r >= 0)
		r = name_host(certificate, which == CERTIFICATE_OTHER_HOST);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (r < 0)
		return r;
	itself = (struct pair){ certificate, key };
	r = sign(certificate, which == CERTIFICATE_SELF_SIGNED ? &itself : authority);
	return r < 0 ? r : export_certificate(certificate, ret);
}

static int make_all(struct certificates *certificates)
{
	cleanup(gnutls_x509_privkey_deinitp) gnutls_x509_privkey_t key = NULL;
	cleanup(pair_fini) struct pair authority = { .key = NULL };
	int r;

	r = make_authority(&authority);
	if (r >= 0)
		r = export_certificate(authority.certificate, &certificates->authority);
	if (r >= 0)
		r = make_key(&key);
	if (r >= 0)
		r = export_key(key, &certificates->key);
	for (enum certificate which = 0; r >= 0 && which < CERTIFICATES; which++)
		r = make_certificate(&authority, key, which, &certificates->of[which]);
	return r;
}

int certificates_make(struct certificates *ret)
{
	struct certificates certificates = { .key = NULL };
	int r;

	r = to_errno(make_all(&certificates));
	if (r) {
		certificates_fini(&certificates);
		return r;
	}
	*ret = certificates;
	return 0;
}

void certificates_fini(struct certificates *certificates)
{
	if (certificates->key)
		explicit_bzero(certificates->key, strlen(certificates->key));
	free(certificates->authority);
	free(certificates->key);
	for (size_t i = 0; i < array_length(certificates->of); i++)
		free(certificates->of[i]);
	*certificates = (struct certificates){ .key = NULL };
}
