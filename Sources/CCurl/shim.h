#ifndef CAMPAIGN_BRIDGE_CCURL_H
#define CAMPAIGN_BRIDGE_CCURL_H
#include <curl/curl.h>
#endif
