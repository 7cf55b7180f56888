#include "cli/pki_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/text.h"

namespace curlew::cli {

std::string Validity(absl::Time begins, absl::Time ends, absl::Time now) {
  if (now >= ends) return absl::StrCat("expired at ", pki::Shown(ends));
  if (now < begins) return absl::StrCat("not valid before ", pki::Shown(begins));
  if (ends == absl::InfiniteFuture()) return "valid for ever";
  // What was made for 90 days a moment ago is valid for 90 days.
  const absl::Duration left = ends - now + absl::Minutes(1);
  const int64_t days = left / absl::Hours(24), hours = left / absl::Hours(1);
  return absl::StrCat("valid until ", pki::Shown(ends), " (",
                      days > 0 ? absl::StrCat(days, days == 1 ? " day" : " days")
                               : absl::StrCat(hours, hours == 1 ? " hour" : " hours"),
                      ")");
}

std::string NamesOf(const pki::CertificateFacts& facts) {
  std::vector<std::string> others = facts.dns;
  others.insert(others.end(), facts.ips.begin(), facts.ips.end());
  std::string names = facts.uris.empty() ? facts.subject : absl::StrJoin(facts.uris, ", ");
  if (!others.empty()) absl::StrAppend(&names, " (", absl::StrJoin(others, ", "), ")");
  return Printable(names);
}

}  // namespace curlew::cli
