#include "cli/token_view.h"

#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/text.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Printable(text); }

}  // namespace

std::string TokenState(const v1::Token& token, absl::Time now) {
  if (token.has_revoke_time()) return "revoked";
  return base::FromProto(token.expire_time()) <= now ? "expired" : "counts";
}

Table TokenTable(const google::protobuf::RepeatedPtrField<v1::Token>& tokens, absl::Time now,
                 absl::TimeZone zone) {
  Table table({"NAME", "STATE", "UNTIL", "MADE", "BY", "PURPOSE"});
  for (const v1::Token& token : tokens) {
    const absl::Time until =
        base::FromProto(token.has_revoke_time() ? token.revoke_time() : token.expire_time());
    table.AddRow({OrDash(Bare(token.name())), TokenState(token, now), ShortTime(until, zone),
                  ShortTime(base::FromProto(token.create_time()), zone), OrDash(token.creator()),
                  OrDash(token.purpose())});
  }
  return table;
}

}  // namespace curlew::cli
