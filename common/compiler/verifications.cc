#include "common/compiler/verifications.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/compiler/rows.h"
#include "common/compiler/stage.h"
#include "common/schema/schema.h"
#include "common/sql/expression.h"
#include "common/sql/query.h"

namespace curlew::compiler {

using sql::SqlText;
using sql::TableName;

absl::Status Refuse(const std::string& field, absl::string_view what) {
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(field, ": ", what)), base::kField,
                          field);
}

std::string TablesOf(const v1::Schema& schema) {
  std::vector<std::string> names;
  for (const v1::Table& table : schema.tables()) names.push_back(schema::NameOf(table).Quoted());
  return names.empty() ? "of those that the plan names there are none"
                       : absl::StrCat("of those that the plan names there are: ", absl::StrJoin(names, ", "));
}

v1::Step NewStep(v1::Phase phase, std::string title) {
  v1::Step step;
  step.set_phase(phase);
  step.set_title(std::move(title));
  return step;
}

void Reads(const std::string& table, v1::Step* step) {
  step->set_scans(true);
  for (const v1::TableLock& lock : step->locks()) {
    if (lock.table() == table) return;
  }
  v1::TableLock* lock = step->add_locks();
  lock->set_table(table);
  lock->set_mode(operations::kAccessShare);
}

Verifications::Verifications(const v1::Plan& plan, const Operations& all,
                             const std::vector<v1::Schema>& before, const std::vector<int>& first_of)
    : plan_(plan), all_(all), before_(before), first_of_(first_of), last_(first_of.back()) {}

absl::Status Verifications::Read(std::vector<std::string>* warnings) {
  for (int i = 0; i < plan_.verify_size(); ++i) {
    const v1::Verification& verification = plan_.verify(i);
    const std::string path = absl::StrCat("verify[", i, "]");
    switch (verification.kind_case()) {
      case v1::Verification::kQuery:
        RETURN_IF_ERROR(ReadQuery(verification));
        break;
      case v1::Verification::kRowCount:
        RETURN_IF_ERROR(ReadRowCount(verification, absl::StrCat(path, ".row_count"), warnings));
        break;
      case v1::Verification::kChecksum:
        RETURN_IF_ERROR(ReadChecksum(verification, absl::StrCat(path, ".checksum"), warnings));
        break;
      case v1::Verification::KIND_NOT_SET:
        return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
    }
  }
  return absl::OkStatus();
}

absl::Status Verifications::ReadQuery(const v1::Verification& verification) {
  ASSIGN_OR_RETURN(const sql::Query query, sql::ParseQuery(verification.query().sql()));
  v1::Expectation& expectation = expectations_.emplace_back();
  expectation.set_name(verification.name());
  // As a table, not as a value: no row is another answer than NULL.
  expectation.set_query(
      SqlText({"SELECT CAST(q.v AS text) FROM (", SqlText::Verified(query.text), ") AS q(v)"}).str());
  if (verification.query().has_expect()) expectation.set_expect(verification.query().expect());
  return absl::OkStatus();
}

absl::Status Verifications::ReadRowCount(const v1::Verification& verification, const std::string& path,
                                         std::vector<std::string>* warnings) {
  const v1::RowCountVerification& kind = verification.row_count();
  ASSIGN_OR_RETURN(const TableName table, sql::ParseTableName(kind.table()));
  RETURN_IF_ERROR(CheckTableStays(table, path));
  ASSIGN_OR_RETURN(const SqlText where, Where(table, kind.where(), path));
  AddMeasured(verification, table,
              {"SELECT CAST(count(*) AS text) FROM ", SqlText::Name(table), " AS t", where},
              absl::StrCat("rows of ", table.Quoted()), kind.where(), warnings);
  return absl::OkStatus();
}

// Binary forms, as of COPY BINARY, depend on no setting but the encoding of the session; their hashes are
// summed up, so that the order of rows does not count.
absl::Status Verifications::ReadChecksum(const v1::Verification& verification, const std::string& path,
                                         std::vector<std::string>* warnings) {
  const v1::ChecksumVerification& kind = verification.checksum();
  ASSIGN_OR_RETURN(const TableName table, sql::ParseTableName(kind.table()));
  RETURN_IF_ERROR(CheckTableStays(table, path));
  SqlText row;
  for (int i = 0; i < kind.columns_size(); ++i) {
    RETURN_IF_ERROR(CheckColumnStays(table, kind.columns(i), absl::StrCat(path, ".columns[", i, "]")));
    row.Append({i == 0 ? SqlText() : SqlText({", "}), "t.", SqlText::Name(kind.columns(i))});
  }
  ASSIGN_OR_RETURN(const SqlText where, Where(table, kind.where(), path));
  AddMeasured(verification, table,
              {"SELECT count(*) || ' rows, ' || COALESCE(sum(hashtextextended(encode(record_send(ROW(", row,
               ")), 'hex') COLLATE \"C\", 0)), 0) FROM ", SqlText::Name(table), " AS t", where},
              absl::StrCat("checksum of ", absl::StrJoin(kind.columns(), ", "), " of ", table.Quoted()),
              kind.where(), warnings);
  return absl::OkStatus();
}

absl::StatusOr<SqlText> Verifications::Where(const TableName& table, const std::string& where,
                                             const std::string& path) const {
  if (where.empty()) return SqlText();
  ASSIGN_OR_RETURN(const sql::Expression parsed, sql::Expression::Parse(where));
  for (const std::string& column : parsed.columns()) {
    RETURN_IF_ERROR(CheckColumnStays(table, column, absl::StrCat(path, ".where")));
  }
  return SqlText({" WHERE ", parsed.Qualified("t")});
}

void Verifications::AddMeasured(const v1::Verification& verification, const TableName& table,
                                const SqlText& query, const std::string& what, const std::string& where,
                                std::vector<std::string>* warnings) {
  Measured& measured = measured_.emplace_back();
  measured.table = table.Quoted();
  measured.measurement.set_name(verification.name());
  measured.measurement.set_query(query.str());
  measured.measurement.set_description(where.empty() ? what : absl::StrCat(what, " where ", where));
  for (int i = 0; i < plan_.operations_size(); ++i) {
    // A row whose values change is still one row.
    if (plan_.operations(i).has_backfill() && verification.has_row_count()) continue;
    if (!ChangesRowsBefore(i, measured.table)) continue;
    warnings->push_back(absl::StrCat("verification ", verification.name(), ": ", OperationName(plan_, i),
                                     " changes rows of ", measured.table,
                                     " before they are looked at again; let `where` leave those out"));
  }
}

bool Verifications::ChangesRowsBefore(int operation, const std::string& table) const {
  const v1::Operation& proto = plan_.operations(operation);
  if (operation >= last_ && !WritesInTurn(proto)) return false;
  const int stage_begins = *(std::upper_bound(first_of_.begin(), first_of_.end(), operation) - 1);
  const std::vector<std::string> changed = ChangesRows(proto, *all_[operation], before_[stage_begins]);
  return std::any_of(changed.begin(), changed.end(), [&](const std::string& written) {
    const auto name = sql::ParseTableName(written);
    return name.ok() && name->Quoted() == table;
  });
}

absl::Status Verifications::CheckTableStays(const TableName& table, const std::string& path) const {
  for (int i = 0; i <= last_; ++i) {
    if (schema::FindTable(before_[i], table) != nullptr) continue;
    if (i > 0) return Refuse(path, absl::StrCat("table ", table.Quoted(), GoneBy(i - 1)));
    return Refuse(
        path, absl::StrCat("table ", table.Quoted(), " does not exist before the plan, when it is measured; ",
                           TablesOf(before_[0])));
  }
  return absl::OkStatus();
}

absl::Status Verifications::CheckColumnStays(const TableName& table, const std::string& column,
                                             const std::string& path) const {
  const std::string name = absl::StrCat("column ", sql::Ident(column), " of ", table.Quoted());
  const v1::Column* first = Find(0, table, column);
  if (first == nullptr) return MissingBefore(table, column, path);
  for (int i = 1; i <= last_; ++i) {
    const v1::Column* found = Find(i, table, column);
    if (found == nullptr) {
      const v1::RenameColumn& rename = plan_.operations(i - 1).rename_column();
      return Refuse(path, absl::StrCat(name, GoneBy(i - 1),
                                       rename.from() == column
                                           ? absl::StrCat("; it is ", sql::Ident(rename.to()), " then")
                                           : ""));
    }
    ASSIGN_OR_RETURN(const std::vector<operations::AddedColumn> added, all_[i - 1]->Adds(before_[i - 1]));
    const bool replaced = std::any_of(added.begin(), added.end(), [&](const operations::AddedColumn& other) {
      return other.replaces && other.table == table && other.column == column;
    });
    if (!replaced && found->type() == first->type()) continue;
    return Refuse(path,
                  absl::StrCat(name, " is another one when it is looked at again, before the last DROP: ",
                               OperationName(plan_, i - 1), " gives it type ", found->type(),
                               " in the DROP of an earlier stage; leave it out, or write two plans"));
  }
  return absl::OkStatus();
}

const v1::Column* Verifications::Find(int operation, const TableName& table,
                                      const std::string& column) const {
  const v1::Table* found = schema::FindTable(before_[operation], table);
  return found == nullptr ? nullptr : schema::FindColumn(*found, column);
}

std::string Verifications::GoneBy(int operation) const {
  return absl::StrCat(" is not there any more when it is looked at again, before the last DROP: ",
                      OperationName(plan_, operation),
                      " takes it away in the DROP of an earlier stage; leave it out, or write two plans");
}

absl::Status Verifications::MissingBefore(const TableName& table, const std::string& column,
                                          const std::string& path) const {
  std::string made;
  for (size_t i = 1; i < before_.size() && made.empty(); ++i) {
    if (Find(static_cast<int>(i), table, column) == nullptr) continue;
    const v1::Operation& operation = plan_.operations(static_cast<int>(i) - 1);
    made = absl::StrCat("; ", OperationName(plan_, static_cast<int>(i) - 1), " makes it");
    if (operation.has_rename_column()) {
      const std::string from = sql::Ident(operation.rename_column().from());
      absl::StrAppend(&made, " from ", from, ", which is there until DROP: write ", from);
    }
  }
  std::vector<std::string> columns;
  for (const v1::Column& there : schema::FindTable(before_[0], table)->columns())
    columns.push_back(sql::Ident(there.name()));
  return Refuse(path, absl::StrCat("column ", sql::Ident(column), " of ", table.Quoted(),
                                   " does not exist before the plan, when it is measured", made,
                                   "; there are: ", absl::StrJoin(columns, ", ")));
}

std::vector<std::string> Verifications::Names(Answers which) const {
  std::vector<std::string> names;
  for (const Measured& m : measured_) names.push_back(m.measurement.name());
  if (which == Answers::kMeasuredOnly) return names;
  for (const v1::Expectation& e : expectations_) names.push_back(e.name());
  return names;
}

void Verifications::AddTo(Answers which, v1::Step* step) const {
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  for (const Measured& m : measured_) {
    *verify->add_unchanged() = m.measurement;
    Reads(m.table, step);
  }
  if (which == Answers::kMeasuredOnly || expectations_.empty()) return;
  step->set_scans(true);
  verify->mutable_expectations()->Add(expectations_.begin(), expectations_.end());
}

v1::Step Verifications::MeasureStep() const {
  v1::Step step =
      NewStep(v1::PHASE_ADD, absl::StrCat("measure ", absl::StrJoin(Names(Answers::kMeasuredOnly), ", "),
                                          " before anything changes"));
  for (const Measured& m : measured_) {
    *step.mutable_action()->mutable_measure()->add_measurements() = m.measurement;
    Reads(m.table, &step);
  }
  return step;
}

v1::Step Verifications::VerifyStep() const {
  v1::Step step =
      NewStep(v1::PHASE_CONSTRAIN,
              absl::StrCat("verify ", absl::StrJoin(Names(Answers::kAll), ", "), ", as the plan asks"));
  step.mutable_action()->mutable_verify()->set_search_path(kPublicPath);
  AddTo(Answers::kAll, &step);
  return step;
}

}  // namespace curlew::compiler
