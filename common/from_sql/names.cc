#include "common/from_sql/names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/sql/query.h"

namespace curlew::from_sql {
namespace {

constexpr size_t kLongest = 63;

// At most `size` bytes of `name`, in whole characters.
absl::string_view Clip(absl::string_view name, size_t size) {
  if (name.size() <= size) return name;
  while (size > 0 && (name[size] & 0xC0) == 0x80) --size;
  return name.substr(0, size);
}

std::string KeyName(const pg_query::IndexElem& key) {
  if (!key.indexcolname().empty()) return key.indexcolname();
  if (!key.name().empty()) return key.name();
  pg_query::ResTarget target;
  *target.mutable_val() = key.expr();
  std::string name = sql::ColumnName(target);
  return name == "?column?" ? "expr" : name;
}

}  // namespace

std::string MakeObjectName(absl::string_view name1, absl::string_view name2, absl::string_view label) {
  const size_t overhead = label.size() + 1 + (name2.empty() ? 0 : 1);
  const size_t room = kLongest - overhead;
  size_t size1 = name1.size(), size2 = name2.size();
  while (size1 + size2 > room) --(size1 > size2 ? size1 : size2);
  return absl::StrCat(Clip(name1, size1), name2.empty() ? "" : "_", Clip(name2, size2), "_", label);
}

std::string ChooseName(absl::string_view name1, absl::string_view name2, absl::string_view label,
                       const IsTaken& taken) {
  std::string name = MakeObjectName(name1, name2, label);
  for (int pass = 1; taken(name); ++pass) name = MakeObjectName(name1, name2, absl::StrCat(label, pass));
  return name;
}

std::string NameAddition(const std::vector<std::string>& columns) {
  std::string addition;
  for (const std::string& column : columns) {
    absl::StrAppend(&addition, addition.empty() ? "" : "_", column);
    if (addition.size() > kLongest) break;
  }
  return addition;
}

std::vector<std::string> IndexColumnNames(const google::protobuf::RepeatedPtrField<pg_query::Node>& keys,
                                          const google::protobuf::RepeatedPtrField<pg_query::Node>& include) {
  std::vector<std::string> names;
  auto add = [&](const pg_query::Node& node) {
    const std::string original = KeyName(node.index_elem());
    std::string name = original;
    for (int i = 1; std::count(names.begin(), names.end(), name) > 0; ++i) {
      const std::string number = absl::StrCat(i);
      name = absl::StrCat(Clip(original, kLongest - number.size()), number);
    }
    names.push_back(std::move(name));
  };
  for (const pg_query::Node& key : keys) add(key);
  for (const pg_query::Node& column : include) add(column);
  return names;
}

}  // namespace curlew::from_sql
