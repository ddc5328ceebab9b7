/* SPDX-License-Identifier: Apache-2.0
 * Telling the service manager how we are (sd_notify's protocol, without its library). */
#pragma once

/* "READY=1", "STOPPING=1", "STATUS=…", "WATCHDOG=1". Nothing happens without NOTIFY_SOCKET. */
void notify_send(const char *state);
