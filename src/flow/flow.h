/* SPDX-License-Identifier: Apache-2.0
 * The door of flow: secure transport without sockets and clocks. Rooms: drop (reasons), suite
 * (primitives), keys (open and seal), ice (ICE-lite, consent), agent (full ICE), turn (client),
 * dtls (association, certificate). */
#pragma once
#include "flow/agent.h"
#include "flow/drop.h"
#include "flow/dtls.h"
#include "flow/ice.h"
#include "flow/keys.h"
#include "flow/suite.h"
#include "flow/turn.h"
