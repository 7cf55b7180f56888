#include "agent/executor/verify_checks.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/attempt/leaves.h"
#include "agent/attempt/row_finder.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

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
  absl::StatusOr<pg::Result> Guarded(const std::string& sql) {
    return InSavepoint(context_, connection_, sql);
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
    const bool quotes = context_.row_keys == RowKeys::kReport;
    finding.what = CannotBeComputed(row_failure, !finding.keys.empty(), quotes);
    if (!quotes) finding.keys.clear();
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
    while (static_cast<int>(finding.keys.size()) < kMostFailingRows) {
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

}  // namespace

absl::StatusOr<pg::Result> InSavepoint(const RunContext& context, pg::Connection* connection,
                                       const std::string& sql) {
  RETURN_IF_ERROR(context.cancel->Check());
  RETURN_IF_ERROR(connection->Execute("SAVEPOINT curlew").status());
  absl::StatusOr<pg::Result> result = connection->Execute(sql);
  if (!result.ok()) RETURN_IF_ERROR(connection->Execute("ROLLBACK TO SAVEPOINT curlew").status());
  RETURN_IF_ERROR(connection->Execute("RELEASE SAVEPOINT curlew").status());
  return result;
}

absl::Status RunChecks(const RunContext& context, const v1::Verify& action, pg::Connection* connection,
                       std::vector<Finding>* findings) {
  Verifier verifier(context, connection);
  for (int i = 0; i < action.checks_size(); ++i) {
    v1::Progress progress;
    progress.set_fraction(static_cast<double>(i) / action.checks_size());
    progress.set_message(absl::StrCat("checks that ", action.checks(i).description()));
    context.progress->Report(progress);
    RETURN_IF_ERROR(verifier.Run(action.checks(i), *findings));
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
