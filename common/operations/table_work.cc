#include "common/operations/table_work.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

template <typename T>
void Extend(std::vector<T>* to, const std::vector<T>& from) {
  to->insert(to->end(), from.begin(), from.end());
}

}  // namespace

absl::Status TableWork::Merge(const TableWork& other) {
  std::set<std::string> taken;
  auto refuse_twice = [&](const std::string& column) {
    if (taken.insert(column).second) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("column ", sql::Ident(column), " of ",
                                                      schema::NameOf(table).Quoted(),
                                                      " is filled or followed by two operations of the plan; "
                                                      "leave one out, or put it into a plan of its own"));
  };
  Extend(&links, other.links);
  Extend(&insert_defaults, other.insert_defaults);
  for (const Link& link : links) {
    for (const NewColumn& column : link.to) {
      if (absl::Status s = refuse_twice(column.name); !s.ok()) return s;
    }
    for (const OldColumn& column : link.from) {
      if (absl::Status s = refuse_twice(column.column.name()); !s.ok()) return s;
    }
  }
  for (const InsertDefault& fill : insert_defaults) {
    if (absl::Status s = refuse_twice(fill.column.name()); !s.ok()) return s;
  }
  Extend(&before_finish, other.before_finish);
  Extend(&finish_clauses, other.finish_clauses);
  Extend(&after_finish, other.after_finish);
  Extend(&finish_locks, other.finish_locks);
  Extend(&finish_titles, other.finish_titles);
  return absl::OkStatus();
}

}  // namespace curlew::operations
