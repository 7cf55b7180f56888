#include "tests/harness/client.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"

namespace curlew::testing {
namespace {

// What an application has to bear from anybody who changes a schema, and tries again.
bool MayBeTriedAgain(const absl::Status& status) {
  const std::string state = pg::Sqlstate(status);
  return state == "55P03" || state == "40P01" || state == "40001";
}

}  // namespace

HarnessClient::HarnessClient(ClientOptions options, const Case& the_case, const Names& names,
                             std::atomic<int64_t>* numbers)
    : options_(std::move(options)),
      case_(the_case),
      names_(names),
      numbers_(numbers),
      random_(options_.seed) {
  const auto add = [&](Write write, int times) {
    if (case_.without.count(write) == 0) writes_.insert(writes_.end(), times, write);
  };
  add(Write::kUpdate, 8);
  add(Write::kUpdateOther, 4);
  if (options_.pace == Pace::kSlow) {
    add(Write::kLong, 6);
    add(Write::kCopy, 3);
    // By one client only: two that move the same parent would wait for each other.
    if (options_.knows == Knows::kOld) add(Write::kCascade, 2);
  } else {
    add(Write::kInsert, 5);
    add(Write::kUpsert, 4);
    add(Write::kDelete, 3);
  }
  thread_ = std::thread([this] { Loop(); });
}

HarnessClient::~HarnessClient() { Stop(); }

void HarnessClient::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

HarnessClient::Report HarnessClient::report() const {
  absl::MutexLock lock(&mutex_);
  return report_;
}

int HarnessClient::transactions() const { return report().transactions; }

void HarnessClient::AwaitTransactions(int count) const {
  const auto there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return report_.transactions >= count || !report_.failure.ok() || stopping_;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
}

void HarnessClient::Loop() {
  auto connection =
      pg::Connection::Connect({.conninfo = options_.conninfo,
                               .application_name = absl::StrCat("crm-", options_.name),
                               // Longer than any lock may be held: whoever waits so long is stuck.
                               .statement_timeout = absl::Seconds(30)});
  absl::Status failure = connection.status();
  if (failure.ok()) connection_ = connection->get();
  while (failure.ok()) {
    const std::set<int64_t> inserted = inserted_, deleted = deleted_;
    const absl::Status status = OneTransaction(connection_);
    const bool again = !status.ok() && MayBeTriedAgain(status);
    if (!status.ok() && !again) failure = status;
    if (!status.ok()) {
      inserted_ = inserted;
      deleted_ = deleted;
    }
    absl::MutexLock lock(&mutex_);
    if (status.ok()) ++report_.transactions;
    if (again) ++report_.retries;
    // The two cores are for the plan, too.
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::Milliseconds(2))) break;
  }
  connection_ = nullptr;
  absl::MutexLock lock(&mutex_);
  report_.failure = failure;
}

absl::Status HarnessClient::OneTransaction(pg::Connection* connection) {
  const absl::Status status = [&]() -> absl::Status {
    const Write first = writes_[Random(0, writes_.size() - 1)];
    const bool old_snapshot = first == Write::kLong && OneIn(2);
    RETURN_IF_ERROR(
        connection->Execute(old_snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN").status());
    if (old_snapshot) {
      // Sees the database as it was before the phases that go by meanwhile, and writes after them.
      RETURN_IF_ERROR(Run("SELECT 1 AS snapshot").status());
      RETURN_IF_ERROR(Pause(absl::Milliseconds(50), absl::Milliseconds(250)));
      RETURN_IF_ERROR(OneIn(2) ? Update() : UpdateOther());
    } else {
      RETURN_IF_ERROR(Do(first));
      if (first != Write::kLong && OneIn(3)) RETURN_IF_ERROR(Do(writes_[Random(0, writes_.size() - 1)]));
    }
    const Shape& shape =
        options_.knows == Knows::kOld || !case_.new_shape.has_value() ? case_.old_shape : *case_.new_shape;
    if (!shape.also.empty() && OneIn(3)) {
      RETURN_IF_ERROR(Run(names_.Sql(shape.also[Random(0, shape.also.size() - 1)], Number())).status());
    }
    return Run("COMMIT").status();
  }();
  if (!status.ok() && connection->in_transaction()) (void)connection->Execute("ROLLBACK");
  return status;
}

absl::Status HarnessClient::Do(Write write) {
  switch (write) {
    case Write::kInsert:
      return Insert();
    case Write::kUpdate:
      return Update();
    case Write::kUpdateOther:
      return UpdateOther();
    case Write::kUpsert:
      return Upsert();
    case Write::kCopy:
      return Copy();
    case Write::kDelete:
      return Delete();
    case Write::kCascade:
      return Cascade();
    case Write::kLong:
      return Long();
  }
  return absl::OkStatus();
}

absl::Status HarnessClient::Insert() {
  std::vector<int64_t> keys;
  // A key that was deleted comes again; now and then a new one or three.
  if (!deleted_.empty() && OneIn(2)) {
    keys.push_back(*deleted_.begin());
  } else {
    for (int64_t n = Random(1, 3); n > 0; --n) keys.push_back(NewKey());
  }
  for (int64_t key : keys) {
    const Values values = NewValues();
    RETURN_IF_ERROR(SetShape(values));
    RETURN_IF_ERROR(
        InsertBoth("INSERT INTO ", Row(key, absl::StrCat("new", Number()), values), {key}, values));
  }
  return absl::OkStatus();
}

absl::Status HarnessClient::Update() {
  Values values = NewValues();
  if (values.columns.empty()) return UpdateOther();
  if (case_.partly && options_.knows != Knows::kBoth && OneIn(2)) {
    std::swap(values.columns[0], values.columns[Random(0, values.columns.size() - 1)]);
    values.columns.resize(1);
  }
  RETURN_IF_ERROR(SetShape(values));
  const int64_t first = AnyKey();
  std::vector<int64_t> keys;
  const int64_t last = case_.one_row ? first : first + Random(0, 2);
  for (int64_t key = first; key <= last; ++key) keys.push_back(key);
  std::vector<std::string> sets;
  for (const Written& written : values.columns) {
    sets.push_back(absl::StrCat("{", written.column, "} = ", written.value));
  }
  return UpdateBoth(absl::StrJoin(sets, ", "), keys, values);
}

absl::Status HarnessClient::UpdateOther() {
  return UpdateBoth(absl::StrCat("{u} = 'other", Number(), "'"), {AnyKey()}, Values());
}

absl::Status HarnessClient::Upsert() {
  const Values values = NewValues();
  if (values.columns.empty()) return UpdateOther();
  RETURN_IF_ERROR(SetShape(values));
  const int64_t key = OneIn(2) ? OwnKey() : NewKey();
  std::vector<std::string> sets;
  for (const Written& written : values.columns) {
    sets.push_back(absl::StrCat("{", written.column, "} = excluded.{", written.column, "}"));
  }
  return InsertBoth("INSERT INTO ",
                    absl::StrCat(Row(key, "upsert", values), " ON CONFLICT ({id}) DO UPDATE SET ",
                                 absl::StrJoin(sets, ", ")),
                    {key}, values);
}

absl::Status HarnessClient::Copy() {
  const std::string file = sql::Literal(absl::StrCat(options_.server_folder, "/", options_.name, ".copy"));
  const Values values = NewValues();
  RETURN_IF_ERROR(SetShape(values));
  std::vector<int64_t> keys;
  std::vector<std::string> rows;
  for (int64_t n = case_.one_row ? 1 : Random(2, 20); n > 0; --n) {
    keys.push_back(NewKey());
    rows.push_back(absl::StrCat("(", keys.back(), ")"));
  }
  std::string data, columns;
  for (const Written& written : values.columns) {
    absl::StrAppend(&data, ", ", written.value);
    absl::StrAppend(&columns, ", {", written.column, "}");
  }
  RETURN_IF_ERROR(Run(absl::StrCat("COPY (SELECT k.k, 'copied', 1 + k.k % 10", data, " FROM (VALUES ",
                                   absl::StrJoin(rows, ", "), ") AS k (k)) TO ", file))
                      .status());
  return InsertBoth("COPY ", absl::StrCat(" ({id}, {u}, {ref}", columns, ") FROM ", file), keys, values);
}

absl::Status HarnessClient::Delete() {
  const int64_t key = OwnKey();
  for (const char* table : {"{s.t}", "{twin}"}) {
    RETURN_IF_ERROR(Run(Sql(absl::StrCat("DELETE FROM ", table, " WHERE {id} = ", key))).status());
  }
  inserted_.erase(key);
  deleted_.insert(key);
  if (OneIn(2)) return absl::OkStatus();
  // Again in the same transaction, or else in a later one.
  const Values values = NewValues();
  RETURN_IF_ERROR(SetShape(values));
  return InsertBoth("INSERT INTO ", Row(key, "again", values), {key}, values);
}

absl::Status HarnessClient::Cascade() {
  // Parents 11 to 20 move to and fro; new rows have 1 to 10.
  const int64_t parent = Random(11, 20);
  const std::string other =
      absl::StrCat("(CASE WHEN {id} = ", parent, " THEN ", parent + 1000, " ELSE ", parent, " END)");
  const std::string both = absl::StrCat("(", parent, ", ", parent + 1000, ")");
  RETURN_IF_ERROR(
      Run(Sql(absl::StrCat("UPDATE {s.parent} SET {id} = ", other, " WHERE {id} IN ", both))).status());
  return Run(Sql(absl::StrCat("UPDATE {twin} SET {ref} = CASE WHEN {ref} = ", parent, " THEN ", parent + 1000,
                              " ELSE ", parent, " END WHERE {ref} IN ", both)))
      .status();
}

absl::Status HarnessClient::Long() {
  RETURN_IF_ERROR(Update());
  RETURN_IF_ERROR(Pause(absl::Milliseconds(20), absl::Milliseconds(150)));
  return UpdateOther();
}

HarnessClient::Values HarnessClient::NewValues() {
  const Shape& old_shape = case_.old_shape;
  const Shape& new_shape = case_.new_shape.has_value() ? *case_.new_shape : old_shape;
  Values values;
  values.shape = options_.knows == Knows::kOld ? &old_shape : &new_shape;
  const auto write = [&](const Shape& shape) {
    for (const Written& written : shape.writes) {
      const bool null = written.nulls == Nulls::kSometimes && options_.knows != Knows::kBoth && OneIn(8);
      values.columns.push_back({written.column, null ? "NULL" : names_.Sql(written.value, Number())});
    }
  };
  if (options_.knows != Knows::kBoth) {
    write(*values.shape);
    return values;
  }
  write(old_shape);
  if (OneIn(2)) {
    write(new_shape);
    return values;
  }
  // Both columns, as the old one's write would have made them.
  values.shape = &old_shape;
  std::vector<std::pair<std::string, std::string>> given;
  for (const Written& written : values.columns) {
    given.emplace_back(absl::StrCat("{", written.column, "}"), absl::StrCat("(", written.value, ")"));
  }
  for (const Written& written : new_shape.writes) {
    for (const Follows& follows : old_shape.follows) {
      if (follows.column != written.column) continue;
      values.columns.push_back({follows.column, absl::StrReplaceAll(follows.value, given)});
    }
  }
  return values;
}

std::string HarnessClient::Row(int64_t key, const std::string& unrelated, const Values& values) const {
  std::string columns, data;
  for (const Written& written : values.columns) {
    absl::StrAppend(&columns, ", {", written.column, "}");
    absl::StrAppend(&data, ", ", written.value);
  }
  return absl::StrCat(" ({id}, {u}, {ref}", columns, ") VALUES (", key, ", '", unrelated, "', ", 1 + key % 10,
                      data, ")");
}

absl::StatusOr<pg::Result> HarnessClient::Run(const std::string& sql) {
  const absl::Time began = absl::Now();
  auto result = connection_->Execute(sql);
  const absl::Duration taken = absl::Now() - began;
  {
    absl::MutexLock lock(&mutex_);
    report_.longest_statement = std::max(report_.longest_statement, taken);
  }
  if (!result.ok() && !MayBeTriedAgain(result.status())) {
    absl::Status status(result.status().code(), absl::StrCat(result.status().message(), "\n  in: ", sql));
    return status;
  }
  return result;
}

absl::Status HarnessClient::InsertBoth(const std::string& verb, const std::string& rest,
                                       const std::vector<int64_t>& keys, const Values& values) {
  RETURN_IF_ERROR(Run(Sql(absl::StrCat(verb, "{s.t}", rest))).status());
  for (int64_t key : keys) {
    if (key > case_.rows) inserted_.insert(key);
    deleted_.erase(key);
  }
  return Mirror(absl::StrCat(verb, "{twin}", rest), keys, values);
}

absl::Status HarnessClient::UpdateBoth(const std::string& sets, const std::vector<int64_t>& keys,
                                       const Values& values) {
  const std::string list = absl::StrJoin(keys, ", ");
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      Run(Sql(absl::StrCat("UPDATE {s.t} SET ", sets, " WHERE {id} IN (", list, ") RETURNING {id}"))));
  // The rows that were there: one that comes again at this moment would be in the twin only.
  std::vector<int64_t> updated;
  for (int64_t i = 0; i < rows.size(); ++i) updated.push_back(rows.Int(i, 0));
  if (updated.empty()) return absl::OkStatus();
  return Mirror(
      absl::StrCat("UPDATE {twin} SET ", sets, " WHERE {id} IN (", absl::StrJoin(updated, ", "), ")"),
      updated, values);
}

absl::Status HarnessClient::Mirror(const std::string& mirror, const std::vector<int64_t>& keys,
                                   const Values& values) {
  // The row of {t} is locked from its write on, so nobody else changes the twin's.
  const std::string where = absl::StrCat(" WHERE {id} IN (", absl::StrJoin(keys, ", "), ")");
  std::vector<std::string> texts = {"{id}::text"};
  for (const Written& written : values.columns) texts.push_back(absl::StrCat("{", written.column, "}::text"));
  const std::string look =
      Sql(absl::StrCat("SELECT {id}, ROW(", absl::StrJoin(texts, ", "), ")::text FROM {twin}", where));
  std::map<int64_t, std::string> before;
  ASSIGN_OR_RETURN(const pg::Result was, Run(look));
  for (int64_t i = 0; i < was.size(); ++i) before[was.Int(i, 0)] = was.Text(i, 1);
  RETURN_IF_ERROR(Run(Sql(mirror)).status());
  RETURN_IF_ERROR(Run(Sql(absl::StrCat("UPDATE {twin} SET {len} = length({u})", where))).status());
  if (values.shape == nullptr || values.shape->follows.empty()) return absl::OkStatus();
  std::vector<int64_t> changed;
  ASSIGN_OR_RETURN(const pg::Result is, Run(look));
  for (int64_t i = 0; i < is.size(); ++i) {
    const auto known = before.find(is.Int(i, 0));
    if (known == before.end() || known->second != is.Text(i, 1)) changed.push_back(is.Int(i, 0));
  }
  if (changed.empty()) return absl::OkStatus();
  for (const Follows& follows : values.shape->follows) {
    RETURN_IF_ERROR(Run(Sql(absl::StrCat("UPDATE {twin} SET {", follows.column, "} = ", follows.value,
                                         " WHERE {id} IN (", absl::StrJoin(changed, ", "), ")")))
                        .status());
  }
  return absl::OkStatus();
}

absl::Status HarnessClient::SetShape(const Values& values) {
  if (options_.knows != Knows::kNew) return absl::OkStatus();
  bool null = false;
  for (const Written& written : values.columns) null = null || written.value == "NULL";
  if (!null && OneIn(2)) return absl::OkStatus();
  return Run("SET LOCAL curlew.shape = 'new'").status();
}

absl::Status HarnessClient::Pause(absl::Duration least, absl::Duration most) {
  const absl::Duration pause =
      absl::Milliseconds(Random(absl::ToInt64Milliseconds(least), absl::ToInt64Milliseconds(most)));
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopping_), pause);
  return absl::OkStatus();
}

int64_t HarnessClient::Random(int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(random_);
}

int64_t HarnessClient::NewKey() { return (1'000'000 + Number()) * kMostClients + options_.place; }

int64_t HarnessClient::AnyKey() {
  if (!inserted_.empty() && OneIn(4)) return *inserted_.lower_bound(Random(0, *inserted_.rbegin()));
  return Random(1, case_.rows);
}

int64_t HarnessClient::OwnKey() {
  if (!inserted_.empty() && OneIn(2)) return *inserted_.lower_bound(Random(0, *inserted_.rbegin()));
  return Random(1, case_.rows / kMostClients - 1) * kMostClients + options_.place;
}

}  // namespace curlew::testing
