// cli/json.h -- parts of the contract for scripts, see reports/json.h.
#pragma once

#include "reports/json.h"
