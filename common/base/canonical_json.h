// The canonical form of plans, schemas and compiled plans: what digests are taken of.
#ifndef CURLEW_COMMON_BASE_CANONICAL_JSON_H_
#define CURLEW_COMMON_BASE_CANONICAL_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace curlew::base {

// `message` as JSON in the canonical form of RFC 8785: members sorted by name, no white space, the shortest
// escapes. Names are those of the .proto file; fields that hold their default are left out (a oneof's member
// that is set is kept); 64-bit integers are strings, enums their names, durations "1.5s", bytes base64, as in
// proto3 JSON; maps, whose keys must be texts, are objects. Doubles are not allowed: CHECK-fails on one.
// Deterministic over processes and versions.
std::string CanonicalJson(const google::protobuf::Message& message);

// SHA-256 of CanonicalJson(message), hexadecimal.
std::string CanonicalDigest(const google::protobuf::Message& message);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_CANONICAL_JSON_H_
