/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_WIRING_H
#define PILLION_WIRING_H

#include "core.h"

void pillion__warn(const char *text);

#endif
