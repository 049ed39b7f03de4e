#include "cli/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/panic.h"

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *context) {
  (void)buffer, (void)size, (void)writing, (void)context;
  return -1;
}

static BIO *over(struct bytes text) {
  BIO *memory = BIO_new_mem_buf(text.data, (int)text.size);
  if (!memory) panic("out of memory");
  return memory;
}

static bool is_chain(struct bytes text, X509 **ret_first) {
  BIO *memory = over(text);
  *ret_first = PEM_read_bio_X509(memory, NULL, no_passphrase, NULL);
  bool good = *ret_first != NULL;
  while (good) { /* what follows is certificates to the end */
    X509 *next = PEM_read_bio_X509(memory, NULL, no_passphrase, NULL);
    if (!next) break;
    X509_free(next);
  }
  good = good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  BIO_free(memory);
  ERR_clear_error();
  return good;
}

static EVP_PKEY *read_key(struct bytes text) {
  BIO *memory = over(text);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(memory, NULL, no_passphrase, NULL);
  BIO_free(memory);
  ERR_clear_error();
  return key;
}

bool tls_files_check(const char *certificate_file, struct bytes certificate, const char *key_file,
                     struct bytes key, struct failure *ret_failure) {
  X509 *first;
  bool chain_is_good = is_chain(certificate, &first), good = false;
  EVP_PKEY *private_key = read_key(key);
  if (!chain_is_good)
    failure_set(ret_failure, "%s holds no certificates in PEM, or a damaged one", certificate_file);
  else if (!private_key)
    failure_set(ret_failure, "%s holds no private key in PEM, or a damaged one, or one with a passphrase",
                key_file);
  else if (X509_check_private_key(first, private_key) != 1)
    failure_set(ret_failure, "the key in %s is not that of the first certificate in %s", key_file,
                certificate_file);
  else
    good = true;
  X509_free(first);
  EVP_PKEY_free(private_key);
  ERR_clear_error();
  return good;
}
