#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/leaves.h"
#include "agent/executor/row_finder.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr int kMostKeys = 10;
// Each costs another scan of the rest of the table.
constexpr size_t kMostFailingRows = 3;

// What a check found.
struct Finding {
  std::string description;
  std::string what;
  std::string hint;
  std::vector<std::string> keys;
};

// Runs checks in one snapshot. A query that fails does not end it.
class Verifier {
 public:
  Verifier(const RunContext& context, pg::Connection* connection)
      : context_(context), connection_(connection) {}

  // Appends to `findings` where the check does not hold.
  absl::Status Run(const v1::Check& check, std::vector<Finding>& findings) {
    const absl::StatusOr<pg::Result> count = Guarded(check.count_query());
    Finding finding{.description = check.description(), .hint = check.hint()};
    if (count.ok()) {
      if (count->Int(0, 0) == 0) return absl::OkStatus();
      finding.what = absl::StrCat(count->Int(0, 0), count->Int(0, 0) == 1 ? " row" : " rows");
      RETURN_IF_ERROR(FindKeys(check, finding));
    } else {
      RETURN_IF_ERROR(context_.cancel->Check());
      if (absl::IsCancelled(count.status()) || pg::BlameFor(count.status()) != pg::Blame::kWork)
        return count.status();
      RETURN_IF_ERROR(FindFailingRows(check, count.status(), finding));
    }
    findings.push_back(std::move(finding));
    return absl::OkStatus();
  }

 private:
  // In a savepoint, which is gone afterwards.
  absl::StatusOr<pg::Result> Guarded(const std::string& sql) {
    RETURN_IF_ERROR(context_.cancel->Check());
    RETURN_IF_ERROR(connection_->Execute("SAVEPOINT curlew").status());
    absl::StatusOr<pg::Result> result = connection_->Execute(sql);
    if (!result.ok()) RETURN_IF_ERROR(connection_->Execute("ROLLBACK TO SAVEPOINT curlew").status());
    RETURN_IF_ERROR(connection_->Execute("RELEASE SAVEPOINT curlew").status());
    return result;
  }

  absl::Status FindKeys(const v1::Check& check, Finding& finding) {
    if (context_.row_keys != RowKeys::kReport || check.key_query().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const pg::Result keys, Guarded(absl::StrCat(check.key_query(), " LIMIT ", kMostKeys)));
    for (int64_t i = 0; i < keys.size(); ++i) finding.keys.push_back(keys.Text(i, 0));
    return absl::OkStatus();
  }

  // The query fails: on which rows?
  absl::Status FindFailingRows(const v1::Check& check, const absl::Status& failure, Finding& finding) {
    absl::Status row_failure = failure;
    if (!check.table().empty() && !check.expressions().empty()) {
      const std::string select =
          absl::StrCat("SELECT count(ROW((", absl::StrJoin(check.expressions(), "), ("), "))) FROM ONLY ");
      ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection_, check.table()));
      for (const Leaf& leaf : leaves) RETURN_IF_ERROR(FindInLeaf(select, leaf, &row_failure, finding));
    }
    finding.what = absl::StrCat("it cannot be computed", finding.keys.empty() ? "" : " for some rows",
                                ": SQLSTATE ", pg::Sqlstate(row_failure));
    // What PostgreSQL says of a row may quote its values.
    if (context_.row_keys == RowKeys::kReport)
      absl::StrAppend(&finding.what, ": ", std::string(row_failure.message()));
    if (context_.row_keys == RowKeys::kWithhold) finding.keys.clear();
    return absl::OkStatus();
  }

  absl::Status FindInLeaf(const std::string& select, const Leaf& leaf, absl::Status* failure,
                          Finding& finding) {
    ASSIGN_OR_RETURN(const pg::Result size,
                     Guarded(absl::StrCat("SELECT pg_relation_size(", leaf.oid,
                                          ") / current_setting('block_size')::bigint")));
    const auto probe = [&](TidNumber from, TidNumber to) {
      return Guarded(absl::StrCat(select, leaf.name, " AS t WHERE ", TidRangeSql(from, to))).status();
    };
    TidNumber from = FirstTid(0);
    while (finding.keys.size() < kMostFailingRows) {
      ASSIGN_OR_RETURN(const std::optional<TidNumber> tid,
                       FindFailingTid(from, FirstTid(size.Int(0, 0)), probe, failure));
      if (!tid.has_value()) break;
      ASSIGN_OR_RETURN(std::string key, RowKey(connection_, leaf, *tid));
      finding.keys.push_back(std::move(key));
      from = *tid + 1;
    }
    return absl::OkStatus();
  }

  const RunContext& context_;
  pg::Connection* connection_;
};

absl::Status ToStatus(const std::vector<Finding>& findings) {
  std::vector<std::string> lines, keys, hints;
  for (const Finding& finding : findings) {
    lines.push_back(absl::StrCat("\"", finding.description, "\" does not hold: ", finding.what,
                                 finding.keys.empty() ? "" : ", for example ",
                                 absl::StrJoin(finding.keys, ", ")));
    for (const std::string& key : finding.keys) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
    if (!finding.hint.empty() && std::find(hints.begin(), hints.end(), finding.hint) == hints.end()) {
      hints.push_back(finding.hint);
    }
  }
  absl::Status status = absl::FailedPreconditionError(absl::StrJoin(lines, "; "));
  if (!keys.empty()) status = base::WithDetail(status, base::kRowKeys, absl::StrJoin(keys, "\n"));
  return base::WithDetail(status, base::kHint,
                          hints.empty() ? "mend the rows, then resume" : absl::StrJoin(hints, "; "));
}

absl::Status Check(const RunContext& context, const v1::Verify& action) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  ASSIGN_OR_RETURN(const auto transaction,
                   pg::Transaction::Begin(lease.get(), pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL statement_timeout = 0").status());
  if (!action.search_path().empty()) {
    RETURN_IF_ERROR(
        transaction->Execute(absl::StrCat("SET LOCAL search_path = ", action.search_path())).status());
  }
  Verifier verifier(context, lease.get());
  std::vector<Finding> findings;
  for (int i = 0; i < action.checks_size(); ++i) {
    v1::Progress progress;
    progress.set_fraction(static_cast<double>(i) / action.checks_size());
    progress.set_message(absl::StrCat("checks that ", action.checks(i).description()));
    context.progress->Report(progress);
    RETURN_IF_ERROR(verifier.Run(action.checks(i), findings));
  }
  return findings.empty() ? absl::OkStatus() : ToStatus(findings);
}

}  // namespace

absl::Status RunVerify(const RunContext& context, const v1::Verify& action) {
  RETURN_IF_ERROR(Check(context, action));
  return JournalSuccess(context, 0);
}

}  // namespace curlew::agent
