#ifndef CAMPAIGN_BRIDGE_CCRYPTO_H
#define CAMPAIGN_BRIDGE_CCRYPTO_H
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/err.h>
#endif
