#include "agent/executor/accepted_rows.h"

#include <cstdint>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

// The values in a key of RowKey, "contacts (a, b)=(1, 2)", of `columns`.
std::optional<std::string> ValuesOf(const std::string& key, const std::string& columns) {
  const std::string label = absl::StrCat(" (", columns, ")=(");
  const size_t at = key.find(label);
  if (at == std::string::npos || !absl::EndsWith(key, ")")) return std::nullopt;
  const size_t begin = at + label.size();
  return key.substr(begin, key.size() - 1 - begin);
}

// `expression`, a text, is one of `values`.
std::string IsOneOf(const std::string& expression, const std::vector<std::string>& values) {
  return absl::StrCat("(", expression, " = ANY (", sql::Literal(*pg::ArrayParam(values)),
                      "::pg_catalog.text[]))");
}

}  // namespace

absl::Status ExceptAcceptedRows(pg::Connection* connection, const std::string& run,
                                std::vector<Heap>* heaps) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute("SELECT DISTINCT leaf, row_key FROM curlew.problem"
                                       " WHERE run = $1 AND state = 'accepted'",
                                       {run}));
  std::map<uint32_t, std::vector<std::string>> keys;
  for (int64_t i = 0; i < rows.size(); ++i) {
    keys[static_cast<uint32_t>(rows.Int(i, 0))].push_back(rows.Text(i, 1));
  }
  for (Heap& heap : *heaps) {
    const auto accepted = keys.find(heap.leaf.oid);
    if (accepted == keys.end()) continue;
    ASSIGN_OR_RETURN(
        const pg::Result columns,
        connection->Execute("SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place),"
                            " string_agg(format('t.%I', a.attname), ', ' ORDER BY k.place)"
                            " FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
                            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
                            " WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts",
                            {absl::StrCat(heap.leaf.oid)}));
    std::vector<std::string> by_key, by_place;
    for (const std::string& key : accepted->second) {
      if (const auto values = ValuesOf(key, columns.Text(0, 0));
          values.has_value() && !columns.IsNull(0, 0)) {
        by_key.push_back(*values);
      } else if (const auto place = ValuesOf(key, "ctid"); place.has_value() && columns.IsNull(0, 0)) {
        by_place.push_back(*place);
      }
    }
    if (!by_key.empty()) {
      heap.accepted = IsOneOf(absl::StrCat("pg_catalog.concat_ws(', ', ", columns.Text(0, 1), ")"), by_key);
    } else if (!by_place.empty()) {
      heap.accepted = IsOneOf("t.ctid::pg_catalog.text", by_place);
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
