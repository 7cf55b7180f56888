#include "common/from_sql/casts.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sql/identifier.h"
#include "common/sql/type_name.h"

namespace curlew::from_sql {
namespace {

enum class Family {
  kOther,
  kText,
  kNumber,
  kInteger,
  kBoolean,
  kTime,
  kDate,
  kTimeOfDay,
  kJson,
  kNet,
  kBits
};

Family FamilyOf(absl::string_view type) {
  const auto canonical = sql::CanonicalType(type);
  std::string name = canonical.ok() ? *canonical : std::string(type);
  name = name.substr(0, name.find('('));
  if (absl::EndsWith(name, "[]")) return Family::kOther;
  if (name == "text" || absl::StartsWith(name, "character") || name == "name" || name == "\"char\"") {
    return Family::kText;
  }
  if (name == "integer" || name == "bigint" || name == "smallint") return Family::kInteger;
  if (name == "numeric" || name == "real" || name == "double precision") return Family::kNumber;
  if (name == "boolean") return Family::kBoolean;
  if (absl::StartsWith(name, "timestamp")) return Family::kTime;
  if (name == "date") return Family::kDate;
  if (absl::StartsWith(name, "time")) return Family::kTimeOfDay;
  if (name == "json" || name == "jsonb") return Family::kJson;
  if (name == "inet" || name == "cidr") return Family::kNet;
  if (absl::StartsWith(name, "bit")) return Family::kBits;
  return Family::kOther;
}

}  // namespace

bool HasCast(absl::string_view from, absl::string_view to) {
  if (sql::ClassifyTypeChange(from, to) != sql::TypeChange::kRewrite) return true;
  const Family a = FamilyOf(from), b = FamilyOf(to);
  if (a == Family::kText || b == Family::kText) return true;
  const bool number = a == Family::kNumber || a == Family::kInteger;
  if (number && (b == Family::kNumber || b == Family::kInteger)) return true;
  const auto is_integer = [](absl::string_view type) {
    const auto canonical = sql::CanonicalType(type);
    return canonical.ok() && *canonical == "integer";
  };
  if (a == Family::kBoolean) return is_integer(to);
  if (b == Family::kBoolean) return is_integer(from);
  if (a == Family::kOther || b == Family::kOther) {
    // Arrays of such types, and a type that differs in its modifiers only.
    if (absl::EndsWith(from, "[]") && absl::EndsWith(to, "[]")) {
      return HasCast(from.substr(0, from.size() - 2), to.substr(0, to.size() - 2));
    }
    return false;
  }
  if (a == b) return true;
  if (a == Family::kTime) return b == Family::kDate || b == Family::kTimeOfDay;
  return a == Family::kDate && b == Family::kTime;
}

std::string WayBack(absl::string_view column, absl::string_view from, const v1::ChangeType& change) {
  if (from.empty()) return "";
  const std::string name = sql::Ident(column);
  const bool by_text = change.up() == absl::StrCat(name, "::text::", change.type());
  const bool cast = HasCast(change.type(), from);
  // Words that stay the same.
  if (by_text && !cast) return absl::StrCat(name, "::text::", from);
  return "";
}

}  // namespace curlew::from_sql
