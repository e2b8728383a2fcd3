#ifndef CAMPAIGN_BRIDGE_CYAML_H
#define CAMPAIGN_BRIDGE_CYAML_H
#include <yaml.h>
#endif
