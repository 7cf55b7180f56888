// The walk by key: ranges of a unique index without NULLs.
#ifndef CURLEW_AGENT_BACKFILL_KEY_WALKER_H_
#define CURLEW_AGENT_BACKFILL_KEY_WALKER_H_

#include <optional>
#include <string>
#include <vector>

#include "agent/backfill/walker.h"

namespace curlew::agent {

// A column of the key.
struct KeyColumn {
  std::string name;  // quoted
  std::string type;  // as SQL writes it, whatever search_path is
  // The schema of the operators that order it, quoted; "" where they are found without. An extension's type
  // has its own: if others were taken, the walk would cut by one order and select by another.
  std::string operators = "pg_catalog";
};

// The key by which the rows of `table` can be walked: the primary key, else the first unique index that is
// valid, immediate, over plain columns of which none may be NULL, and not partial. With `columns` (quoted)
// the one over just these, in this order; it may be deferrable. SQL about it may run under the session's
// search_path and under `search_path` (an SQL list; "" for the session's), which a transaction that is open
// has from then on. FAILED_PRECONDITION with base::kHint where there is none; errors as in common/pg/error.h.
absl::StatusOr<std::vector<KeyColumn>> FindKey(pg::Connection* connection, const Leaf& table,
                                               const std::vector<std::string>& columns = {},
                                               const std::string& search_path = "");

// Places are text arrays of the key's values, "{42}"; a part is what lies above `from`, up to `to`. The unit
// is a row. A row whose key is changed while the walk goes on is written then, and completed by the triggers.
class KeyWalker : public Walker {
 public:
  // `key` holds at least one column.
  explicit KeyWalker(std::vector<KeyColumn> key);

  const std::vector<KeyColumn>& key() const { return key_; }
  v1::Walk kind() const override { return v1::WALK_KEY; }
  absl::StatusOr<Place> Bound(pg::Connection* connection, const Leaf& leaf) const override;
  std::string Condition(const Place& from, const Place& to) const override;
  absl::StatusOr<std::optional<Place>> RowIn(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                             const Place& to) const override;
  std::string RowCondition(const Place& row) const override;
  std::string Excluding(const std::vector<Place>& rows) const override;
  absl::StatusOr<Place> Advance(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                const Place& end, int64_t units) const override;
  absl::StatusOr<std::optional<Place>> Middle(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                              const Place& to) const override;
  double Blocks(const Place&, const Place&) const override { return 0; }
  int64_t RangeUnits(int64_t blocks, int workers, const Place& claimed, const Place& bound) const override;
  int64_t FirstUnits() const override { return 500; }
  int64_t MostUnits() const override { return 100'000; }
  std::string Describe(const Place& from, const Place& to) const override;

  // SQL: the key of t as a place; the key of t as a list, "t.a, t.b".
  const std::string& place_sql() const { return place_; }
  const std::string& list_sql() const { return list_; }

 private:
  // The i-th value of a place, typed.
  std::string Value(const Place& place, size_t i) const;
  // SQL condition over t: the key, from its column `first` on, lies above (">") or not above ("<=") `place`.
  std::string Compare(const char* op, const Place& place, size_t first) const;

  const std::vector<KeyColumn> key_;
  std::string place_;
  std::string list_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_KEY_WALKER_H_
