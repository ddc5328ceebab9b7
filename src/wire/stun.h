/* SPDX-License-Identifier: Apache-2.0
 * STUN messages (RFC 8489) with the attributes of ICE (RFC 8445) and what TURN (RFC 8656) needs, parsed
 * and built. Old RFC 3489 messages (no magic cookie) are refused. Functions are stunmsg_*: stun_* is a
 * library's. Pure. */
#pragma once
#include "base/addr.h"

enum {
  STUNMSG_HEAD_BYTES = 20,
  STUNMSG_ID_BYTES = 12,
  STUNMSG_COOKIE = 0x2112a442,
  STUNMSG_BINDING = 1,
  STUNMSG_ATTRS_MAX = 32,     /* more attributes than this: malformed */
  STUNMSG_UNKNOWN_MAX = 8,    /* so many unknown attributes are remembered */
  STUNMSG_USERNAME_MAX = 513, /* RFC 8489 14.3: fewer than 513 bytes */
};

enum stunmsg_class { STUNMSG_REQUEST, STUNMSG_INDICATION, STUNMSG_SUCCESS, STUNMSG_ERROR };

enum stunmsg_attr {
  STUNATTR_MAPPED_ADDRESS = 0x0001,
  STUNATTR_USERNAME = 0x0006,
  STUNATTR_MESSAGE_INTEGRITY = 0x0008,
  STUNATTR_ERROR_CODE = 0x0009,
  STUNATTR_UNKNOWN_ATTRIBUTES = 0x000a,
  STUNATTR_REALM = 0x0014,
  STUNATTR_NONCE = 0x0015,
  STUNATTR_MESSAGE_INTEGRITY_SHA256 = 0x001c,
  STUNATTR_XOR_MAPPED_ADDRESS = 0x0020,
  STUNATTR_PRIORITY = 0x0024,
  STUNATTR_USE_CANDIDATE = 0x0025,
  STUNATTR_SOFTWARE = 0x8022,
  STUNATTR_FINGERPRINT = 0x8028,
  STUNATTR_ICE_CONTROLLED = 0x8029,
  STUNATTR_ICE_CONTROLLING = 0x802a,
  STUNATTR_NOMINATION = 0xc001, /* renomination, as libwebrtc numbers it: 32 bits, the highest counts */
};

/* A parsed message: views into the datagram, which must outlive it. */
struct stunmsg {
  const uint8_t *bytes; /* bytes is the datagram, n its length. */
  size_t n;
  uint16_t method; /* method is STUNMSG_BINDING or another one. */
  enum stunmsg_class class;
  uint8_t id[STUNMSG_ID_BYTES]; /* id is the transaction id. */
  bool has_username, has_priority, has_integrity, has_integrity256, has_fingerprint, use_candidate,
      has_controlling, has_controlled, has_mapped;
  uint32_t nomination;   /* nomination is the number of NOMINATION, 0 without one. */
  struct slice username; /* username is "local:remote" of the receiver's view. */
  uint32_t priority;
  uint64_t tie_breaker;                  /* tie_breaker of the role attribute. */
  struct addr mapped;                    /* mapped is XOR-MAPPED-ADDRESS (or MAPPED-ADDRESS). */
  uint16_t error;                        /* error is the code of ERROR-CODE, 0 without one. */
  struct slice reason;                   /* reason is its text, not to be trusted. */
  uint16_t unknown[STUNMSG_UNKNOWN_MAX]; /* comprehension-required types that we don't know */
  size_t unknowns;
  size_t integrity_at; /* integrity_at is the offset of MESSAGE-INTEGRITY's head. */
};

/* 0, or -EBADMSG: lengths, cookie, a bad size of a known attribute, an attribute after FINGERPRINT,
 * a wrong FINGERPRINT. Attributes after MESSAGE-INTEGRITY other than FINGERPRINT and
 * MESSAGE-INTEGRITY-SHA256 are ignored, repeated ones too (RFC 8489 14). Proves nothing about the
 * sender. */
int stunmsg_parse(struct stunmsg *ret, const uint8_t *p, size_t n) must_check;
/* MESSAGE-INTEGRITY (SHA-1, short-term: key is the password) is there and right. */
bool stunmsg_is_intact(const struct stunmsg *m, struct slice key) must_check;
/* The value of the first attribute of that type before the integrity; p NULL: there is none. */
struct slice stunmsg_find(const struct stunmsg *m, uint16_t type);
/* A value as of XOR-MAPPED-ADDRESS (XOR-RELAYED-ADDRESS, XOR-PEER-ADDRESS). 0 or -EBADMSG. */
int stunmsg_address(const struct stunmsg *m, struct slice value, struct addr *ret) must_check;
/* The part of USERNAME before the colon; empty without one. */
struct slice stunmsg_ufrag(const struct stunmsg *m);
/* The same straight from a datagram, for demultiplexing: empty if it is no well-formed Binding
 * request with a USERNAME. */
struct slice stunmsg_peek_ufrag(const uint8_t *p, size_t n);

/* Building: begin, attributes, then finish. Everything is bounded by room; stunmsg_end() tells. */
struct stunmsg_out {
  uint8_t *base;
  size_t n, room;
  bool bad;
};
void stunmsg_begin(struct stunmsg_out *o, void *buf, size_t room, enum stunmsg_class class,
                   const uint8_t id[STUNMSG_ID_BYTES]);
void stunmsg_set_method(struct stunmsg_out *o, uint16_t method); /* after begin; begin says Binding */
void stunmsg_put(struct stunmsg_out *o, uint16_t type, struct slice value); /* padded */
void stunmsg_put_u32(struct stunmsg_out *o, uint16_t type, uint32_t v);     /* PRIORITY */
void stunmsg_put_u64(struct stunmsg_out *o, uint16_t type, uint64_t v);     /* ICE-CONTROLLED/ING */
void stunmsg_put_mapped(struct stunmsg_out *o, const struct addr *a);       /* XOR-MAPPED-ADDRESS */
void stunmsg_put_xored(struct stunmsg_out *o, uint16_t type, const struct addr *a); /* the same form */
void stunmsg_put_error(struct stunmsg_out *o, unsigned code); /* 400 401 420 487 … */
void stunmsg_put_unknown(struct stunmsg_out *o, const uint16_t *types, size_t n);
void stunmsg_put_integrity(struct stunmsg_out *o, struct slice key);
void stunmsg_put_fingerprint(struct stunmsg_out *o);
size_t stunmsg_end(const struct stunmsg_out *o); /* bytes, or 0 if it did not fit */
